/* The first process of a worker's container: ties the container to the session, starts the worker's program when asked.
 *
 *   container_init SOCKET RANK PROGRAM [ARGUMENT]...
 *
 * It connects to the session's socket and says which rank it is, with a descriptor of the container's network namespace:
 * the session is in a process namespace of its own, where no process id of the engine means anything. A byte from the
 * session starts PROGRAM, whose output goes to the session. When the session closes the connection, however it ends,
 * this process ends, and with it, as it is the first of its process namespace, everything in the container.
 * Exit status: PROGRAM's where that ends first, 0 where the session or the engine ends the container, 1 for a fault.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "container_init: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail(path);
    return fd;
}

static void report(int session, char *rank) {
    int namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (namespace < 0) fail("/proc/self/ns/net");
    union {
        char bytes[CMSG_SPACE(sizeof namespace)];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov[] = {{rank, strlen(rank)}, {"\n", 1}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2,
                             .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof namespace);
    memcpy(CMSG_DATA(header), &namespace, sizeof namespace);
    if (sendmsg(session, &message, MSG_NOSIGNAL) < 0) fail("sendmsg");
    close(namespace);
}

static pid_t start(int session, char **program, const sigset_t *before) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) return child;
    sigprocmask(SIG_SETMASK, before, NULL);
    dup2(session, STDOUT_FILENO);
    dup2(session, STDERR_FILENO);
    execvp(program[0], program);
    fail(program[0]);
    return -1;
}

/* Take in all that has ended, orphans of the program too; its own end is ours. */
static void reap(pid_t program) {
    int status;
    for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;)
        if (ended == program) exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: container_init SOCKET RANK PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    sigset_t heard, before;
    sigemptyset(&heard);
    sigaddset(&heard, SIGCHLD);
    sigaddset(&heard, SIGTERM);
    sigaddset(&heard, SIGINT);
    sigprocmask(SIG_BLOCK, &heard, &before);
    int signals = signalfd(-1, &heard, SFD_CLOEXEC);
    if (signals < 0) fail("signalfd");
    int session = connect_to(argv[1]);
    report(session, argv[2]);
    pid_t program = 0;
    struct pollfd waiting[] = {{.fd = session, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (poll(waiting, 2, -1) < 0 && errno != EINTR) fail("poll");
        if (waiting[0].revents) {
            char byte;
            if (read(session, &byte, 1) <= 0) return 0;
            if (program == 0) program = start(session, argv + 3, &before);
        }
        if (waiting[1].revents) {
            struct signalfd_siginfo signal;
            if (read(signals, &signal, sizeof signal) != (ssize_t)sizeof signal) fail("signalfd");
            if (signal.ssi_signo != SIGCHLD) return 0;
            reap(program);
        }
    }
}
