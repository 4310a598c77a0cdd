/* What a client (a plugin in its host) and the engine say to each other. Both sides are built from this file: C
 * includes it, and bridge/layout.py has the same structures, which a test compares field by field.
 *
 * There are two ways between them:
 *
 * - A Unix socket (SOCK_SEQPACKET), one connection for each client. It carries what takes its time: greetings,
 *   memory, lists, notices. No audio thread touches it. A connection that ends is a side that has died.
 * - A *link*: one shared memory for each activation, made by the client and sent as a file descriptor, so that it has
 *   no name and vanishes with the last side that holds it. It carries events to the engine and sound back.
 *
 * All integers have the byte order of the machine. docs/bridge.md tells the whole story.
 */
#ifndef TNCA_PROTOCOL_H
#define TNCA_PROTOCOL_H

#include <stdint.h>

#define TNCA_MAGIC 0x41434e54u /* "TNCA" */
#define TNCA_PROTOCOL 1u       /* changes with every change that another side would misread */

/* Names below $XDG_RUNTIME_DIR, or /tmp/tnca-synth-UID where that is not set. */
#define TNCA_FOLDER "tnca-synth"
#define TNCA_SOCKET "bridge.socket"
#define TNCA_LOCK "bridge.lock"

/* Limits that both sides check. */
#define TNCA_MAX_BLOCK 65536u    /* frames that a host may ask for at once */
#define TNCA_MIN_AHEAD 256u      /* frames of delay at least, so that the engine has a useful time for small blocks */
#define TNCA_MAX_MESSAGE 8192u   /* bytes of a MIDI message; longer system exclusive ones are dropped and counted */
#define TNCA_MAX_PACKET 32768u   /* bytes of a packet on the socket */
#define TNCA_EVENT_BYTES 262144u /* capacity of the event ring, a power of two */
#define TNCA_TEXT 256u           /* bytes of a text, UTF-8, ended by a zero */
#define TNCA_NAME 64u            /* bytes of a name, UTF-8, ended by a zero */
#define TNCA_HASH 65u            /* SHA-256 in hexadecimal, ended by a zero; "" where there is none */
#define TNCA_MAX_INSTRUMENTS 256u
#define TNCA_NUM_AUDIO_CHANNELS 2u

/* Frames by which the engine must know events before it renders: its limiter and resampler look less far ahead. */
#define TNCA_LOOK_AHEAD(sample_rate) (((sample_rate) + 999u) / 1000u)

/* The delay of a link, which a host is told as latency: what is played at frame n sounds at frame n + latency. That is
 * the least; a client may add up to TNCA_MAX_EXTRA frames, which give a slow machine more time. */
#define TNCA_LATENCY(sample_rate, max_block) \
    (((max_block) > TNCA_MIN_AHEAD ? (max_block) : TNCA_MIN_AHEAD) + TNCA_LOOK_AHEAD(sample_rate))
#define TNCA_MAX_EXTRA 8192u

/* ---- Link: the shared memory of one activation -------------------------------------------------------------------
 *
 * Frames count from 0 at the first frame that the client processes with this link.
 *
 * The client appends the events of a block to the ring (`events_written`), then says up to which frame it has told all
 * events (`frames_known`), then rings the doorbell. The engine renders up to `frames_known - look-ahead` and says so in
 * `rendered_to`. The sound of frame n lies at index n modulo `audio_frames` of both audio channels. For the block
 * [s, s + N) the client plays frames [s - latency, s + N - latency); what lies before frame 0 is silence.
 *
 * Each field has one writer. Fields that are written while the link is in use are accessed atomically: stored with
 * release order, loaded with acquire order.
 */
typedef struct {
    /* Written by the client before the link is sent, never after. */
    uint32_t magic;
    uint32_t protocol;
    uint64_t size; /* of the whole memory, in bytes */
    uint32_t sample_rate;
    uint32_t max_block;
    uint32_t latency;      /* TNCA_LATENCY(sample_rate, max_block), or up to TNCA_MAX_EXTRA more */
    uint32_t event_bytes;  /* TNCA_EVENT_BYTES */
    uint32_t audio_frames; /* capacity of the audio ring, a power of two, at least 4 * (latency + max_block) */
    uint32_t max_voices;   /* 1..1024 */
    uint64_t seed;         /* root of all chance */
    uint8_t fixed_spare[80];

    /* Written by the client's audio thread. */
    uint64_t events_written; /* bytes so far; a multiple of 8 */
    uint64_t frames_known;   /* all events before this frame have been written */
    uint32_t offline;        /* 1: the host waits for the sound, so all is rendered and nothing is left out */
    uint32_t waiting;        /* 1: the client waits for `rendered_to`; the engine then writes to the reply eventfd */
    uint64_t late_blocks;    /* blocks that the client had to fill with silence */
    uint8_t client_spare[96];

    /* Written by the engine. */
    uint64_t events_read; /* bytes so far */
    uint64_t rendered_to; /* sound before this frame is in the ring */
    uint64_t idle_at;     /* 1 + `events_written` when nothing sounded any more and nothing was queued; else 0. While
                             it fits, frames from `rendered_to` on are silent and need not be asked for */
    uint32_t state;       /* tnca_link_state */
    uint32_t voices;      /* that sound now */
    uint32_t voice_limit; /* that may sound now: fewer than max_voices under overload */
    float load;           /* share of real time that all instances of this engine take together */
    uint64_t dropped;     /* events that were malformed */
    uint64_t heartbeat;   /* rises while the engine works on this link */
    uint8_t engine_spare[72];
} tnca_link;

/* After it: `event_bytes` of the event ring, then audio_frames floats of the left, then of the right channel. */
#define TNCA_LINK_HEADER 384u
#define TNCA_LINK_SIZE(event_bytes, audio_frames) \
    ((uint64_t)TNCA_LINK_HEADER + (event_bytes) + 2u * 4u * (uint64_t)(audio_frames))

typedef enum {
    TNCA_LINK_OPENING = 0, /* the synth is being made */
    TNCA_LINK_READY = 1,
    TNCA_LINK_FAILED = 2 /* a packet on the socket says why */
} tnca_link_state;

/* An event: this header, then `size` bytes, then zeros up to a multiple of 8. It may wrap at the end of the ring. */
typedef struct {
    uint64_t frame;    /* when it happens; never less than that of the event before */
    uint32_t sequence; /* counts from 0 on each link; a gap is damage */
    uint16_t kind;     /* tnca_event_kind */
    uint16_t size;     /* bytes that follow */
} tnca_event;

typedef enum {
    TNCA_EVENT_MIDI = 1,      /* one complete message with its status byte */
    TNCA_EVENT_PARAMETER = 2, /* tnca_parameter_event */
    TNCA_EVENT_RELEASE = 3,   /* no bytes: all keys and pedals come up, as where the transport jumps */
    TNCA_EVENT_RESTART = 4    /* no bytes: sound stops, and time begins anew: this frame is the synth's frame 0. What
                                 channels and parameters were set to is forgotten: the client tells it again after it */
} tnca_event_kind;

typedef struct {
    uint32_t index; /* in bridge/parameters.h */
    float value;    /* in the parameter's own unit; what is out of range is clipped, what is no number ignored */
} tnca_parameter_event;

/* ---- Doorbell: one page for all clients of an engine, made by the engine ----------------------------------------- */
typedef struct {
    uint32_t magic;
    uint32_t protocol;
    uint32_t asleep; /* 1: the engine waits on the eventfd. Whoever exchanges 1 for 0 writes to the eventfd */
    uint32_t pid;
    uint64_t heartbeat; /* rises with every turn of the engine, once a second at least */
    uint8_t spare[40];
} tnca_doorbell;

/* ---- Packets on the socket ----------------------------------------------------------------------------------------
 *
 * A packet is this header and a body of `size` bytes. A side that gets a packet which it does not know, or whose size
 * is wrong, ends the connection.
 */
typedef struct {
    uint32_t magic;
    uint16_t protocol;
    uint16_t kind; /* tnca_packet_kind */
    uint32_t size;
    uint32_t spare;
} tnca_packet;

typedef enum {
    /* from the client */
    TNCA_PACKET_HELLO = 1,   /* tnca_hello */
    TNCA_PACKET_ATTACH = 2,  /* no body; two descriptors: the link's memory, an eventfd for replies. Ends any link
                                that this connection had before */
    TNCA_PACKET_DETACH = 3,  /* no body */
    TNCA_PACKET_LIST = 4,    /* no body: asks for TNCA_PACKET_INSTRUMENTS */
    TNCA_PACKET_RESOLVE = 5, /* tnca_instrument: asks which instrument comes nearest */
    /* from the engine */
    TNCA_PACKET_WELCOME = 64,     /* tnca_hello; two descriptors: the doorbell's memory, its eventfd */
    TNCA_PACKET_REFUSED = 65,     /* tnca_hello of the engine: it speaks another version */
    TNCA_PACKET_ATTACHED = 66,    /* tnca_text: "" if the link is ready, else why it failed */
    TNCA_PACKET_INSTRUMENTS = 67, /* tnca_list, then its instruments; further packets until `total` are told */
    TNCA_PACKET_RESOLVED = 68,    /* tnca_instrument that plays; flag TNCA_INSTRUMENT_STANDS_IN if it is another */
    TNCA_PACKET_NOTICE = 69       /* tnca_text for people */
} tnca_packet_kind;

typedef struct {
    uint32_t protocol;
    uint32_t pid;
    char version[TNCA_NAME]; /* of the program, for people */
} tnca_hello;

typedef struct {
    char text[TNCA_TEXT];
} tnca_text;

typedef struct {
    uint32_t total; /* instruments there are, TNCA_MAX_INSTRUMENTS at most */
    uint32_t first; /* number of the first one in this packet */
    uint32_t count; /* in this packet */
    uint32_t revision;
} tnca_list;

/* An instrument that the parameter "instrument" can choose.
 *
 * Values: 0 follows the program changes of MIDI. 1..128 are programs 0..127, each played by what the bank has for it;
 * values from 129 on are instruments of the user, in the order of their names. */
typedef struct {
    uint32_t value;
    uint32_t flags;
    int32_t program; /* 0..127; -1 for drums */
    char name[TNCA_NAME];
    char hash[TNCA_HASH];
    char spare[3];
} tnca_instrument;

#define TNCA_INSTRUMENT_STANDS_IN 1u /* the bank lacks it: the most similar one plays */
#define TNCA_INSTRUMENT_USER 2u      /* a file of the user */
#define TNCA_INSTRUMENT_DRUMS 4u

#ifdef __cplusplus
#define TNCA_ASSERT static_assert
#else
#define TNCA_ASSERT _Static_assert
#endif
TNCA_ASSERT(sizeof(tnca_link) == TNCA_LINK_HEADER, "the link's header has another size");
TNCA_ASSERT(sizeof(tnca_event) == 16, "an event's header has 16 bytes");
TNCA_ASSERT(sizeof(tnca_doorbell) == 64, "the doorbell has 64 bytes");
TNCA_ASSERT(sizeof(tnca_packet) == 16, "a packet's header has 16 bytes");
TNCA_ASSERT(sizeof(tnca_instrument) == 144, "an instrument has 144 bytes");

#endif
