/* A host without a plugin framework: one audio thread that lets some clients play, in real time, and measures them.
 *
 * usage: bridge_host INSTANCES VOICES FRAMES SECONDS [watched] [chords]
 *
 * Every voice strikes a note each two seconds: one after the other, or all instances a chord at once.
 *
 * It is linked with --wrap for what an audio thread must not call, and counts such calls while a client processes.
 * If it is watched, a thread on each core sleeps, and reads a little memory each millisecond. Where it wakes up late, or its
 * reading takes many times as long as it mostly does, the machine itself stands still or is slow. Late blocks with such a
 * pause within three periods before them count as the machine's.
 *
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

enum { RATE = 48000, MOST = 64, NOTE_S = 2, MOST_CORES = 64, MOST_PAUSES = 65536, MOST_LATE = 65536 };

enum { READ_WORDS = 16384, MORE_PERIODS = 3 };

static const double NAP_S = 0.001, PAUSE_S = 0.001, SLOW_S = 0.00006;

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

static void sleep_until(double due_s) {
    struct timespec due = {(time_t)due_s, (long)(1e9 * (due_s - (double)(time_t)due_s))};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

typedef struct {
    int core;
    pthread_t thread;
    size_t count;
    double from_s[MOST_PAUSES], to_s[MOST_PAUSES];
} sleeper;

static volatile bool has_ended;

/* Sleep, and note pauses, on one core and before everything else there. */
static void *sleep_lightly(void *context) {
    sleeper *self = context;
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(self->core, &core);
    sched_setaffinity(0, sizeof core, &core);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){30});
    volatile unsigned *words = calloc(READ_WORDS, sizeof *words);
    for (double due_s = now_s(CLOCK_MONOTONIC); !has_ended;) {
        due_s += NAP_S;
        sleep_until(due_s);
        double woke_s = now_s(CLOCK_MONOTONIC);
        for (int index = 0; index < READ_WORDS; index++)
            words[index]++;
        double read_s = now_s(CLOCK_MONOTONIC);
        if ((woke_s - due_s > PAUSE_S || read_s - woke_s > SLOW_S) && self->count < MOST_PAUSES) {
            self->from_s[self->count] = due_s;
            self->to_s[self->count++] = read_s;
        }
        due_s = read_s;
    }
    free((void *)words);
    return NULL;
}

static int start_sleepers(sleeper **sleepers) {
    cpu_set_t cores;
    int count = 0;
    sched_getaffinity(0, sizeof cores, &cores);
    for (int core = 0; core < CPU_SETSIZE && count < MOST_CORES; core++)
        if (CPU_ISSET(core, &cores)) {
            sleepers[count] = calloc(1, sizeof **sleepers);
            sleepers[count]->core = core;
            pthread_create(&sleepers[count]->thread, NULL, sleep_lightly, sleepers[count]);
            count++;
        }
    return count;
}

static bool stood_still(sleeper *const *sleepers, int count, double from_s, double to_s) {
    for (int index = 0; index < count; index++)
        for (size_t pause = 0; pause < sleepers[index]->count; pause++)
            if (sleepers[index]->to_s[pause] > from_s && sleepers[index]->from_s[pause] < to_s)
                return true;
    return false;
}

static unsigned long long late_blocks_of(const tnca_client *client) {
    tnca_meters meters;
    tnca_client_meters(client, &meters);
    return meters.late_blocks;
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static bool has_word(int argc, char **argv, const char *word) {
    for (int index = 5; index < argc; index++)
        if (!strcmp(argv[index], word))
            return true;
    return false;
}

int main(int argc, char **argv) {
    if (argc < 5)
        return 2;
    bool is_watched = has_word(argc, argv, "watched"), is_chord = has_word(argc, argv, "chords");
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
    double *late_s = calloc(MOST_LATE, sizeof *late_s);
    size_t late_times = 0;
    sleeper *sleepers[MOST_CORES];
    int num_sleepers = is_watched ? start_sleepers(sleepers) : 0;
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
            unsigned long long late_before = late_blocks_of(clients[index]);
            double wall_s = now_s(CLOCK_MONOTONIC);
            is_audio = 1;
            tnca_client_process(clients[index], midi, messages, left, right, (uint32_t)frames, 0);
            is_audio = 0;
            walls[count++] = now_s(CLOCK_MONOTONIC) - wall_s;
            if (late_blocks_of(clients[index]) > late_before && late_times < MOST_LATE)
                late_s[late_times++] = wall_s;
            for (int frame = 0; frame < frames; frame++)
                peak = left[frame] > peak ? left[frame] : peak;
        }
        sleep_until(begin_s + (double)(block + 1) * frames / RATE);
    }
    has_ended = true;
    for (int index = 0; index < num_sleepers; index++)
        pthread_join(sleepers[index]->thread, NULL);
    double period_s = (double)frames / RATE;
    size_t by_machine = 0;
    long still_periods = 0;
    for (size_t index = 0; index < late_times; index++)
        by_machine += stood_still(sleepers, num_sleepers, late_s[index] - MORE_PERIODS * period_s, late_s[index]);
    for (long block = 0; block < blocks; block++) {
        double at_s = begin_s + (double)block * period_s;
        still_periods += stood_still(sleepers, num_sleepers, at_s - MORE_PERIODS * period_s, at_s);
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
    printf("{\"blocks\": %zu, \"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f, \"period_us\": %.1f, "
           "\"late_blocks\": %llu, \"late_by_machine\": %zu, \"paused_share\": %.4f, \"dropped\": %llu, "
           "\"load\": %.3f, \"peak\": %.4f, \"forbidden_calls\": %u, \"wakes\": %u}\n",
           count, 1e6 * walls[count / 2], 1e6 * walls[count * 99 / 100], 1e6 * walls[count - 1], 1e6 * period_s,
           late, by_machine, (double)still_periods / (double)blocks, dropped, load, peak, forbidden, wakes);
    fflush(stdout);
    for (int index = 0; index < instances; index++)
        tnca_client_free(clients[index]);
    for (int index = 0; index < num_sleepers; index++)
        free(sleepers[index]);
    free(late_s);
    free(walls);
    free(left);
    free(right);
    return 0;
}
