/* Where the engine is, how it is started, and packets to and from it. Worker thread. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_WORDS = 32, PATH_BYTES = 1024, COMMAND_BYTES = 4096, MOST_VARIABLES = 4096 };

extern char **environ;

void tnca_copy_text(char *to, size_t size, const char *from) {
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

/* The folder of the socket; 0 if it is there and ours alone, -1 if not: `problem` is "" where there is none. */
static int find_folder(char *folder, size_t size, char *problem, size_t problem_size) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    problem[0] = 0;
    if (runtime && runtime[0] == '/')
        snprintf(folder, size, "%s/%s", runtime, TNCA_FOLDER);
    else
        snprintf(folder, size, "/tmp/%s-%u", TNCA_FOLDER, (unsigned)getuid());
    struct stat facts;
    if (lstat(folder, &facts))
        return -1;
    if (S_ISDIR(facts.st_mode) && facts.st_uid == getuid() && !(facts.st_mode & 077))
        return 0;
    snprintf(problem, problem_size, "%s must be a folder of yours that nobody else can enter", folder);
    return -1;
}

int tnca_socket_connect(char *problem, size_t size) {
    char folder[PATH_BYTES];
    if (find_folder(folder, sizeof folder, problem, size))
        return -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, TNCA_SOCKET);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        snprintf(problem, size, "the path of the socket is too long: %s", folder);
        return -1;
    }
    int end = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (end < 0 || connect(end, (struct sockaddr *)&address, sizeof address)) {
        if (end >= 0)
            close(end);
        return -1;
    }
    struct ucred peer;
    socklen_t peer_size = sizeof peer;
    if (getsockopt(end, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) || peer.uid != getuid()) {
        snprintf(problem, size, "the engine belongs to another user");
        close(end);
        return -1;
    }
    return end;
}

/* Cut a text into words that end at any of `separators`; return their number. */
static int split(char *text, const char *separators, char **words) {
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, separators, &rest); word && count < MOST_WORDS; word = strtok_r(NULL, separators, &rest))
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static int read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -1;
    struct stat facts;
    ssize_t count = fstat(file, &facts) || !S_ISREG(facts.st_mode) ? -1 : read(file, text, size - 1);
    close(file);
    if (count <= 0)
        return -1;
    text[count] = 0;
    return 0;
}

/* Return the words of the command that starts the engine, within `text`. */
static void find_command(char *text, size_t size, char **words) {
    const char *variable = getenv("TNCA_SYNTH_ENGINE"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (variable && variable[0]) {
        tnca_copy_text(text, size, variable);
        if (split(text, " ", words))
            return;
    }
    char path[PATH_BYTES];
    if (config && config[0] == '/')
        snprintf(path, sizeof path, "%s/tnca-synth/engine", config);
    else
        snprintf(path, sizeof path, "%s/.config/tnca-synth/engine", home ? home : "");
    if (!read_file(path, text, size) && split(text, "\n", words))
        return;
    tnca_copy_text(text, size, "tnca-synth bridge-engine --detach");
    split(text, " ", words);
}

/* The engine's environment: the host's, but for what is loaded into the host alone. */
static char **engine_environment(void) {
    static const char *const removed[] = {"LD_PRELOAD=", "LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "TSAN_OPTIONS="};
    char **variables = calloc(MOST_VARIABLES + 1, sizeof *variables);
    for (int from = 0, to = 0; variables && environ[from] && to < MOST_VARIABLES; from++) {
        bool stays = true;
        for (size_t index = 0; index < sizeof removed / sizeof *removed; index++)
            stays = stays && strncmp(environ[from], removed[index], strlen(removed[index]));
        if (stays)
            variables[to++] = environ[from];
    }
    return variables;
}

static int spawn(pid_t *pid, char **words, int messages) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, messages, 2);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSCHEDULER);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setschedpolicy(&attributes, SCHED_OTHER);
    posix_spawnattr_setschedparam(&attributes, &(struct sched_param){0});
    char **variables = engine_environment();
    int error = posix_spawnp(pid, words[0], &files, &attributes, words, variables ? variables : environ);
    free(variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

int tnca_engine_start(pid_t *pid, char *problem, size_t size) {
    char text[COMMAND_BYTES], *words[MOST_WORDS + 1];
    find_command(text, sizeof text, words);
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC)) {
        snprintf(problem, size, "the engine cannot be started: %s", strerror(errno));
        return -1;
    }
    fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    int error = spawn(pid, words, pipe_ends[1]);
    close(pipe_ends[1]);
    if (error) {
        snprintf(problem, size, "the engine cannot be started (%s: %s): is tnca-synth installed?", words[0],
                 strerror(error));
        close(pipe_ends[0]);
        return -1;
    }
    return pipe_ends[0];
}

int tnca_packet_send(int socket, uint16_t kind, const void *body, uint32_t size, const int *descriptors, int count) {
    tnca_packet head = {TNCA_MAGIC, TNCA_PROTOCOL, kind, size, 0};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)body, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(rights), descriptors, (size_t)count * sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(sizeof head + size) ? 0 : -1;
}

/* Take the descriptors of a message; more than two of them are closed. */
static void take_descriptors(struct msghdr *message, int descriptors[2]) {
    int taken = 0;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(one) + index * sizeof descriptor, sizeof descriptor);
            if (taken < 2)
                descriptors[taken++] = descriptor;
            else
                close(descriptor);
        }
    }
}

int tnca_packet_receive(int socket, tnca_packet *head, void *body, int descriptors[2]) {
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec parts[2] = {{head, sizeof *head}, {body, TNCA_MAX_PACKET}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    descriptors[0] = descriptors[1] = -1;
    ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -2 : -1;
    if (count > 0)
        take_descriptors(&message, descriptors);
    bool is_whole = (size_t)count >= sizeof *head && head->magic == TNCA_MAGIC &&
                    head->size == (size_t)count - sizeof *head && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    return is_whole ? (int)head->size : -1;
}
