/* A host for one CLAP plugin without audio, for tests: reads commands on stdin, answers on stdout.
 *
 *   open PATH                        "ok ID|NAME|PARAMETERS"
 *   parameter INDEX                  "ok ID|FLAGS|MIN|MAX|DEFAULT|NAME"
 *   offline 0|1                      "ok"
 *   activate RATE BLOCK              "ok LATENCY"
 *   deactivate, reset                "ok"
 *   midi FRAME HEX                   (no answer: an event of the next block; more than 3 bytes are a system exclusive)
 *   note FRAME on|off|choke CHANNEL KEY VELOCITY
 *   set FRAME ID VALUE
 *   transport PLAYING SECONDS
 *   process FRAMES                   "ok CONSTANT_MASK", a newline, then left and right as float32
 *   value ID                         "ok VALUE"
 *   text ID VALUE                    "ok TEXT"
 *   number ID TEXT                   "ok VALUE"
 *   output ID                        "ok VALUE": what the plugin last told by itself; nan if nothing
 *   save                             "ok HEX"
 *   load HEX                         "ok 0|1"
 *   flush                            "ok": parameters that were set, without a block
 *   time BLOCKS FRAMES               "ok MEAN P99 MAX ALLOCATIONS LOCKS": processor time of live blocks in microseconds,
 *                                    and, where compiled with -DWATCHED, what their thread allocated, freed and locked
 *   close                            "ok"
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clap/entry.h"
#include "clap/ext/latency.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/plugin-factory.h"

enum { MOST_EVENTS = 8192, MOST_BYTES = 1 << 20, LINE = 1 << 20, MOST_OUTPUTS = 256 };

typedef union {
    clap_event_header_t header;
    clap_event_note_t note;
    clap_event_midi_t midi;
    clap_event_midi_sysex_t sysex;
    clap_event_param_value_t value;
} event_t;

typedef struct {
    bool (*has_hard_realtime_requirement)(const clap_plugin_t *plugin);
    bool (*set)(const clap_plugin_t *plugin, int32_t mode);
} render_t;

static void *library;
static const clap_plugin_entry_t *entry;
static const clap_plugin_t *plugin;
static event_t events[MOST_EVENTS];
static uint32_t num_events;
static uint8_t bytes[MOST_BYTES];
static size_t num_bytes, read_at;
static double outputs[MOST_OUTPUTS];
static clap_event_transport_t transport;
static bool has_transport;
static double rate;

static uint32_t event_count(const clap_input_events_t *list) { return list->ctx ? num_events : 0; }
static const clap_event_header_t *event_at(const clap_input_events_t *list, uint32_t index) {
    (void)list;
    return &events[index].header;
}
static bool take_output(const clap_output_events_t *list, const clap_event_header_t *event) {
    (void)list;
    const clap_event_param_value_t *value = (const void *)event;
    if (event->type == CLAP_EVENT_PARAM_VALUE && value->param_id < MOST_OUTPUTS)
        outputs[value->param_id] = value->value;
    return true;
}
static int64_t write_state(const clap_ostream_t *stream, const void *data, uint64_t size) {
    (void)stream;
    if (size > 100) size = 100; /* streams may take less than they are given */
    if (num_bytes + size > MOST_BYTES) return -1;
    memcpy(bytes + num_bytes, data, size);
    num_bytes += size;
    return (int64_t)size;
}
static int64_t read_state(const clap_istream_t *stream, void *data, uint64_t size) {
    (void)stream;
    if (size > 100) size = 100;
    if (size > num_bytes - read_at) size = num_bytes - read_at;
    memcpy(data, bytes + read_at, size);
    read_at += size;
    return (int64_t)size;
}

static const void *host_extension(const clap_host_t *host, const char *id) {
    (void)host;
    (void)id;
    return NULL;
}
static void host_nothing(const clap_host_t *host) { (void)host; }
static const clap_host_t host = {CLAP_VERSION_INIT, NULL, "test host", "tnca-synth", "", "1",
                                 host_extension,    host_nothing, host_nothing, host_nothing};

static __thread int is_watched;
static unsigned long allocations, locks;

#ifdef WATCHED /* these stand before those of the C library, for the plugin too */
#include <pthread.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
void *malloc(size_t size) {
    allocations += (unsigned long)is_watched;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    allocations += (unsigned long)is_watched;
    return __libc_calloc(count, size);
}
void *realloc(void *place, size_t size) {
    allocations += (unsigned long)is_watched;
    return __libc_realloc(place, size);
}
void free(void *place) {
    allocations += (unsigned long)is_watched;
    __libc_free(place);
}
int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static int (*real)(pthread_mutex_t *);
    if (!real) real = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock");
    locks += (unsigned long)is_watched;
    return real(mutex);
}
#endif

static const clap_plugin_params_t *params(void) { return plugin->get_extension(plugin, CLAP_EXT_PARAMS); }

static event_t *new_event(uint32_t frame, uint16_t type, uint32_t size) {
    event_t *event = &events[num_events < MOST_EVENTS - 1 ? num_events++ : num_events];
    memset(event, 0, sizeof *event);
    event->header.size = size;
    event->header.time = frame;
    event->header.space_id = CLAP_CORE_EVENT_SPACE_ID;
    event->header.type = type;
    return event;
}

static size_t from_hex(const char *text, uint8_t *data) {
    size_t count = 0;
    unsigned value;
    for (; sscanf(text, "%2x", &value) == 1; text += 2) data[count++] = (uint8_t)value;
    return count;
}

static void add_midi(uint32_t frame, const char *hex) {
    uint8_t *data = bytes + num_bytes;
    size_t size = from_hex(hex, data);
    if (size <= 3) {
        event_t *event = new_event(frame, CLAP_EVENT_MIDI, sizeof event->midi);
        memcpy(event->midi.data, data, size);
    } else {
        event_t *event = new_event(frame, CLAP_EVENT_MIDI_SYSEX, sizeof event->sysex);
        event->sysex.buffer = data;
        event->sysex.size = (uint32_t)size;
        num_bytes += size;
    }
}

static void add_note(uint32_t frame, const char *kind, int channel, int key, double velocity) {
    uint16_t type = !strcmp(kind, "on") ? CLAP_EVENT_NOTE_ON : !strcmp(kind, "off") ? CLAP_EVENT_NOTE_OFF : CLAP_EVENT_NOTE_CHOKE;
    event_t *event = new_event(frame, type, sizeof event->note);
    event->note.note_id = -1;
    event->note.channel = (int16_t)channel;
    event->note.key = (int16_t)key;
    event->note.velocity = velocity;
}

static void add_value(uint32_t frame, uint32_t id, double value) {
    event_t *event = new_event(frame, CLAP_EVENT_PARAM_VALUE, sizeof event->value);
    event->value.param_id = id;
    event->value.note_id = event->value.port_index = event->value.channel = event->value.key = -1;
    event->value.value = value;
}

static void process(uint32_t num_frames) {
    float *left = malloc((num_frames + 1) * sizeof *left), *right = malloc((num_frames + 1) * sizeof *right);
    for (uint32_t i = 0; i < num_frames; i++) left[i] = right[i] = 99.0f; /* the plugin must write all of them */
    float *channels[2] = {left, right};
    clap_audio_buffer_t output = {channels, NULL, 2, 0, 0};
    clap_input_events_t in = {events, event_count, event_at};
    clap_output_events_t out = {NULL, take_output};
    clap_process_t block = {-1, num_frames, has_transport ? &transport : NULL, NULL, &output, 0, 1, &in, &out};
    plugin->process(plugin, &block);
    num_events = 0;
    num_bytes = 0;
    if (has_transport && (transport.flags & CLAP_TRANSPORT_IS_PLAYING))
        transport.song_pos_seconds += (clap_sectime)llround(num_frames / rate * CLAP_SECTIME_FACTOR);
    printf("ok %u\n", (unsigned)output.constant_mask);
    fwrite(left, sizeof *left, num_frames, stdout);
    fwrite(right, sizeof *right, num_frames, stdout);
    free(left);
    free(right);
}

static double now_us(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return 1e6 * (double)time.tv_sec + 1e-3 * (double)time.tv_nsec;
}
static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Blocks at the pace of a sound card; what was played before goes into the first. */
static void time_blocks(uint32_t count, uint32_t num_frames) {
    float *left = malloc(num_frames * sizeof *left), *right = malloc(num_frames * sizeof *right);
    double *times = malloc(count * sizeof *times), sum = 0, due = now_us(CLOCK_MONOTONIC);
    float *channels[2] = {left, right};
    allocations = locks = 0;
    for (uint32_t i = 0; i < count; i++) {
        clap_audio_buffer_t output = {channels, NULL, 2, 0, 0};
        clap_input_events_t in = {events, event_count, event_at};
        clap_output_events_t out = {NULL, take_output};
        clap_process_t block = {-1, num_frames, NULL, NULL, &output, 0, 1, &in, &out};
        double began = now_us(CLOCK_THREAD_CPUTIME_ID);
        is_watched = 1;
        plugin->process(plugin, &block);
        is_watched = 0;
        sum += times[i] = now_us(CLOCK_THREAD_CPUTIME_ID) - began;
        num_events = 0;
        due += 1e6 * num_frames / rate;
        double left_us = due - now_us(CLOCK_MONOTONIC);
        if (left_us > 0) {
            struct timespec nap = {(time_t)(left_us / 1e6), (long)(1e3 * (left_us - 1e6 * (double)(time_t)(left_us / 1e6)))};
            nanosleep(&nap, NULL);
        }
    }
    num_bytes = 0;
    qsort(times, count, sizeof *times, compare);
    printf("ok %.2f %.2f %.2f %lu %lu\n", sum / count, times[count * 99 / 100], times[count - 1], allocations, locks);
    free(left);
    free(right);
    free(times);
}

static void flush_parameters(void) {
    clap_input_events_t in = {events, event_count, event_at};
    clap_output_events_t out = {NULL, take_output};
    params()->flush(plugin, &in, &out);
    num_events = 0;
    puts("ok");
}

static int open_plugin(const char *path) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        printf("error %s\n", dlerror());
        return 1;
    }
    entry = dlsym(library, "clap_entry");
    if (!entry || !entry->init(path)) {
        puts("error no entry");
        return 1;
    }
    const clap_plugin_factory_t *factory = entry->get_factory(CLAP_PLUGIN_FACTORY_ID);
    const clap_plugin_descriptor_t *description = factory->get_plugin_descriptor(factory, 0);
    plugin = factory->create_plugin(factory, &host, description->id);
    if (!plugin || !plugin->init(plugin)) {
        puts("error no plugin");
        return 1;
    }
    for (int i = 0; i < MOST_OUTPUTS; i++) outputs[i] = NAN;
    printf("ok %s|%s|%u\n", description->id, description->name, params()->count(plugin));
    return 0;
}

static void tell_parameter(uint32_t index) {
    clap_param_info_t info;
    if (params()->get_info(plugin, index, &info))
        printf("ok %u|%u|%.9g|%.9g|%.9g|%s\n", info.id, info.flags, info.min_value, info.max_value, info.default_value, info.name);
    else
        puts("error no such parameter");
}

static void save_state(void) {
    const clap_plugin_state_t *state = plugin->get_extension(plugin, CLAP_EXT_STATE);
    clap_ostream_t stream = {NULL, write_state};
    num_bytes = 0;
    if (!state->save(plugin, &stream)) num_bytes = 0;
    fputs("ok ", stdout);
    for (size_t i = 0; i < num_bytes; i++) printf("%02x", bytes[i]);
    num_bytes = 0;
    puts("");
}

static void load_state(const char *hex) {
    const clap_plugin_state_t *state = plugin->get_extension(plugin, CLAP_EXT_STATE);
    clap_istream_t stream = {NULL, read_state};
    num_bytes = from_hex(hex, bytes);
    read_at = 0;
    printf("ok %d\n", state->load(plugin, &stream));
    num_bytes = 0;
}

static void obey(char *line) {
    static char word[LINE];
    unsigned a = 0, b = 0;
    int c = 0, d = 0;
    double x = 0;
    if (sscanf(line, "parameter %u", &a) == 1)
        tell_parameter(a);
    else if (sscanf(line, "offline %u", &a) == 1) {
        const render_t *render = plugin->get_extension(plugin, "clap.render");
        printf("ok %d\n", render && render->set(plugin, (int32_t)a));
    } else if (sscanf(line, "activate %lf %u", &rate, &b) == 2) {
        const clap_plugin_latency_t *latency = plugin->get_extension(plugin, CLAP_EXT_LATENCY);
        plugin->activate(plugin, rate, 1, b);
        plugin->start_processing(plugin);
        printf("ok %u\n", latency->get(plugin));
    } else if (!strcmp(line, "deactivate")) {
        plugin->stop_processing(plugin);
        plugin->deactivate(plugin);
        puts("ok");
    } else if (!strcmp(line, "reset")) {
        plugin->reset(plugin);
        puts("ok");
    } else if (sscanf(line, "midi %u %s", &a, word) == 2)
        add_midi(a, word);
    else if (sscanf(line, "note %u %s %d %d %lf", &a, word, &c, &d, &x) == 5)
        add_note(a, word, c, d, x);
    else if (sscanf(line, "set %u %u %lf", &a, &b, &x) == 3)
        add_value(a, b, x);
    else if (sscanf(line, "transport %u %lf", &a, &x) == 2) {
        has_transport = true;
        transport.header.type = CLAP_EVENT_TRANSPORT;
        transport.flags = CLAP_TRANSPORT_HAS_SECONDS_TIMELINE | (a ? CLAP_TRANSPORT_IS_PLAYING : 0u);
        transport.song_pos_seconds = (clap_sectime)llround(x * CLAP_SECTIME_FACTOR);
    } else if (sscanf(line, "time %u %u", &a, &b) == 2)
        time_blocks(a, b);
    else if (sscanf(line, "process %u", &a) == 1)
        process(a);
    else if (sscanf(line, "value %u", &a) == 1) {
        x = NAN;
        params()->get_value(plugin, a, &x);
        printf("ok %.9g\n", x);
    } else if (sscanf(line, "text %u %lf", &a, &x) == 2) {
        char text[256] = "";
        params()->value_to_text(plugin, a, x, text, sizeof text);
        printf("ok %s\n", text);
    } else if (sscanf(line, "number %u %[^\n]", &a, word) == 2) {
        x = NAN;
        params()->text_to_value(plugin, a, word, &x);
        printf("ok %.9g\n", x);
    } else if (sscanf(line, "output %u", &a) == 1)
        printf("ok %.9g\n", a < MOST_OUTPUTS ? outputs[a] : NAN);
    else if (!strcmp(line, "save"))
        save_state();
    else if (!strncmp(line, "load ", 5))
        load_state(line + 5);
    else if (!strcmp(line, "flush"))
        flush_parameters();
    else
        printf("error unknown command %s\n", line);
}

int main(void) {
    static char line[2 * LINE];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!strcmp(line, "close")) break;
        if (!strncmp(line, "open ", 5)) {
            if (open_plugin(line + 5)) return 1;
        } else
            obey(line);
        fflush(stdout);
    }
    if (plugin) plugin->destroy(plugin);
    if (entry) entry->deinit();
    if (library) dlclose(library);
    puts("ok");
    return 0;
}
