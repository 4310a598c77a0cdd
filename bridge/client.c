/* The client's functions, and what its audio thread does; see client.h. */
#include "internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { OFFLINE_LIMIT_MS = 60000, NAP_US = 500 };

static const uint32_t LOWEST_RATE = 8000, HIGHEST_RATE = 192000, MOST_VOICES = 1024, USUAL_VOICES = 64;

float tnca_bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t tnca_float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t initial_bits(uint32_t index) { return tnca_float_to_bits(tnca_parameters[index].initial); }

tnca_client *tnca_client_new(void) {
    tnca_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++)
        atomic_store(&client->values[index], initial_bits(index));
    tnca_memory_clear(&client->memory);
    client->wishes.max_voices = USUAL_VOICES;
    client->nudge = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const char *always = getenv("TNCA_BRIDGE_OFFLINE");
    atomic_store(&client->always_offline, always && !strcmp(always, "1"));
    const char *extra = getenv("TNCA_BRIDGE_EXTRA_FRAMES");
    long frames = extra ? strtol(extra, NULL, 10) : 0;
    client->extra = frames < 0 ? 0 : frames > (long)TNCA_MAX_EXTRA ? TNCA_MAX_EXTRA : (uint32_t)frames;
    return client;
}

void tnca_client_free(tnca_client *client) {
    if (!client)
        return;
    tnca_client_deactivate(client);
    if (client->has_worker) {
        pthread_mutex_lock(&client->lock);
        client->wishes.quits = true;
        pthread_mutex_unlock(&client->lock);
        tnca_worker_nudge(client);
        pthread_join(client->worker, NULL);
    }
    if (client->nudge >= 0)
        close(client->nudge);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client->instruments);
    free(client->unknown);
    free(client);
}

void tnca_client_configure(tnca_client *client, uint32_t max_voices, uint64_t seed) {
    pthread_mutex_lock(&client->lock);
    client->wishes.max_voices = max_voices < 1 ? 1 : max_voices > MOST_VOICES ? MOST_VOICES : max_voices;
    client->wishes.seed = seed & INT64_MAX;
    pthread_mutex_unlock(&client->lock);
}

static void start_worker(tnca_client *client) {
    if (client->has_worker)
        return;
    if (client->nudge >= 0 && pthread_create(&client->worker, NULL, tnca_worker_run, client) == 0)
        client->has_worker = true;
    else
        tnca_set_state(client, TNCA_FAILED, "this process can start no thread");
}

/* Forget the link; its sound ends. The host does not process meanwhile. */
static void drop_lines(tnca_client *client) {
    tnca_line *offered = atomic_exchange(&client->offered, NULL);
    if (offered)
        tnca_retire(client, offered);
    if (client->line)
        tnca_retire(client, client->line);
    client->line = NULL;
}

static struct timespec moment_in(uint32_t wait_ms) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += wait_ms / 1000;
    end.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    return end;
}

int tnca_client_activate(tnca_client *client, uint32_t sample_rate, uint32_t max_block, uint32_t wait_ms) {
    if (sample_rate < LOWEST_RATE || sample_rate > HIGHEST_RATE || max_block < 1 || max_block > TNCA_MAX_BLOCK)
        return -1;
    drop_lines(client);
    uint32_t latency = TNCA_LATENCY(sample_rate, max_block) + client->extra;
    atomic_store(&client->latency, latency);
    atomic_store(&client->late_blocks, 0);
    atomic_store(&client->dropped, 0);
    atomic_store(&client->restarts, 0);
    client->patience_ms = OFFLINE_LIMIT_MS;
    pthread_mutex_lock(&client->lock);
    tnca_wishes *wishes = &client->wishes;
    wishes->sample_rate = sample_rate;
    wishes->max_block = max_block;
    wishes->latency = latency;
    wishes->is_active = wishes->is_used = true;
    wishes->generation++;
    pthread_mutex_unlock(&client->lock);
    tnca_set_state(client, TNCA_STARTING, "");
    start_worker(client);
    tnca_worker_nudge(client);
    struct timespec end = moment_in(wait_ms);
    pthread_mutex_lock(&client->lock);
    while (wait_ms && client->ready_generation != wishes->generation && atomic_load(&client->state) == TNCA_STARTING)
        if (pthread_cond_timedwait(&client->changed, &client->lock, &end))
            break;
    pthread_mutex_unlock(&client->lock);
    return 0;
}

void tnca_client_deactivate(tnca_client *client) {
    pthread_mutex_lock(&client->lock);
    client->wishes.is_active = false;
    pthread_mutex_unlock(&client->lock);
    drop_lines(client);
    atomic_store(&client->releases, false);
    tnca_set_state(client, TNCA_INACTIVE, "");
    tnca_worker_nudge(client);
}

uint32_t tnca_client_latency(const tnca_client *client) { return atomic_load(&client->latency); }

/* ---- audio thread -------------------------------------------------------------------------------------------------- */

static void forget_sent(tnca_client *client) {
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++)
        client->sent[index] = initial_bits(index);
}

static bool take_message(void *context, const uint8_t *data, uint32_t size) {
    tnca_line *line = context;
    return tnca_line_append(line, line->frame, TNCA_EVENT_MIDI, data, size);
}

/* Take a link that the worker has made ready, and leave one whose engine is gone. Return whether it is a new one. */
static bool change_line(tnca_client *client) {
    tnca_line *offered =
        atomic_load_explicit(&client->offered, memory_order_relaxed) ? atomic_exchange(&client->offered, NULL) : NULL;
    if (client->line && (offered || atomic_load(&client->line->is_dead))) {
        tnca_retire(client, client->line);
        client->line = NULL;
    }
    if (offered)
        client->line = offered;
    return offered != NULL;
}

/* Offline: wait for a link while one is on its way. Return whether it is a new one. */
static bool await_line(tnca_client *client) {
    bool is_new = change_line(client);
    const struct timespec nap = {0, NAP_US * 1000};
    int64_t spent_us = 0;
    while (!client->line && client->patience_ms * 1000ll > spent_us) {
        uint32_t state = atomic_load(&client->state);
        if (state != TNCA_STARTING && state != TNCA_RUNNING && state != TNCA_NOT_ANSWERING &&
            state != TNCA_OVERLOADED)
            break;
        nanosleep(&nap, NULL);
        spent_us += NAP_US;
        is_new = change_line(client) || is_new;
    }
    client->patience_ms -= (int)(spent_us / 1000);
    return is_new;
}

static void send_parameters(tnca_client *client) {
    for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; index++) {
        uint32_t bits = atomic_load_explicit(&client->values[index], memory_order_relaxed);
        if (bits == client->sent[index])
            continue;
        tnca_parameter_event event = {index, tnca_bits_to_float(bits)};
        if (tnca_line_append(client->line, client->line->frame, TNCA_EVENT_PARAMETER, &event, sizeof event))
            client->sent[index] = bits;
    }
}

static void tell_all_again(tnca_client *client) {
    forget_sent(client);
    send_parameters(client);
    tnca_memory_replay(&client->memory, take_message, client->line);
}

static void begin_block(tnca_client *client, bool is_new) {
    tnca_line *line = client->line;
    bool rewinds = atomic_exchange(&client->rewinds, false), begins_anew = atomic_exchange(&client->begins_anew, false);
    if (begins_anew)
        tnca_memory_clear(&client->memory);
    if (begins_anew || rewinds) {
        if (!is_new)
            tnca_line_append(line, line->frame, TNCA_EVENT_RESTART, NULL, 0);
        is_new = true;
    }
    if (atomic_exchange(&client->releases, false)) {
        tnca_memory_release(&client->memory);
        tnca_line_append(line, line->frame, TNCA_EVENT_RELEASE, NULL, 0);
    }
    if (is_new)
        tell_all_again(client);
    else if (line->has_overflowed) { /* what was lost may have been the end of a note */
        line->has_overflowed = false;
        if (tnca_line_append(line, line->frame, TNCA_EVENT_RELEASE, NULL, 0))
            tell_all_again(client);
    } else
        send_parameters(client);
}

static void follow_messages(tnca_client *client, const tnca_midi *messages, uint32_t count, uint32_t num_frames) {
    uint32_t least = 0, last = num_frames ? num_frames - 1 : 0;
    for (uint32_t index = 0; index < count; index++) {
        const tnca_midi *one = &messages[index];
        uint32_t frame = one->frame > last ? last : one->frame;
        least = frame > least ? frame : least;
        bool fits = one->size >= 1 && one->size <= TNCA_MAX_MESSAGE && one->data[0] >= 0x80;
        if (fits)
            tnca_memory_follow(&client->memory, one->data, one->size);
        bool is_told = fits && (!client->line || tnca_line_append(client->line, client->line->frame + least,
                                                                  TNCA_EVENT_MIDI, one->data, one->size));
        if (!is_told)
            atomic_fetch_add_explicit(&client->dropped, 1, memory_order_relaxed);
    }
}

static void measure_peak(tnca_client *client, int channel, const float *samples, uint32_t count) {
    float peak = 0.0f;
    for (uint32_t index = 0; index < count; index++)
        peak = fabsf(samples[index]) > peak ? fabsf(samples[index]) : peak;
    atomic_store_explicit(&client->peaks[channel], tnca_float_to_bits(peak), memory_order_relaxed);
}

void tnca_client_process(tnca_client *client, const tnca_midi *messages, uint32_t num_messages, float *left,
                         float *right, uint32_t num_frames, int offline) {
    bool waits = offline || atomic_load_explicit(&client->always_offline, memory_order_relaxed);
    bool is_new = waits ? await_line(client) : change_line(client);
    tnca_line *line = client->line;
    if (!line) {
        if (atomic_exchange(&client->begins_anew, false))
            tnca_memory_clear(&client->memory);
        if (atomic_exchange(&client->releases, false))
            tnca_memory_release(&client->memory);
        atomic_store(&client->rewinds, false); /* time begins with the next engine */
        follow_messages(client, messages, num_messages, num_frames);
        memset(left, 0, num_frames * sizeof *left);
        memset(right, 0, num_frames * sizeof *right);
        measure_peak(client, 0, left, 0);
        measure_peak(client, 1, right, 0);
        return;
    }
    bool was_idle = !waits && tnca_line_is_idle(line);
    uint64_t told = line->written;
    begin_block(client, is_new);
    follow_messages(client, messages, num_messages, num_frames);
    bool is_quiet = was_idle && line->written == told;
    if (was_idle)
        tnca_line_stay_silent(line, line->frame + (is_quiet ? num_frames : 0));
    int64_t from = (int64_t)line->frame - line->latency;
    line->frame += num_frames;
    __atomic_store_n(&line->shared->offline, waits, __ATOMIC_RELEASE);
    if (!is_quiet)
        tnca_line_publish(line, line->frame);
    if (waits && from + (int64_t)num_frames > 0)
        tnca_line_wait(line, (uint64_t)(from + num_frames), OFFLINE_LIMIT_MS);
    if (!tnca_line_read(line, from, left, right, num_frames))
        atomic_fetch_add_explicit(&client->late_blocks, 1, memory_order_relaxed);
    bool is_silent = is_quiet && from >= 0 && (uint64_t)from >= __atomic_load_n(&line->shared->rendered_to, __ATOMIC_ACQUIRE);
    measure_peak(client, 0, left, is_silent ? 0 : num_frames);
    measure_peak(client, 1, right, is_silent ? 0 : num_frames);
}

void tnca_client_release(tnca_client *client) { atomic_store(&client->releases, true); }

void tnca_client_restart(tnca_client *client) { atomic_store(&client->begins_anew, true); }

void tnca_client_rewind(tnca_client *client) { atomic_store(&client->rewinds, true); }

void tnca_client_meters(const tnca_client *client, tnca_meters *meters) {
    const tnca_link *shared = client->line ? client->line->shared : NULL;
    meters->state = (tnca_state)atomic_load_explicit(&client->state, memory_order_relaxed);
    meters->voices = shared ? __atomic_load_n(&shared->voices, __ATOMIC_RELAXED) : 0;
    meters->load = 0.0f;
    if (shared)
        __atomic_load(&shared->load, &meters->load, __ATOMIC_RELAXED);
    if (!(meters->load >= 0.0f && meters->load < 1e6f))
        meters->load = 0.0f;
    meters->late_blocks = atomic_load_explicit(&client->late_blocks, memory_order_relaxed);
}

void tnca_client_set_parameter(tnca_client *client, uint32_t index, float value) {
    if (index >= TNCA_NUM_PARAMETERS || !isfinite(value))
        return;
    const tnca_parameter *one = &tnca_parameters[index];
    value = value < one->low ? one->low : value > one->high ? one->high : value;
    if (one->is_whole)
        value = roundf(value);
    atomic_store_explicit(&client->values[index], tnca_float_to_bits(value), memory_order_relaxed);
}

float tnca_client_parameter(const tnca_client *client, uint32_t index) {
    if (index >= TNCA_NUM_PARAMETERS)
        return 0.0f;
    return tnca_bits_to_float(atomic_load_explicit(&client->values[index], memory_order_relaxed));
}
