/* The worker: a thread of each client that finds, starts, watches and replaces the engine. Nothing waits for it. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 250,          /* how often the engine is looked after */
    RETRY_MS = 10,          /* while an engine starts */
    RESPAWN_MS = 300,       /* after an engine that ended without a word: another one held the lock, and is ending */
    START_LIMIT_MS = 20000, /* for an engine to listen */
    GREETING_LIMIT_MS = 20000, /* one that still loads listens already */
    FIRST_PAUSE_MS = 500, /* after a failure; doubles up to: */
    LAST_PAUSE_MS = 8000,
    STILL_MS = 200,  /* without a heartbeat the engine is looked at */
    HUNG_MS = 2000,  /* without a heartbeat it is replaced, */
    LATE_MS = 1000,  /* so long a late block counts as overload */
    QUICK_LOSSES = 20 /* engines lost within 0.2 s before the client becomes patient */
};

int64_t tnca_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

void tnca_worker_nudge(tnca_client *client) {
    uint64_t one = 1;
    ssize_t written = client->nudge < 0 ? 0 : write(client->nudge, &one, sizeof one);
    (void)written;
}

void tnca_set_state(tnca_client *client, tnca_state state, const char *text) {
    pthread_mutex_lock(&client->lock);
    atomic_store(&client->state, state);
    tnca_copy_text(client->text, sizeof client->text, text);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

void tnca_set_note(tnca_client *client, const char *text) {
    pthread_mutex_lock(&client->lock);
    tnca_copy_text(client->note, sizeof client->note, text);
    pthread_mutex_unlock(&client->lock);
}

/* Say what the worker is at, unless the client is not active. */
void tnca_tell(worker *self, tnca_state state, const char *text) {
    pthread_mutex_lock(&self->client->lock);
    bool is_active = self->client->wishes.is_active;
    pthread_mutex_unlock(&self->client->lock);
    if (is_active)
        tnca_set_state(self->client, state, text);
}

/* ---- links --------------------------------------------------------------------------------------------------------- */

void tnca_retire(tnca_client *client, tnca_line *line) {
    line->next = atomic_load(&client->retired);
    while (!atomic_compare_exchange_weak(&client->retired, &line->next, line))
        ;
}

void tnca_free_line(worker *self, tnca_line *line) {
    if (self->line == line)
        self->line = NULL;
    tnca_line_free(line);
}

static void free_retired(worker *self) {
    for (tnca_line *line = atomic_exchange(&self->client->retired, NULL); line;) {
        tnca_line *next = line->next;
        tnca_free_line(self, line);
        line = next;
    }
}

/* Leave the newest link to those who hold it, or free it if nobody does. */
static void let_go(worker *self) {
    if (!self->line)
        return;
    atomic_store(&self->line->is_dead, true);
    tnca_line *expected = self->line;
    if (!self->is_ready || atomic_compare_exchange_strong(&self->client->offered, &expected, NULL))
        tnca_free_line(self, self->line);
    self->line = NULL;
    self->is_ready = false;
}

/* ---- engines that come and go -------------------------------------------------------------------------------------- */

void tnca_close_end(int *descriptor) {
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static void pause_for(worker *self, int64_t pause_ms) {
    self->pause_ms = pause_ms > LAST_PAUSE_MS ? LAST_PAUSE_MS : pause_ms;
    self->try_ms = tnca_now_ms() + self->pause_ms;
}

static void disconnect(worker *self) {
    let_go(self);
    tnca_close_end(&self->socket);
    tnca_close_end(&self->process);
    tnca_bell_release(self->bell);
    self->bell = NULL;
    self->is_attached = false;
    self->phase = ALONE;
    self->begin_ms = 0;
}

void tnca_give_up(worker *self, tnca_state state, const char *text) {
    disconnect(self);
    tnca_close_end(&self->messages);
    tnca_tell(self, state, text);
    pause_for(self, self->pause_ms ? 2 * self->pause_ms : FIRST_PAUSE_MS);
}

/* The engine is gone: look for another one at once, and more patiently if it keeps happening. */
void tnca_lose_engine(worker *self) {
    bool was_up = self->phase == UP, was_short = tnca_now_ms() - self->up_ms < 200;
    disconnect(self);
    if (was_up)
        atomic_fetch_add(&self->client->restarts, 1);
    self->losses = was_short ? self->losses + 1 : 0;
    self->pause_ms = 0;
    self->try_ms = tnca_now_ms();
    if (self->losses > QUICK_LOSSES)
        tnca_give_up(self, TNCA_FAILED, "the engine ends again and again; trying on");
    else
        tnca_tell(self, TNCA_STARTING, "the engine was lost");
}

static bool is_stopped(pid_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? 0 : read(file, text, sizeof text - 1);
    tnca_close_end(&file);
    if (count <= 0)
        return false;
    text[count] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 'T';
}

static void kill_engine(worker *self) {
    if (self->process >= 0)
        syscall(SYS_pidfd_send_signal, self->process, SIGKILL, NULL, 0);
    tnca_set_note(self->client, "the engine stood still and was replaced");
    tnca_lose_engine(self);
}

void tnca_know_process(worker *self, pid_t pid) {
    struct stat facts;
    char path[64];
    tnca_close_end(&self->process);
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    if (pid <= 1 || pid == getpid() || stat(path, &facts) || facts.st_uid != getuid())
        return;
    self->pid = pid;
    self->process = (int)syscall(SYS_pidfd_open, pid, 0);
}

static void hear(worker *self) {
    char text[TNCA_TEXT];
    for (;;) {
        ssize_t count = self->messages < 0 ? 0 : read(self->messages, text, sizeof text - 1);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0)
            break;
        text[count] = 0;
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            tnca_copy_text(self->heard, sizeof self->heard, line);
    }
    tnca_close_end(&self->messages);
}

static void start_engine(worker *self) {
    char problem[TNCA_TEXT];
    self->heard[0] = 0;
    self->spawn_ms = tnca_now_ms();
    if (!self->begin_ms)
        self->begin_ms = self->spawn_ms;
    self->messages = tnca_engine_start(&self->starter, problem, sizeof problem);
    if (self->messages < 0)
        tnca_give_up(self, TNCA_MISSING, problem);
    else
        tnca_tell(self, TNCA_STARTING, "the engine starts");
}

static void try_connect(worker *self) {
    char problem[TNCA_TEXT];
    self->try_ms = tnca_now_ms() + RETRY_MS;
    self->socket = tnca_socket_connect(problem, sizeof problem);
    if (self->socket >= 0) {
        struct ucred peer;
        socklen_t size = sizeof peer;
        if (!getsockopt(self->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size))
            tnca_know_process(self, peer.pid);
        tnca_hello hello = {TNCA_PROTOCOL, (uint32_t)getpid(), "client"};
        self->phase = GREETING;
        self->begin_ms = tnca_now_ms();
        if (tnca_packet_send(self->socket, TNCA_PACKET_HELLO, &hello, sizeof hello, NULL, 0))
            tnca_lose_engine(self);
    } else if (problem[0])
        tnca_give_up(self, TNCA_FAILED, problem);
    else if (!self->begin_ms)
        start_engine(self);
    else if (self->messages < 0 && self->heard[0]) {
        snprintf(problem, sizeof problem, "the engine ended: %.200s", self->heard);
        tnca_give_up(self, TNCA_MISSING, problem);
    } else if (tnca_now_ms() - self->begin_ms > START_LIMIT_MS)
        tnca_give_up(self, TNCA_MISSING, "the engine does not start");
    else if (self->messages < 0 && tnca_now_ms() - self->spawn_ms > RESPAWN_MS)
        start_engine(self);
}

/* ---- turns --------------------------------------------------------------------------------------------------------- */

static void attach(worker *self, const tnca_wishes *wishes) {
    let_go(self);
    self->line = tnca_line_new(self->bell, wishes->sample_rate, wishes->max_block, wishes->latency,
                               wishes->max_voices, wishes->seed);
    if (!self->line) {
        tnca_give_up(self, TNCA_FAILED, "this system gives no shared memory");
        return;
    }
    self->generation = wishes->generation;
    self->is_attached = true;
    self->is_ready = false;
    int descriptors[2] = {self->line->memory, self->line->reply};
    if (tnca_packet_send(self->socket, TNCA_PACKET_ATTACH, NULL, 0, descriptors, 2))
        tnca_lose_engine(self);
    else
        tnca_tell(self, TNCA_STARTING, "the engine opens its instruments");
}

static void detach(worker *self) {
    let_go(self);
    self->is_attached = false;
    if (tnca_packet_send(self->socket, TNCA_PACKET_DETACH, NULL, 0, NULL, 0))
        tnca_lose_engine(self);
}

static void ask_for_instrument(worker *self) {
    pthread_mutex_lock(&self->client->lock);
    tnca_instrument wanted = self->client->kept;
    bool is_wanted = self->client->wishes.wants_instrument;
    self->client->wishes.wants_instrument = false;
    pthread_mutex_unlock(&self->client->lock);
    if (is_wanted && tnca_packet_send(self->socket, TNCA_PACKET_RESOLVE, &wanted, sizeof wanted, NULL, 0))
        tnca_lose_engine(self);
}

static void read_meters(tnca_client *client, tnca_link *shared) {
    float load = tnca_bits_to_float(__atomic_load_n((uint32_t *)(void *)&shared->load, __ATOMIC_RELAXED));
    pthread_mutex_lock(&client->lock);
    client->voices = __atomic_load_n(&shared->voices, __ATOMIC_RELAXED);
    client->voice_limit = __atomic_load_n(&shared->voice_limit, __ATOMIC_RELAXED);
    client->load = load >= 0.0f && load < 1000.0f ? load : 0.0f;
    pthread_mutex_unlock(&client->lock);
}

/* See whether the engine still moves, and whether it is fast enough. */
static void look_after(worker *self) {
    int64_t now = tnca_now_ms();
    if (self->phase == GREETING) {
        if (now - self->begin_ms > STILL_MS && is_stopped(self->pid))
            kill_engine(self);
        else if (now - self->begin_ms > GREETING_LIMIT_MS)
            tnca_give_up(self, TNCA_NOT_ANSWERING, "the engine does not answer");
        return;
    }
    uint64_t beat = __atomic_load_n(&self->bell->page->heartbeat, __ATOMIC_ACQUIRE);
    if (beat != self->beat) {
        self->beat = beat;
        self->beat_ms = now;
    }
    if (now - self->beat_ms > HUNG_MS || (now - self->beat_ms > STILL_MS && is_stopped(self->pid))) {
        kill_engine(self);
        return;
    }
    if (self->line && self->is_ready)
        read_meters(self->client, self->line->shared);
    uint64_t late = atomic_load(&self->client->late_blocks);
    if (late > self->late)
        self->late_ms = now;
    self->late = late;
    if (self->is_ready) {
        bool is_slow = self->late_ms && now - self->late_ms < LATE_MS;
        bool is_still = now - self->beat_ms > 4 * STILL_MS;
        tnca_state state = is_still ? TNCA_NOT_ANSWERING : is_slow ? TNCA_OVERLOADED : TNCA_RUNNING;
        if (atomic_load(&self->client->state) != state)
            tnca_tell(self, state, is_still ? "the engine stands still" : "");
    }
}

static void turn(worker *self) {
    pthread_mutex_lock(&self->client->lock);
    tnca_wishes wishes = self->client->wishes;
    pthread_mutex_unlock(&self->client->lock);
    free_retired(self);
    hear(self);
    if (self->starter > 0 && waitpid(self->starter, NULL, WNOHANG) != 0)
        self->starter = 0;
    if (self->socket < 0 && wishes.is_active && tnca_now_ms() >= self->try_ms)
        try_connect(self);
    if (self->socket >= 0)
        tnca_read_packets(self);
    if (self->phase == UP) {
        if (wishes.is_active && (!self->is_attached || self->generation != wishes.generation))
            attach(self, &wishes);
        else if (!wishes.is_active && self->is_attached)
            detach(self);
    }
    if (self->phase == UP)
        ask_for_instrument(self);
    if (self->phase != ALONE)
        look_after(self);
}

static int patience_ms(const worker *self) {
    pthread_mutex_lock(&self->client->lock);
    bool is_active = self->client->wishes.is_active;
    pthread_mutex_unlock(&self->client->lock);
    if (self->phase == ALONE && is_active) {
        int64_t left = self->try_ms - tnca_now_ms();
        return left < 1 ? 1 : left > TICK_MS ? TICK_MS : (int)left;
    }
    return self->phase == ALONE ? -1 : is_active ? TICK_MS : 4 * TICK_MS;
}

static void wait_for_news(worker *self) {
    struct pollfd ends[2] = {{self->client->nudge, POLLIN, 0}, {self->socket, POLLIN, 0}};
    uint64_t count;
    if (poll(ends, self->socket >= 0 ? 2 : 1, patience_ms(self)) > 0 && ends[0].revents) {
        ssize_t got = read(self->client->nudge, &count, sizeof count);
        (void)got;
    }
}

static void leave(worker *self) {
    disconnect(self);
    tnca_line *offered = atomic_exchange(&self->client->offered, NULL);
    if (offered)
        tnca_free_line(self, offered);
    free_retired(self);
    tnca_close_end(&self->messages);
    for (int round = 0; self->starter > 0 && round < 200 && !waitpid(self->starter, NULL, WNOHANG); round++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    free(self);
}

void *tnca_worker_run(void *context) {
    tnca_client *client = context;
    worker *self = calloc(1, sizeof *self);
    if (!self) {
        tnca_set_state(client, TNCA_FAILED, "no memory");
        return NULL;
    }
    self->client = client;
    self->socket = self->process = self->messages = -1;
    for (;;) {
        pthread_mutex_lock(&client->lock);
        bool quits = client->wishes.quits;
        pthread_mutex_unlock(&client->lock);
        if (quits)
            break;
        turn(self);
        wait_for_news(self);
    }
    leave(self);
    return NULL;
}
