/* What mpiexec starts for each rank of a user's program: puts it on its emulated host, and keeps what became of it.
 *
 *   enter_host FOLDER PROGRAM [ARGUMENT]...
 *
 * The rank is PMI_RANK's. GRADWIRE_HOSTS has, comma separated and by rank, `pid:interface`: a process in the network
 * namespace of the rank's host, and the interface with its address. In FOLDER, rank-N.out and rank-N.err take what
 * the program prints, and rank-N.status, once it has ended, four numbers: when it began and ended (nanoseconds of the
 * monotonic clock), its exit status and the signal that ended it (one of both is 0). No status is there of a rank that
 * mpiexec killed.
 *
 * Ends as the program ends; 128 and the number of the signal where one ended it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANNOT_START 127 /* as a shell says it */

static volatile pid_t program;

static void fail(const char *what) {
    fprintf(stderr, "enter_host: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The entry of the rank in a comma-separated list; it is written over. */
static char *own_entry(char *list, long rank) {
    char *entry = strsep(&list, ",");
    while (rank-- > 0 && entry) entry = strsep(&list, ",");
    return entry;
}

/* Enter the rank's network namespace, and tell libraries the interface with its address. */
static void enter(const char *rank) {
    char *hosts = getenv("GRADWIRE_HOSTS");
    char *entry = hosts ? own_entry(strdup(hosts), strtol(rank, NULL, 10)) : NULL;
    char *interface = entry ? strchr(entry, ':') : NULL;
    if (!interface) {
        fprintf(stderr, "enter_host: GRADWIRE_HOSTS has no host of rank %s\n", rank);
        exit(1);
    }
    *interface++ = '\0';
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) fail(path);
    close(fd);
    unsetenv("GRADWIRE_HOSTS");
    setenv("RANK", rank, 1);
    setenv("FI_TCP_IFACE", interface, 1);
    setenv("GLOO_SOCKET_IFNAME", interface, 1);
    setenv("TP_SOCKET_IFNAME", interface, 1);
}

static void file_of(char *path, const char *folder, const char *rank, const char *kind) {
    if (snprintf(path, PATH_MAX, "%s/rank-%s.%s", folder, rank, kind) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        fail(folder);
    }
}

static void redirect(int wanted, const char *folder, const char *rank, const char *kind) {
    char path[PATH_MAX];
    file_of(path, folder, rank, kind);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, wanted) < 0) fail(path);
    close(fd);
}

static void become_program(const char *folder, const char *rank, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  /* mpiexec kills us, and means the program */
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);  /* sleeps end on time: 50 us is a third of a short round trip */
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) fail("/dev/null");
    close(nothing);
    redirect(STDOUT_FILENO, folder, rank, "out");
    redirect(STDERR_FILENO, folder, rank, "err");
    execvp(words[0], words);
    fprintf(stderr, "gradwire: %s cannot be started: %s\n", words[0], strerror(errno));
    _exit(CANNOT_START);
}

static void pass_on(int number) {
    if (program > 0) kill(program, number);
}

/* Written under another name first: who looks sees all of it or nothing. */
static void keep(const char *folder, const char *rank, long long begin_ns, int status) {
    char path[PATH_MAX], partial[PATH_MAX];
    file_of(path, folder, rank, "status");
    file_of(partial, folder, rank, "status.partial");
    FILE *file = fopen(partial, "w");
    if (!file) fail(partial);
    fprintf(file, "%lld %lld %d %d\n", begin_ns, now_ns(), WIFEXITED(status) ? WEXITSTATUS(status) : 0,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (fclose(file) != 0 || rename(partial, path) != 0) fail(path);
}

int main(int argc, char **argv) {
    const char *rank = getenv("PMI_RANK");
    if (argc < 3 || !rank) {
        fprintf(stderr, "usage: PMI_RANK=N GRADWIRE_HOSTS=PID:INTERFACE,... enter_host FOLDER PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    enter(rank);
    long long begin_ns = now_ns();
    program = fork();
    if (program < 0) fail("fork");
    if (program == 0) become_program(argv[1], rank, argv + 2);
    signal(SIGTERM, pass_on);
    signal(SIGINT, pass_on);
    int status;
    while (waitpid(program, &status, 0) < 0)
        if (errno != EINTR) fail("waitpid");
    keep(argv[1], rank, begin_ns, status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
