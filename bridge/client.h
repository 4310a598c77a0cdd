/* The client: everything of the bridge that a plugin needs, without any plugin framework.
 *
 * A client plays through the engine's process, which it finds or starts. Where there is none, or it fails, the client
 * gives silence, says why in its status, and tries again. Nothing of the engine can stop or end the caller.
 *
 * Threads: the *audio* thread calls what is marked so; it never allocates, locks or opens anything, and its only system
 * calls are the wake of the engine and, offline, the wait for it. All other functions are for any other thread; they
 * may be called from several at once, except new, free, activate and deactivate, which a host never calls at once with
 * process or with each other.
 */
#ifndef TNCA_CLIENT_H
#define TNCA_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "parameters.h"
#include "protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tnca_client tnca_client;

typedef struct {
    uint32_t frame; /* within the block; never less than that of the message before */
    uint32_t size;
    const uint8_t *data; /* one complete message with its status byte */
} tnca_midi;

typedef enum {
    TNCA_INACTIVE = 0,     /* not activated: nobody asks for sound */
    TNCA_STARTING = 1,     /* the engine is looked for or started, or opens its instruments */
    TNCA_RUNNING = 2,      /* it plays */
    TNCA_OVERLOADED = 3,   /* it plays, but too slowly: blocks came late within the last second */
    TNCA_NOT_ANSWERING = 4, /* it is there, but has not moved for a while */
    TNCA_MISSING = 5,      /* it cannot be found or started */
    TNCA_OTHER_VERSION = 6, /* it speaks another version of the protocol */
    TNCA_FAILED = 7        /* it could not open what was asked for, or this system lacks something */
} tnca_state;

typedef struct {
    tnca_state state;
    uint32_t voices, voice_limit;
    float load;           /* share of real time that the engine needs for all clients */
    uint32_t latency;     /* frames */
    uint64_t late_blocks; /* that were silent because the engine was not ready, since activation */
    uint64_t dropped;     /* messages that were too long or came too fast, since activation */
    uint32_t restarts;    /* engines that were lost since activation */
    float peak[2];        /* of the newest blocks, left and right */
    char text[TNCA_TEXT]; /* one line for people: the state and what explains it */
    char engine[TNCA_NAME]; /* version of the engine; "" while there is none */
} tnca_status;

/* What an audio thread may ask for. */
typedef struct {
    tnca_state state;
    uint32_t voices;
    float load;
    uint64_t late_blocks;
} tnca_meters;

/* Make a client; it starts nothing before it is activated. Null without memory. */
tnca_client *tnca_client_new(void);
void tnca_client_free(tnca_client *client);

/* Say how many notes may sound at once (1..1024, 64 at first) and the seed of all chance (0 at first); both hold from
 * the next activation on. */
void tnca_client_configure(tnca_client *client, uint32_t max_voices, uint64_t seed);

/* Get ready to process blocks of up to `max_block` frames. Waits up to `wait_ms` for the engine to be ready; without
 * it the client gives silence until it is. Returns 0, or -1 for numbers out of range (8,000..192,000 Hz;
 * 1..TNCA_MAX_BLOCK). Activating again begins a new time: sounds end, parameters and state stay. */
int tnca_client_activate(tnca_client *client, uint32_t sample_rate, uint32_t max_block, uint32_t wait_ms);
void tnca_client_deactivate(tnca_client *client);

/* What is played at frame n sounds at n + latency. Depends on sample rate and max_block alone, so a host can be told
 * before there is any engine; the environment variable TNCA_BRIDGE_EXTRA_FRAMES adds up to TNCA_MAX_EXTRA frames. */
uint32_t tnca_client_latency(const tnca_client *client);

/* Audio thread: play messages, give the next frames. `num_frames` is 0..max_block. `offline`: the host waits for the
 * sound. It waits for the engine then, for 60 s at most, and nothing is left out. Else it never waits. Clients that an
 * environment variable TNCA_BRIDGE_OFFLINE=1 was set for are always offline. */
void tnca_client_process(tnca_client *client, const tnca_midi *messages, uint32_t num_messages, float *left,
                         float *right, uint32_t num_frames, int offline);

/* Audio thread: before the next block, lift all keys and pedals: where the transport stops or jumps. */
void tnca_client_release(tnca_client *client);
/* Audio thread: before the next block, let time begin anew, as after activation: sound stops at once, and what follows
 * is the same whenever it is played. Channels are as at power-up, parameters stay. For the begin of a bounce. */
void tnca_client_restart(tnca_client *client);
/* Audio thread: the same, but channels stay as they are: where the transport starts for a bounce. */
void tnca_client_rewind(tnca_client *client);

/* Audio thread: a part of the status, without waiting for anyone. */
void tnca_client_meters(const tnca_client *client, tnca_meters *meters);

/* Any thread, the audio thread too. A parameter takes effect with the next block that is processed. Values out of
 * range are clipped, what is no number is ignored. */
void tnca_client_set_parameter(tnca_client *client, uint32_t index, float value);
float tnca_client_parameter(const tnca_client *client, uint32_t index);
/* Write a value as people read it, such as "violin", "-6.0 dB"; not for the audio thread. */
void tnca_client_parameter_text(tnca_client *client, uint32_t index, float value, char *text, size_t size);
/* The way back: return 0 and the value, or -1 for a text that means none. */
int tnca_client_parameter_value(tnca_client *client, uint32_t index, const char *text, float *value);

void tnca_client_status(tnca_client *client, tnca_status *status);

/* Copy what the parameter "instrument" can choose, `most` of them at most; return how many there are, 0 before the
 * engine was there for the first time. */
uint32_t tnca_client_instruments(tnca_client *client, tnca_instrument *instruments, uint32_t most);
/* Rises whenever the list of instruments has changed. */
uint32_t tnca_client_instruments_revision(const tnca_client *client);

/* Return the state as a text, to be freed with free(): parameters by symbol, the instrument by name and hash, and what
 * a newer version has added, unchanged. Null without memory. */
char *tnca_client_save(tnca_client *client);
/* Restore a state. Returns 0, or -1 for what is no state. An instrument that is missing is named in the status, and
 * the most similar one plays. */
int tnca_client_load(tnca_client *client, const char *state);

#ifdef __cplusplus
}
#endif
#endif
