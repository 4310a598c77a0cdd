/* The instrument as a client of a JACK server: a MIDI input, two audio outputs, and the bridge's client between them.
 *
 * It follows the server's rate and period, tells its latency, and waits for the engine while the server freewheels.
 * libjack is opened when it is asked for, so that nothing but this needs it. */
#include "../client.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))

enum { NO_START_SERVER = 1, IS_INPUT = 1, IS_OUTPUT = 2, IS_PHYSICAL = 4, MOST_MESSAGES = 1024, WAIT_MS = 5000 };

static const char AUDIO[] = "32 bit float mono audio", MIDI[] = "8 bit raw midi";

typedef struct jack_client jack_client;
typedef struct jack_port jack_port;
typedef uint32_t jack_frames;

typedef struct {
    jack_frames time;
    size_t size;
    uint8_t *buffer;
} jack_message;

typedef struct {
    jack_frames min, max;
} jack_latency;

/* What is used of libjack. */
typedef struct {
    jack_client *(*client_open)(const char *, int, int *);
    int (*client_close)(jack_client *);
    int (*activate)(jack_client *);
    int (*deactivate)(jack_client *);
    char *(*get_client_name)(jack_client *);
    jack_frames (*get_sample_rate)(jack_client *);
    jack_frames (*get_buffer_size)(jack_client *);
    jack_port *(*port_register)(jack_client *, const char *, const char *, unsigned long, unsigned long);
    void *(*port_get_buffer)(jack_port *, jack_frames);
    const char *(*port_name)(const jack_port *);
    const char **(*get_ports)(jack_client *, const char *, const char *, unsigned long);
    int (*connect)(jack_client *, const char *, const char *);
    void (*free)(void *);
    uint32_t (*midi_get_event_count)(void *);
    int (*midi_event_get)(jack_message *, void *, uint32_t);
    void (*port_get_latency_range)(jack_port *, int, jack_latency *);
    void (*port_set_latency_range)(jack_port *, int, jack_latency *);
    int (*recompute_total_latencies)(jack_client *);
    int (*set_process_callback)(jack_client *, int (*)(jack_frames, void *), void *);
    int (*set_buffer_size_callback)(jack_client *, int (*)(jack_frames, void *), void *);
    int (*set_freewheel_callback)(jack_client *, void (*)(int, void *), void *);
    int (*set_latency_callback)(jack_client *, void (*)(int, void *), void *);
    void (*on_shutdown)(jack_client *, void (*)(void *), void *);
} jack_library;

static const char *const NAMES[] = {
    "jack_client_open", "jack_client_close", "jack_activate", "jack_deactivate", "jack_get_client_name",
    "jack_get_sample_rate", "jack_get_buffer_size", "jack_port_register", "jack_port_get_buffer", "jack_port_name",
    "jack_get_ports", "jack_connect", "jack_free", "jack_midi_get_event_count", "jack_midi_event_get",
    "jack_port_get_latency_range", "jack_port_set_latency_range", "jack_recompute_total_latencies",
    "jack_set_process_callback", "jack_set_buffer_size_callback", "jack_set_freewheel_callback",
    "jack_set_latency_callback", "jack_on_shutdown",
};
_Static_assert(sizeof(jack_library) == sizeof NAMES, "a name for every function");

typedef struct {
    union {
        jack_library jack;
        void *functions[sizeof NAMES / sizeof *NAMES];
    };
    jack_client *server;
    jack_port *midi, *audio[2];
    tnca_client *client;
    jack_frames period;
    atomic_bool is_held, is_inside, is_offline, is_gone;
    tnca_midi messages[MOST_MESSAGES];
} tnca_jack;

static bool open_library(tnca_jack *self) {
    void *library = dlopen("libjack.so.0", RTLD_NOW | RTLD_GLOBAL);
    for (size_t index = 0; library && index < sizeof NAMES / sizeof *NAMES; index++)
        if (!(self->functions[index] = dlsym(library, NAMES[index])))
            return false;
    return library != NULL;
}

static int process(jack_frames num_frames, void *context) {
    tnca_jack *self = context;
    float *left = self->jack.port_get_buffer(self->audio[0], num_frames);
    float *right = self->jack.port_get_buffer(self->audio[1], num_frames);
    atomic_store(&self->is_inside, true);
    if (atomic_load(&self->is_held)) {
        memset(left, 0, num_frames * sizeof *left);
        memset(right, 0, num_frames * sizeof *right);
    } else {
        void *midi = self->jack.port_get_buffer(self->midi, num_frames);
        uint32_t count = self->jack.midi_get_event_count(midi), kept = 0;
        for (uint32_t index = 0; index < count && kept < MOST_MESSAGES; index++) {
            jack_message one;
            if (!self->jack.midi_event_get(&one, midi, index))
                self->messages[kept++] = (tnca_midi){one.time, (uint32_t)one.size, one.buffer};
        }
        tnca_client_process(self->client, self->messages, kept, left, right, num_frames,
                            atomic_load(&self->is_offline));
    }
    atomic_store(&self->is_inside, false);
    return 0;
}

/* Follow the server to another period. Not on the audio thread, which is kept out meanwhile. */
static int follow(jack_frames num_frames, void *context) {
    tnca_jack *self = context;
    if (num_frames == self->period) /* JACK says so once at the beginning */
        return 0;
    self->period = num_frames;
    atomic_store(&self->is_held, true);
    while (atomic_load(&self->is_inside))
        nanosleep(&(struct timespec){0, 100000}, NULL);
    int result = tnca_client_activate(self->client, self->jack.get_sample_rate(self->server), num_frames, 0);
    atomic_store(&self->is_held, result != 0);
    return result;
}

static void freewheel(int is_on, void *context) {
    tnca_jack *self = context;
    atomic_store(&self->is_offline, is_on != 0);
}

/* Tell the latency: from the MIDI input to the audio outputs. */
static void tell_latency(int is_playback, void *context) {
    tnca_jack *self = context;
    jack_latency range = {0, 0};
    jack_frames own = tnca_client_latency(self->client);
    for (int channel = 0; channel < (is_playback ? 2 : 1); channel++) {
        jack_latency one;
        self->jack.port_get_latency_range(is_playback ? self->audio[channel] : self->midi, is_playback, &one);
        range.min = channel && range.min < one.min ? range.min : one.min;
        range.max = one.max > range.max ? one.max : range.max;
    }
    range.min += own;
    range.max += own;
    for (int channel = 0; channel < (is_playback ? 1 : 2); channel++)
        self->jack.port_set_latency_range(is_playback ? self->midi : self->audio[channel], is_playback, &range);
}

static void be_gone(void *context) {
    tnca_jack *self = context;
    atomic_store(&self->is_gone, true);
}

EXPORTED void tnca_jack_close(tnca_jack *self) {
    if (self->server) {
        self->jack.deactivate(self->server);
        self->jack.client_close(self->server);
    }
    tnca_client_free(self->client);
    free(self);
}

static bool make_ports(tnca_jack *self) {
    self->midi = self->jack.port_register(self->server, "midi_in", MIDI, IS_INPUT, 0);
    self->audio[0] = self->jack.port_register(self->server, "out_left", AUDIO, IS_OUTPUT, 0);
    self->audio[1] = self->jack.port_register(self->server, "out_right", AUDIO, IS_OUTPUT, 0);
    return self->midi && self->audio[0] && self->audio[1];
}

static void set_callbacks(tnca_jack *self) {
    self->jack.set_process_callback(self->server, process, self);
    self->jack.set_buffer_size_callback(self->server, follow, self);
    self->jack.set_freewheel_callback(self->server, freewheel, self);
    self->jack.set_latency_callback(self->server, tell_latency, self);
    self->jack.on_shutdown(self->server, be_gone, self);
}

/* Join the running server. Null, and what the problem is, if that fails. */
EXPORTED tnca_jack *tnca_jack_open(const char *name, char *problem, size_t size) {
    tnca_jack *self = calloc(1, sizeof *self);
    const char *reason = "no memory";
    if (self && (self->client = tnca_client_new())) {
        if (!open_library(self))
            reason = "JACK is missing: on Debian, sudo apt-get install jackd2";
        else if (!(self->server = self->jack.client_open(name, NO_START_SERVER, NULL)))
            reason = "no JACK server runs (start one: jackd, or PipeWire with pipewire-jack)";
        else if (!make_ports(self))
            reason = "the JACK server gives no ports";
        else
            return self;
    }
    snprintf(problem, size, "%s", reason);
    if (self)
        tnca_jack_close(self);
    return NULL;
}

EXPORTED tnca_client *tnca_jack_client(tnca_jack *self) { return self->client; }

EXPORTED int tnca_jack_is_gone(tnca_jack *self) { return atomic_load(&self->is_gone); }

/* Begin to play; connect the outputs to the first two physical ones if wished. Returns 0, or -1. */
EXPORTED int tnca_jack_start(tnca_jack *self, int is_connected) {
    jack_frames rate = self->jack.get_sample_rate(self->server), period = self->jack.get_buffer_size(self->server);
    self->period = period;
    if (tnca_client_activate(self->client, rate, period, WAIT_MS))
        return -1;
    set_callbacks(self);
    if (self->jack.activate(self->server))
        return -1;
    const char **ports = is_connected ? self->jack.get_ports(self->server, NULL, AUDIO, IS_INPUT | IS_PHYSICAL) : NULL;
    for (int channel = 0; ports && channel < 2 && ports[channel]; channel++)
        self->jack.connect(self->server, self->jack.port_name(self->audio[channel]), ports[channel]);
    if (ports)
        self->jack.free(ports);
    return 0;
}

/* Connect every MIDI output whose name has `part` in it to the input; return how many. */
EXPORTED int tnca_jack_connect_midi(tnca_jack *self, const char *part) {
    const char **ports = self->jack.get_ports(self->server, NULL, MIDI, IS_OUTPUT);
    int count = 0;
    for (int index = 0; ports && ports[index]; index++)
        if (strstr(ports[index], part))
            count += !self->jack.connect(self->server, ports[index], self->jack.port_name(self->midi));
    if (ports)
        self->jack.free(ports);
    return count;
}

EXPORTED void tnca_jack_status(tnca_jack *self, tnca_status *status) { tnca_client_status(self->client, status); }

EXPORTED int tnca_jack_set(tnca_jack *self, const char *symbol, const char *text) {
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++) {
        float value;
        if (strcmp(symbol, tnca_parameters[index].symbol))
            continue;
        if (tnca_client_parameter_value(self->client, index, text, &value))
            return -1;
        tnca_client_set_parameter(self->client, index, value);
        return 0;
    }
    return -1;
}
