/* Makes MPICH's idle polling sleep, so that virtual time can pass.
 *
 * In the virtual lab the clock advances only while every process sleeps. MPICH's progress engine polls
 * (epoll_wait with a zero time-out, then sched_yield, again and again), mpiexec's proxy asks for exited ranks with
 * WNOHANG in a loop, and MPI_Finalize only yields: each of them would stop the clock for ever. Preloaded into
 * mpiexec and the workers, this library lets polls block once some in a row were empty. They wake at the very moment
 * a packet arrives, so no time is added; the time-out, which grows from 1 ms to 4 s while nothing comes, only serves
 * what could make progress without a packet.
 *
 * Some, and not one: every wait polls once, also where what it waits for is there already (a message that came while
 * another one was waited for, a send). Without counting those a worker with several children stalled for milliseconds.
 *
 * It also spares a waiting rank the packets that cannot complete its message. libfabric asks for all that is missing of
 * a large message; with that as the socket's SO_RCVLOWAT the rank wakes once, when the last byte arrives, and not for
 * each packet. Virtual time does not notice (reading costs none), real time does: at 100 Mbit/s most of it went there.
 *
 * And it moves a file. mpiexec's proxy writes what it finds of the machine to /tmp for as long as it runs, and leaves it
 * there when it is killed; in /dev/shm, which each session has for itself, it goes with the session.
 *
 * Active only where GRADWIRE_BLOCKING_PROGRESS is set, so that other programs are left as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#define FIRST_WAIT_NS 1000000LL
#define LONGEST_WAIT_NS 4000000000LL
#define EMPTY_POLLS_BEFORE_BLOCKING 16 /* more waits in a row that are over at once, with no send between, are unlikely */
#define YIELDS_BEFORE_SLEEP 8
#define YIELD_SLEEP_NS 1000L
#define CHILD_POLL_SLEEP_NS 1000000L
/* libfabric reads headers, and bodies shorter than this, through a buffer: only a longer request is a message's rest. */
#define SHORTEST_REST_BYTES 16384
#define LONGEST_LOW_WATER_BYTES (1 << 20)
#define DESCRIPTORS 1024

static _Thread_local int empty_polls;
static _Thread_local long long wait_ns = FIRST_WAIT_NS;
static _Thread_local int yields;

static int enabled(void) {
    static int known = -1;
    if (known < 0) known = getenv("GRADWIRE_BLOCKING_PROGRESS") != NULL;
    return known;
}

static void sleep_ns(long ns) {
    int saved = errno;
    struct timespec t = {0, ns};
    nanosleep(&t, NULL);
    errno = saved;
}

static void something_happened(void) {
    empty_polls = 0;
    wait_ns = FIRST_WAIT_NS;
}

/* The time-out of a poll that would not block: zero for the first ones after something happened. */
static struct timespec idle_timeout(void) {
    if (empty_polls < EMPTY_POLLS_BEFORE_BLOCKING) {
        empty_polls++;
        return (struct timespec){0, 0};
    }
    struct timespec t = {wait_ns / 1000000000LL, wait_ns % 1000000000LL};
    if (wait_ns < LONGEST_WAIT_NS) wait_ns *= 4;
    return t;
}

static int after_poll(int ready) {
    yields = 0;
    if (ready != 0) something_happened();
    return ready;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout_ms) {
    static int (*plain)(int, struct epoll_event *, int, int);
    static int (*precise)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
    if (!plain) {
        plain = dlsym(RTLD_NEXT, "epoll_wait");
        precise = dlsym(RTLD_NEXT, "epoll_pwait2");
    }
    if (timeout_ms != 0 || !enabled()) return plain(fd, events, count, timeout_ms);
    struct timespec t = idle_timeout();
    return after_poll(precise(fd, events, count, &t, NULL));
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
    static int (*plain)(struct pollfd *, nfds_t, int);
    if (!plain) plain = dlsym(RTLD_NEXT, "poll");
    if (timeout_ms != 0 || !enabled()) return plain(fds, count, timeout_ms);
    struct timespec t = idle_timeout();
    return after_poll(ppoll(fds, count, &t, NULL));
}

int sched_yield(void) {
    static int (*plain)(void);
    if (!plain) plain = dlsym(RTLD_NEXT, "sched_yield");
    if (!enabled()) return plain();
    /* A poll between yields has slept already; only a loop of nothing but yields must be made to sleep. */
    if (++yields % YIELDS_BEFORE_SLEEP == 0) sleep_ns(YIELD_SLEEP_NS);
    return 0;
}

static int low_water[DESCRIPTORS]; /* of each socket; 0 stands for the default, 1 */

/* Let the socket wake us when `bytes` are there; the kernel is asked only where that is a change. */
static void set_low_water(int fd, ssize_t bytes) {
    if (fd < 0 || fd >= DESCRIPTORS) return;
    int wanted = bytes > LONGEST_LOW_WATER_BYTES ? LONGEST_LOW_WATER_BYTES : (int)bytes;
    if (wanted < 1) wanted = 1;
    if (wanted == (low_water[fd] ? low_water[fd] : 1)) return;
    int saved = errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted) == 0) low_water[fd] = wanted;
    errno = saved;
}

ssize_t recv(int fd, void *into, size_t room, int flags) {
    static ssize_t (*plain)(int, void *, size_t, int);
    if (!plain) plain = dlsym(RTLD_NEXT, "recv");
    ssize_t got = plain(fd, into, room, flags);
    if (!enabled()) return got;
    /* A rest that has become short, after an early wake-up, is still waited for whole. */
    int waits_for_rest = fd >= 0 && fd < DESCRIPTORS && low_water[fd] > 1;
    if (room < SHORTEST_REST_BYTES && !waits_for_rest) return got;
    if (got > 0) set_low_water(fd, (ssize_t)room - got);
    if (got < 0 && errno == EAGAIN) set_low_water(fd, (ssize_t)room);
    return got;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    static ssize_t (*plain)(int, const struct msghdr *, int);
    if (!plain) plain = dlsym(RTLD_NEXT, "sendmsg");
    something_happened();
    return plain(fd, message, flags);
}

ssize_t send(int fd, const void *from, size_t size, int flags) {
    static ssize_t (*plain)(int, const void *, size_t, int);
    if (!plain) plain = dlsym(RTLD_NEXT, "send");
    something_happened();
    return plain(fd, from, size, flags);
}

int close(int fd) {
    static int (*plain)(int);
    if (!plain) plain = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < DESCRIPTORS) low_water[fd] = 0; /* the next socket of this number begins with the default */
    return plain(fd);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    static pid_t (*plain)(pid_t, int *, int);
    if (!plain) plain = dlsym(RTLD_NEXT, "waitpid");
    pid_t got = plain(pid, status, options);
    if (got == 0 && (options & WNOHANG) && enabled()) sleep_ns(CHILD_POLL_SLEEP_NS);
    return got;
}

#define PROXYS_FILE "/tmp/hydra_hwloc_xmlfile_XXXXXX"
#define MOVED_FILE "/dev/shm/hydra_hwloc_xml_XXXXXX" /* must have the other's length, as it takes its place */
_Static_assert(sizeof PROXYS_FILE == sizeof MOVED_FILE, "a path must fit where the proxy keeps it");

int mkstemp(char *template) {
    static int (*plain)(char *);
    if (!plain) plain = dlsym(RTLD_NEXT, "mkstemp");
    if (enabled() && strcmp(template, PROXYS_FILE) == 0) strcpy(template, MOVED_FILE);
    return plain(template);
}
