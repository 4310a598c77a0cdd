/* A host without a plugin framework: one audio thread that lets some clients play, in real time, and measures them.
 *
 * usage: bridge_host INSTANCES VOICES FRAMES SECONDS [chords]
 *
 * Every voice strikes a note each two seconds: one after the other, or all instances a chord at once.
 *
 * It is linked with --wrap for what an audio thread must not call, and counts such calls while a client processes.
 * Prints one line of JSON. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { RATE = 48000, MOST = 64, NOTE_S = 2 };

static _Thread_local int is_audio;
static unsigned forbidden, wakes;

#define WRAP(result, name, parameters, arguments)                                                                     \
    result __real_##name parameters;                                                                                  \
    result __wrap_##name parameters;                                                                                  \
    result __wrap_##name parameters {                                                                                 \
        if (is_audio)                                                                                                 \
            forbidden++;                                                                                              \
        return __real_##name arguments;                                                                               \
    }
struct pollfd;
WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void, free, (void *place), (place))
WRAP(int, pthread_mutex_lock, (pthread_mutex_t * lock), (lock))
WRAP(int, poll, (struct pollfd * ends, unsigned long count, int limit), (ends, count, limit))
WRAP(ssize_t, read, (int file, void *to, size_t size), (file, to, size))
WRAP(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left))

ssize_t __real_write(int file, const void *from, size_t size);
ssize_t __wrap_write(int file, const void *from, size_t size);
ssize_t __wrap_write(int file, const void *from, size_t size) {
    if (is_audio)
        wakes++;
    return __real_write(file, from, size);
}

static double now_s(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 2;
    bool is_chord = argc > 5 && !strcmp(argv[5], "chords");
    int instances = atoi(argv[1]), voices = atoi(argv[2]), frames = atoi(argv[3]), seconds = atoi(argv[4]);
    if (instances < 1 || instances > MOST || voices > 32 || frames < 1 || frames > 8192)
        return 2;
    tnca_client *clients[MOST];
    for (int index = 0; index < instances; index++) {
        clients[index] = tnca_client_new();
        tnca_client_activate(clients[index], RATE, (uint32_t)frames, 30000);
    }
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){20});
    long blocks = (long)seconds * RATE / frames, note_blocks = (long)NOTE_S * RATE / frames;
    size_t count = 0;
    double *walls = calloc((size_t)blocks * (size_t)instances, sizeof *walls);
    float *left = calloc((size_t)frames, sizeof *left), *right = calloc((size_t)frames, sizeof *right);
    double begin_s = now_s(CLOCK_MONOTONIC), peak = 0;
    for (long block = 0; block < blocks; block++) {
        for (int index = 0; index < instances; index++) {
            uint8_t data[64][3];
            tnca_midi midi[64];
            uint32_t messages = 0;
            for (int voice = 0; voice < voices; voice++) {
                long place = is_chord ? 0 : (index * voices + voice) * note_blocks / (instances * voices);
                if ((block + place) % note_blocks)
                    continue;
                for (int on = 0; on < 2; on++) {
                    uint8_t *one = data[messages];
                    one[0] = on ? 0x90 : 0x80;
                    one[1] = (uint8_t)(48 + 3 * voice);
                    one[2] = on ? 90 : 64;
                    midi[messages] = (tnca_midi){0, 3, one};
                    messages++;
                }
            }
            double wall_s = now_s(CLOCK_MONOTONIC);
            is_audio = 1;
            tnca_client_process(clients[index], midi, messages, left, right, (uint32_t)frames, 0);
            is_audio = 0;
            walls[count++] = now_s(CLOCK_MONOTONIC) - wall_s;
            for (int frame = 0; frame < frames; frame++)
                peak = left[frame] > peak ? left[frame] : peak;
        }
        double due_s = begin_s + (double)(block + 1) * frames / RATE;
        struct timespec due = {(time_t)due_s, (long)(1e9 * (due_s - (double)(time_t)due_s))};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    qsort(walls, count, sizeof *walls, by_size);
    unsigned long long late = 0, dropped = 0;
    float load = 0;
    for (int index = 0; index < instances; index++) {
        tnca_status status;
        tnca_client_status(clients[index], &status);
        late += status.late_blocks;
        dropped += status.dropped;
        load = status.load;
    }
    printf("{\"blocks\": %zu, \"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f, "
           "\"period_us\": %.1f, \"late_blocks\": %llu, \"dropped\": %llu, \"load\": %.3f, \"peak\": %.4f, "
           "\"forbidden_calls\": %u, \"wakes\": %u}\n",
           count, 1e6 * walls[count / 2], 1e6 * walls[count * 99 / 100], 1e6 * walls[count - 1],
           1e6 * frames / RATE, late, dropped, load, peak, forbidden, wakes);
    fflush(stdout);
    for (int index = 0; index < instances; index++)
        tnca_client_free(clients[index]);
    free(walls);
    free(left);
    free(right);
    return 0;
}
