/* The client's side of a link: its shared memory, the ring of events, the ring of sound. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FADE_FRAMES = 32, SLICE_MS = 2 };

static const float LOUDEST = 16.0f; /* what is beyond is damage */

#define LOAD(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

static uint32_t power_of_two(uint64_t least) {
    uint32_t size = 1;
    while (size < least)
        size <<= 1;
    return size;
}

static int make_memory(size_t size) {
    int memory = memfd_create("tnca-synth link", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory < 0)
        return -1;
    if (ftruncate(memory, (off_t)size) || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        close(memory);
        return -1;
    }
    return memory;
}

tnca_line *tnca_line_new(tnca_bell *bell, uint32_t sample_rate, uint32_t max_block, uint32_t latency,
                         uint32_t max_voices, uint64_t seed) {
    tnca_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->latency = latency;
    line->look_ahead = TNCA_LOOK_AHEAD(sample_rate);
    line->event_bytes = TNCA_EVENT_BYTES;
    line->audio_frames = power_of_two(4ull * (line->latency + max_block));
    line->size = TNCA_LINK_SIZE(line->event_bytes, line->audio_frames);
    line->memory = make_memory(line->size);
    line->reply = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    void *place = line->memory < 0 || line->reply < 0
                      ? MAP_FAILED
                      : mmap(NULL, line->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, line->memory, 0);
    if (place == MAP_FAILED) {
        if (line->memory >= 0)
            close(line->memory);
        if (line->reply >= 0)
            close(line->reply);
        free(line);
        return NULL;
    }
    line->shared = place;
    line->events = (uint8_t *)place + TNCA_LINK_HEADER;
    line->audio[0] = (float *)(void *)(line->events + line->event_bytes);
    line->audio[1] = line->audio[0] + line->audio_frames;
    line->bell = bell;
    bell->holders++;
    *line->shared = (tnca_link){.magic = TNCA_MAGIC,
                                .protocol = TNCA_PROTOCOL,
                                .size = line->size,
                                .sample_rate = sample_rate,
                                .max_block = max_block,
                                .latency = line->latency,
                                .event_bytes = line->event_bytes,
                                .audio_frames = line->audio_frames,
                                .max_voices = max_voices,
                                .seed = seed};
    return line;
}

void tnca_bell_release(tnca_bell *bell) {
    if (bell && --bell->holders == 0) {
        munmap(bell->page, sizeof *bell->page);
        close(bell->descriptor);
        free(bell);
    }
}

void tnca_line_free(tnca_line *line) {
    if (!line)
        return;
    munmap(line->shared, line->size);
    close(line->memory);
    close(line->reply);
    tnca_bell_release(line->bell);
    free(line);
}

static void copy_in(tnca_line *line, uint64_t at, const void *data, uint32_t size) {
    if (!size)
        return;
    uint32_t index = (uint32_t)(at & (line->event_bytes - 1)), head = line->event_bytes - index;
    if (head > size)
        head = size;
    memcpy(line->events + index, data, head);
    memcpy(line->events, (const uint8_t *)data + head, size - head);
}

bool tnca_line_append(tnca_line *line, uint64_t frame, uint16_t kind, const void *data, uint32_t size) {
    static const uint8_t zeros[8] = {0};
    uint32_t padding = (8u - (size & 7u)) & 7u;
    uint64_t needed = sizeof(tnca_event) + size + padding, read = LOAD(line->shared->events_read);
    if (read > line->written || line->written - read + needed > line->event_bytes) {
        line->has_overflowed = true;
        return false;
    }
    tnca_event head = {frame, line->sequence++, kind, (uint16_t)size};
    copy_in(line, line->written, &head, sizeof head);
    copy_in(line, line->written + sizeof head, data, size);
    copy_in(line, line->written + sizeof head + size, zeros, padding);
    line->written += needed;
    return true;
}

bool tnca_line_is_idle(const tnca_line *line) { return LOAD(line->shared->idle_at) == line->written + 1; }

void tnca_line_stay_silent(tnca_line *line, uint64_t told) {
    line->silent_to = told > line->look_ahead ? told - line->look_ahead : 0;
}

void tnca_line_publish(tnca_line *line, uint64_t known) {
    STORE(line->shared->events_written, line->written);
    STORE(line->shared->frames_known, known);
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t *asleep = &line->bell->page->asleep;
    if (LOAD(*asleep) == 1 && __atomic_exchange_n(asleep, 0, __ATOMIC_SEQ_CST) == 1) {
        uint64_t one = 1;
        ssize_t written = write(line->bell->descriptor, &one, sizeof one); /* never blocks; full means rung already */
        (void)written;
    }
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

bool tnca_line_wait(tnca_line *line, uint64_t until, int limit_ms) {
    if (LOAD(line->shared->rendered_to) >= until)
        return true;
    int64_t end_ms = now_ms() + limit_ms;
    STORE(line->shared->waiting, 1);
    atomic_thread_fence(memory_order_seq_cst);
    while (LOAD(line->shared->rendered_to) < until && !atomic_load(&line->is_dead) && now_ms() < end_ms) {
        struct pollfd reply = {line->reply, POLLIN, 0};
        uint64_t count;
        if (poll(&reply, 1, SLICE_MS) > 0 && read(line->reply, &count, sizeof count) < 0 && errno != EAGAIN)
            break;
    }
    STORE(line->shared->waiting, 0);
    return LOAD(line->shared->rendered_to) >= until;
}

static float sound(float value) { return value > -LOUDEST && value < LOUDEST ? value : 0.0f; }

static void fade(float *samples, uint32_t count, bool rises) {
    for (uint32_t index = 0; index < count; index++)
        samples[index] *= (float)(rises ? index + 1 : count - index) / (float)(count + 1);
}

/* Put frames [first, first + count) of the ring into `out`. */
static void copy_out(const tnca_line *line, int channel, uint64_t first, uint32_t count, float *out) {
    for (uint32_t index = 0; index < count; index++)
        out[index] = sound(line->audio[channel][(first + index) & (line->audio_frames - 1)]);
}

static uint32_t frames_before(uint64_t end, uint64_t first, uint32_t most) {
    return end <= first ? 0 : end - first < most ? (uint32_t)(end - first) : most;
}

bool tnca_line_read(tnca_line *line, int64_t from, float *left, float *right, uint32_t count) {
    uint64_t ready_to = LOAD(line->shared->rendered_to);
    uint32_t early = from < 0 ? (uint32_t)(-from < (int64_t)count ? -from : count) : 0;
    uint64_t first = (uint64_t)(from + early);
    uint32_t wanted = count - early, ready = frames_before(ready_to, first, wanted);
    bool is_late = ready < wanted && frames_before(line->silent_to, first, wanted) < wanted;
    float *outputs[] = {left, right};
    for (int channel = 0; channel < 2; channel++) {
        float *out = outputs[channel];
        memset(out, 0, early * sizeof *out);
        copy_out(line, channel, first, ready, out + early);
        memset(out + early + ready, 0, (wanted - ready) * sizeof *out);
        uint32_t length = ready < FADE_FRAMES ? ready : FADE_FRAMES;
        if (line->was_late)
            fade(out + early, length, true);
        if (is_late)
            fade(out + early + ready - length, length, false);
    }
    if (wanted)
        line->was_late = is_late;
    return !is_late;
}
