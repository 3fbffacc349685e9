/* What mpiexec starts for each rank: asks the fork server for a worker, lends it our environment and descriptors, and
 * ends as the worker ends.
 *
 * Importing torch costs seconds per process; the fork server (fork_server.py) has done it once, so a rank is a fork.
 * mpiexec must see a child of its own, though, and gives it PMI_FD, the socket to MPI's process manager. Both travel
 * over a Unix socket: the environment as NUL-separated bytes, the descriptors as ancillary data.
 *
 *   join_rank SOCKET...
 *
 * Of several sockets, where each rank has a fork server of its own, the rank takes the one at its place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what) {
    fprintf(stderr, "join_rank: %s: %s\n", what, strerror(errno));
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

/* The length of the environment block, and with it the descriptors: standard ones first, then PMI_FD. */
static void send_header(int fd, uint32_t size) {
    const char *pmi = getenv("PMI_FD");
    int fds[4] = {0, 1, 2, pmi ? atoi(pmi) : 2};
    union {
        char bytes[CMSG_SPACE(sizeof fds)];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {&size, sizeof size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1,
                             .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    if (sendmsg(fd, &message, 0) != (ssize_t)sizeof size) fail("sendmsg");
}

static void send_environment(int fd) {
    for (char **entry = environ; *entry; entry++) {
        size_t left = strlen(*entry) + 1;
        for (const char *at = *entry; left;) {
            ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);
            if (sent < 0) fail("send");
            at += sent;
            left -= (size_t)sent;
        }
    }
}

/* The socket of this rank's fork server. */
static const char *own_socket(int sockets, char **paths) {
    if (sockets == 1) return paths[0];
    const char *rank = getenv("PMI_RANK");
    int place = rank ? atoi(rank) : -1;
    if (place < 0 || place >= sockets) {
        fprintf(stderr, "join_rank: PMI_RANK is %s, and there are %d sockets\n", rank ? rank : "not set", sockets);
        exit(1);
    }
    return paths[place];
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: join_rank SOCKET...\n");
        return 2;
    }
    uint32_t size = 0;
    for (char **entry = environ; *entry; entry++) size += (uint32_t)strlen(*entry) + 1;
    int fd = connect_to(own_socket(argc - 1, argv + 1));
    send_header(fd, size);
    send_environment(fd);
    int32_t status = 1;
    if (recv(fd, &status, sizeof status, MSG_WAITALL) != (ssize_t)sizeof status) return 1;
    return status;
}
