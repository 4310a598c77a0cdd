/* What the sources of the client share. Not for plugins. */
#ifndef TNCA_INTERNAL_H
#define TNCA_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "client.h"

/* ---- memory.c: channels as messages have set them (audio thread) -------------------------------------------------- */

enum {
    TNCA_MIDI_CHANNELS = 16,
    TNCA_RPNS = 7,
    TNCA_EXCLUSIVE_BYTES = 16384, /* of system exclusive messages that are remembered */
    TNCA_UNSET = 0xff
};

typedef struct {
    uint8_t controllers[128]; /* TNCA_UNSET where none came */
    uint8_t bank[2], program; /* the bank that the program change selected */
    uint8_t bend[2], pressure;
    uint8_t selected[2]; /* MSB, LSB of the registered parameter that data entry sets */
    uint8_t parameters[TNCA_RPNS][2];
    uint8_t mode; /* 126 mono, 127 poly */
} tnca_channel;

typedef struct {
    tnca_channel channels[TNCA_MIDI_CHANNELS];
    uint8_t exclusive[TNCA_EXCLUSIVE_BYTES]; /* records: two bytes of length, then the message */
    uint32_t exclusive_used;
} tnca_memory;

typedef bool (*tnca_take)(void *context, const uint8_t *data, uint32_t size);

void tnca_memory_clear(tnca_memory *memory);
void tnca_memory_follow(tnca_memory *memory, const uint8_t *data, uint32_t size);
/* All keys and pedals have come up. */
void tnca_memory_release(tnca_memory *memory);
/* Give the messages that lead from power-up to this state; false as soon as `take` returns false. */
bool tnca_memory_replay(const tnca_memory *memory, tnca_take take, void *context);

/* ---- link.c: one activation's shared memory ---------------------------------------------------------------------- */

/* The engine's doorbell, counted by those that hold it. Worker thread, but `page` and `descriptor`. */
typedef struct {
    tnca_doorbell *page;
    int descriptor, holders;
} tnca_bell;

typedef struct tnca_line {
    tnca_link *shared;
    uint8_t *events;
    float *audio[TNCA_NUM_AUDIO_CHANNELS];
    size_t size;
    int memory, reply; /* descriptors */
    tnca_bell *bell;
    uint32_t event_bytes, audio_frames, latency, look_ahead; /* copies: what the other side could change is not trusted */
    atomic_bool is_dead;  /* set by the worker: the engine is gone */
    struct tnca_line *next;
    /* audio thread */
    uint64_t frame, written;
    uint64_t silent_to; /* frames before this one are silent where they were not rendered */
    uint32_t sequence;
    bool has_overflowed; /* events were lost: keys must come up, and the channels be told again */
    bool was_late;
} tnca_line;

tnca_line *tnca_line_new(tnca_bell *bell, uint32_t sample_rate, uint32_t max_block, uint32_t latency,
                         uint32_t max_voices, uint64_t seed);
void tnca_line_free(tnca_line *line);
void tnca_bell_release(tnca_bell *bell);
/* Audio thread. Append an event; false if there is no room. */
bool tnca_line_append(tnca_line *line, uint64_t frame, uint16_t kind, const void *data, uint32_t size);
/* Whether the engine has said that nothing sounds, and has been told nothing since. */
bool tnca_line_is_idle(const tnca_line *line);
/* An idle engine is told nothing before frame `told`: what comes then sounds no earlier than the look-ahead before. */
void tnca_line_stay_silent(tnca_line *line, uint64_t told);
/* Say that all events before `known` are told, and wake the engine if it sleeps. */
void tnca_line_publish(tnca_line *line, uint64_t known);
bool tnca_line_wait(tnca_line *line, uint64_t until, int limit_ms);
/* Give frames [from, from + count); those before frame 0 are silent. Return false if some were not there in time. */
bool tnca_line_read(tnca_line *line, int64_t from, float *left, float *right, uint32_t count);

/* ---- worker.c: the thread that talks to the engine ----------------------------------------------------------------- */

typedef struct {
    uint32_t sample_rate, max_block, latency, max_voices;
    uint64_t seed;
    bool is_active, is_used; /* activated now; activated at least once */
    uint32_t generation;     /* rises with every activation */
    bool wants_instrument;   /* `kept` is to be resolved */
    bool quits;
} tnca_wishes;

struct tnca_client {
    _Atomic uint32_t values[TNCA_NUM_PARAMETERS]; /* bits of floats */
    _Atomic(tnca_line *) offered, retired;
    _Atomic uint32_t state, latency, revision, restarts;
    atomic_bool releases, begins_anew, rewinds, always_offline;
    _Atomic uint64_t late_blocks, dropped;
    _Atomic uint32_t peaks[2];

    /* audio thread */
    tnca_line *line;
    tnca_memory memory;
    uint32_t sent[TNCA_NUM_PARAMETERS];
    uint32_t extra;  /* frames of latency beside what is needed */
    int patience_ms; /* how long an offline host may still wait for an engine that is not there */

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    tnca_wishes wishes;
    uint32_t ready_generation; /* of the last line that was offered */
    char text[TNCA_TEXT], note[TNCA_TEXT], engine[TNCA_NAME];
    tnca_instrument *instruments;
    uint32_t num_instruments, voices, voice_limit;
    float load;
    tnca_instrument kept; /* the instrument of a state, as it was saved; `value` is what plays it now */
    char *unknown;        /* lines of a state that this version does not know */

    pthread_t worker;
    bool has_worker;
    int nudge; /* eventfd that wakes the worker */
};

void *tnca_worker_run(void *client);
void tnca_worker_nudge(tnca_client *client);
void tnca_set_state(tnca_client *client, tnca_state state, const char *text);
void tnca_set_note(tnca_client *client, const char *text);
void tnca_retire(tnca_client *client, tnca_line *line);

/* ---- socket.c: finding and starting the engine, packets ------------------------------------------------------------ */

int tnca_socket_connect(char *problem, size_t size); /* -1: `problem` is "" if there is no engine, else why not */
/* Start an engine. Returns a descriptor from which its messages can be read, or -1 and what the problem is. */
int tnca_engine_start(pid_t *pid, char *problem, size_t size);
int tnca_packet_send(int socket, uint16_t kind, const void *body, uint32_t size, const int *descriptors, int count);
/* Returns the size of the body, -1 if the other side is gone or talks nonsense, -2 if there is nothing to read now. */
int tnca_packet_receive(int socket, tnca_packet *head, void *body, int descriptors[2]);

/* ---- socket.c and client.c ------------------------------------------------------------------------------------------------------ */

float tnca_bits_to_float(uint32_t bits);
uint32_t tnca_float_to_bits(float value);
void tnca_copy_text(char *to, size_t size, const char *from);

#endif
