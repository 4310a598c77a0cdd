/* What the worker's two sources share: worker.c finds and watches the engine, packets.c reads what it says. */
#ifndef TNCA_WORKER_H
#define TNCA_WORKER_H

#include "internal.h"

typedef enum { ALONE, GREETING, UP } phase;

typedef struct {
    tnca_client *client;
    int socket, process; /* of the engine: connection, pidfd */
    phase phase;
    tnca_bell *bell;
    pid_t pid;
    tnca_line *line; /* the newest one made; null once it is retired */
    bool is_attached, is_ready;
    uint32_t generation; /* of the activation that is attached */
    int messages;        /* what an engine that starts says */
    pid_t starter;
    char heard[TNCA_TEXT];
    int64_t try_ms, begin_ms, spawn_ms, pause_ms, up_ms, beat_ms, late_ms;
    uint64_t beat, late;
    uint32_t losses;
    tnca_instrument list[TNCA_MAX_INSTRUMENTS];
    uint32_t listed;
    union {
        uint64_t aligned;
        uint8_t bytes[TNCA_MAX_PACKET];
    } body;
} worker;

int64_t tnca_now_ms(void);
void tnca_close_end(int *descriptor);
/* Say what the worker is at, unless the client is not active. */
void tnca_tell(worker *self, tnca_state state, const char *text);
void tnca_free_line(worker *self, tnca_line *line);
/* Leave this engine, say why, and pause before the next try. */
void tnca_give_up(worker *self, tnca_state state, const char *text);
/* The engine is gone: look for another one at once, and more patiently if it keeps happening. */
void tnca_lose_engine(worker *self);
void tnca_know_process(worker *self, pid_t pid);
/* Take all packets that have arrived. */
void tnca_read_packets(worker *self);

#endif
