/* The delay line: holds packets that netfilter queued for a link's delay, then lets them go.
 *
 *   delay_line OFFSET_NS PID:QUEUE:LINK...
 *
 * For kernels without sch_netem. One process serves the queues of all network namespaces; each queue is named by a
 * process in its namespace and its number there, and takes what comes over a LINK (a number; several queues of one link
 * hold what came different ways). A token bucket in front lets packets go in lots, as its timers end late; so packets
 * pass the link here one after the other:
 *
 *     passed = max(came, when the packet before it on the link passed) + bytes / the link's rate
 *
 * and leave, in order, at
 *
 *     passed + bytes / rate of each link before it + delay + deviation x normal
 *
 * as on a real link, which takes bytes / rate for each. A packet came when the kernel says so, not when this process was
 * woken for it. OFFSET_NS, found by calibration, is what netfilter and a receiver's waking take.
 *
 * Standard input takes one command a line, standard output one answer:
 *
 *   change N DELAY_NS DEVIATION_NS LOSS LINK_NS_PER_BYTE BEFORE_NS_PER_BYTE
 *                   queue N, counted from 0: applies to packets that come from now
 *   reset N SEED    count from 0, and draw loss and jitter from a seed
 *   counts N        held taken released dropped overrun late_max_ns late_sum_ns
 *   offset NS       another OFFSET_NS
 *
 * The answer is a line `ok ...`, or `error ...`. End of input ends the process; the kernel then drops what is queued.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <math.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define MOST_HELD 65536          /* packets of a queue; a power of two */
#define RECEIVE_BUFFER (64 << 20) /* bytes of messages about packets that were not read yet */
#define BATCH 64                  /* messages read at once */
#define MESSAGE_BYTES 512
#define HEADER_BYTES 20 /* of each packet, copied to us: the IPv4 header */
#define ETHERNET 14
#define TCP_HEADERS 66  /* Ethernet, IPv4, TCP with time stamps: what each further segment of a super-packet repeats */
#define TCP_PAYLOAD 1448
#define LEAST_PRIORITY 10

/* Timers end late, later the longer the process has slept (8 us after 0.2 ms, 40 us after 20 ms, where processors are kept
 * awake), so it wakes before a packet is due, and spins: a share of the wait, within these bounds. No longer, as a worker
 * that was woken on the same processor waits meanwhile. */
#define SPIN_SHARE 60
#define SHORTEST_SPIN 10000
#define LONGEST_SPIN 60000

struct packet {
    int64_t due;
    uint32_t id;
};

struct queue {
    int fd;
    uint16_t number;
    int64_t delay, deviation;
    double loss, link_ns_per_byte, before_ns_per_byte;
    int link;
    uint64_t random;
    int64_t last_due;
    uint32_t first, end; /* of the ring: packets [first, end) */
    uint64_t taken, released, dropped, overrun;
    int64_t late_max, late_sum;
    struct packet *ring;
};

static struct queue *queues;
static double *passed; /* by link: when its last packet had passed it */
static int count;
static int64_t offset_ns;

static void fail(const char *what) {
    fprintf(stderr, "delay_line: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t now(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- netlink --------------------------------------------------------------------------------------------------- */

struct request {
    struct nlmsghdr header;
    struct nfgenmsg family;
    char attributes[128];
};

static void begin(struct request *request, int type, int flags, uint16_t number) {
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_LENGTH(sizeof request->family);
    request->header.nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | type;
    request->header.nlmsg_flags = NLM_F_REQUEST | flags;
    request->family.res_id = htons(number);
}

static void add(struct request *request, int type, const void *value, size_t size) {
    struct nlattr *attribute = (struct nlattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->nla_type = type;
    attribute->nla_len = NLA_HDRLEN + size;
    memcpy((char *)attribute + NLA_HDRLEN, value, size);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static void ask(int fd, struct request *request, const char *what) {
    char answer[1024];
    if (send(fd, request, request->header.nlmsg_len, 0) < 0) fail(what);
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got < (ssize_t)NLMSG_LENGTH(sizeof(int))) fail(what);
    struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
    if (((struct nlmsghdr *)answer)->nlmsg_type == NLMSG_ERROR && error->error) {
        errno = -error->error;
        fail(what);
    }
}

static int socket_in(long pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/ns/net", pid);
    int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = open(path, O_RDONLY | O_CLOEXEC);
    if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) fail(path);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) fail("netfilter socket");
    if (setns(here, CLONE_NEWNET) < 0) fail("return to the own namespace");
    close(here);
    close(there);
    return fd;
}

static void open_queue(struct queue *queue, long pid, uint16_t number) {
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    int room = RECEIVE_BUFFER, yes = 1;
    struct request request;
    struct nfqnl_msg_config_cmd bind_to = {NFQNL_CFG_CMD_BIND, 0, htons(AF_INET)};
    struct nfqnl_msg_config_params copy = {htonl(HEADER_BYTES), NFQNL_COPY_PACKET};
    uint32_t most = htonl(MOST_HELD), whole = htonl(NFQA_CFG_F_GSO);

    queue->number = number;
    queue->random = 1;
    queue->ring = calloc(MOST_HELD, sizeof *queue->ring);
    if (!queue->ring) fail("memory");
    queue->fd = socket_in(pid);
    if (bind(queue->fd, (struct sockaddr *)&any, sizeof any) < 0) fail("bind");
    setsockopt(queue->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(queue->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &yes, sizeof yes);
    begin(&request, NFQNL_MSG_CONFIG, NLM_F_ACK, number);
    add(&request, NFQA_CFG_CMD, &bind_to, sizeof bind_to);
    ask(queue->fd, &request, "bind to the queue");
    begin(&request, NFQNL_MSG_CONFIG, NLM_F_ACK, number);
    add(&request, NFQA_CFG_PARAMS, &copy, sizeof copy);
    ask(queue->fd, &request, "choose what is copied");
    begin(&request, NFQNL_MSG_CONFIG, NLM_F_ACK, number);
    add(&request, NFQA_CFG_QUEUE_MAXLEN, &most, sizeof most);
    add(&request, NFQA_CFG_FLAGS, &whole, sizeof whole);
    add(&request, NFQA_CFG_MASK, &whole, sizeof whole);
    ask(queue->fd, &request, "take super-packets whole");
    if (fcntl(queue->fd, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
}

static void verdict(struct queue *queue, int type, uint32_t what, uint32_t id) {
    struct request request;
    struct nfqnl_msg_verdict_hdr header = {htonl(what), htonl(id)};
    begin(&request, type, 0, queue->number);
    add(&request, NFQA_VERDICT_HDR, &header, sizeof header);
    while (send(queue->fd, &request, request.header.nlmsg_len, 0) < 0)
        if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS) fail("verdict");
}

/* ---- packets --------------------------------------------------------------------------------------------------- */

static double uniform(struct queue *queue) { /* in (0, 1): xorshift64* */
    queue->random ^= queue->random >> 12;
    queue->random ^= queue->random << 25;
    queue->random ^= queue->random >> 27;
    return ((queue->random * 0x2545F4914F6CDD1DULL >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(struct queue *queue) {
    return sqrt(-2 * log(uniform(queue))) * cos(2 * M_PI * uniform(queue));
}

static uint32_t wire_bytes(const uint8_t *ip, size_t size) {
    if (size < 4) return 0;
    uint32_t bytes = (uint32_t)ip[2] << 8 | ip[3];
    uint32_t segments = bytes > TCP_PAYLOAD + TCP_HEADERS - ETHERNET
                            ? (bytes - (TCP_HEADERS - ETHERNET) + TCP_PAYLOAD - 1) / TCP_PAYLOAD
                            : 1;
    return bytes + ETHERNET + (segments - 1) * TCP_HEADERS;
}

static void hold(struct queue *queue, uint32_t id, uint32_t bytes, int64_t came) {
    double *last = &passed[queue->link];
    *last = (came > *last ? came : *last) + bytes * queue->link_ns_per_byte;
    queue->taken++;
    if (queue->loss > 0 && uniform(queue) < queue->loss) {
        queue->dropped++;
        verdict(queue, NFQNL_MSG_VERDICT, NF_DROP, id);
        return;
    }
    double due = *last + bytes * queue->before_ns_per_byte + queue->delay - offset_ns;
    if (queue->deviation) due += queue->deviation * normal(queue);
    if (due < queue->last_due) due = queue->last_due; /* packets of a path stay in order */
    queue->last_due = due;
    queue->ring[queue->end++ % MOST_HELD] = (struct packet){due, id};
}

/* When a packet came, on the monotonic clock, which is `ahead` of the calendar's that netfilter's stamp is from. */
static int64_t stamped(const struct nfqnl_msg_packet_timestamp *stamp, int64_t ahead, int64_t latest) {
    int64_t came = (int64_t)be64toh(stamp->sec) * SECOND + (int64_t)be64toh(stamp->usec) * 1000 + ahead;
    return came <= latest && came > latest - SECOND ? came : latest; /* somebody has set the calendar's clock */
}

static void take_one(struct queue *queue, const struct nlmsghdr *message, int64_t ahead, int64_t latest) {
    const struct nlattr *attribute = (void *)((char *)NLMSG_DATA(message) + NLMSG_ALIGN(sizeof(struct nfgenmsg)));
    int left = (int)message->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg));
    const uint8_t *ip = NULL;
    size_t size = 0;
    int known = 0;
    uint32_t id = 0;
    int64_t came = latest;
    while (left >= NLA_HDRLEN && attribute->nla_len >= NLA_HDRLEN && attribute->nla_len <= left) {
        const void *value = (const char *)attribute + NLA_HDRLEN;
        if ((attribute->nla_type & NLA_TYPE_MASK) == NFQA_PACKET_HDR) {
            id = ntohl(((const struct nfqnl_msg_packet_hdr *)value)->packet_id);
            known = 1;
        } else if ((attribute->nla_type & NLA_TYPE_MASK) == NFQA_TIMESTAMP) {
            came = stamped(value, ahead, latest);
        } else if ((attribute->nla_type & NLA_TYPE_MASK) == NFQA_PAYLOAD) {
            ip = value;
            size = attribute->nla_len - NLA_HDRLEN;
        }
        left -= NLA_ALIGN(attribute->nla_len);
        attribute = (const void *)((const char *)attribute + NLA_ALIGN(attribute->nla_len));
    }
    if (known) hold(queue, id, wire_bytes(ip, ip ? size : 0), came);
}

/* Read what has come. */
static void take(struct queue *queue) {
    static char room[BATCH][MESSAGE_BYTES] __attribute__((aligned(8)));
    static struct iovec vectors[BATCH];
    static struct mmsghdr messages[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){room[i], MESSAGE_BYTES};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int64_t latest = now(), ahead = latest - clock_ns(CLOCK_REALTIME);
        int got = recvmmsg(queue->fd, messages, BATCH, MSG_DONTWAIT, NULL);
        if (got < 0 && errno == ENOBUFS) {
            queue->overrun++;
            continue;
        }
        for (int i = 0; i < got; i++) {
            const struct nlmsghdr *message = (void *)room[i];
            if ((message->nlmsg_type & 0xff) == NFQNL_MSG_PACKET) take_one(queue, message, ahead, latest);
        }
        if (got < BATCH) return;
    }
}

static void release(struct queue *queue, int64_t time) {
    uint32_t first = queue->first, id = 0;
    while (queue->first != queue->end && queue->ring[queue->first % MOST_HELD].due <= time) {
        struct packet *packet = &queue->ring[queue->first++ % MOST_HELD];
        int64_t late = time - packet->due;
        queue->late_sum += late;
        if (late > queue->late_max) queue->late_max = late;
        id = packet->id;
    }
    if (queue->first == first) return;
    queue->released += queue->first - first;
    verdict(queue, NFQNL_MSG_VERDICT_BATCH, NF_ACCEPT, id); /* of all up to this one */
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

static void change(struct queue *queue, int64_t delay, int64_t deviation, double loss, double link, double before) {
    queue->delay = delay;
    queue->deviation = deviation;
    queue->loss = loss;
    queue->link_ns_per_byte = link;
    queue->before_ns_per_byte = before;
}

static void obey(char *line) {
    int n;
    double loss, ns_per_byte, before;
    long long delay, deviation, value;
    unsigned long long seed;
    if (sscanf(line, "change %d %lld %lld %lf %lf %lf", &n, &delay, &deviation, &loss, &ns_per_byte, &before) == 6 &&
        n >= 0 && n < count) {
        change(&queues[n], delay, deviation, loss, ns_per_byte, before);
        printf("ok\n");
    } else if (sscanf(line, "reset %d %llu", &n, &seed) == 2 && n >= 0 && n < count) {
        struct queue *queue = &queues[n];
        queue->random = seed * 2 + 1;
        queue->taken = queue->released = queue->dropped = queue->overrun = queue->late_max = queue->late_sum = 0;
        printf("ok\n");
    } else if (sscanf(line, "counts %d", &n) == 1 && n >= 0 && n < count) {
        struct queue *queue = &queues[n];
        printf("ok %u %llu %llu %llu %llu %lld %lld\n", queue->end - queue->first, (unsigned long long)queue->taken,
               (unsigned long long)queue->released, (unsigned long long)queue->dropped,
               (unsigned long long)queue->overrun, (long long)queue->late_max, (long long)queue->late_sum);
    } else if (sscanf(line, "offset %lld", &value) == 1) {
        offset_ns = value;
        printf("ok\n");
    } else {
        printf("error unknown command\n");
    }
    fflush(stdout);
}

/* Obey all whole lines that have come; 0 at the end of input. */
static int hear(void) {
    static char text[4096];
    static size_t filled;
    ssize_t got = read(STDIN_FILENO, text + filled, sizeof text - 1 - filled);
    if (got <= 0) return got < 0 && errno == EINTR;
    filled += got;
    text[filled] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        obey(line);
        line = end + 1;
    }
    filled -= line - text;
    memmove(text, line, filled);
    return 1;
}

static int64_t next_due(void) {
    int64_t due = INT64_MAX;
    for (int i = 0; i < count; i++)
        if (queues[i].first != queues[i].end && queues[i].ring[queues[i].first % MOST_HELD].due < due)
            due = queues[i].ring[queues[i].first % MOST_HELD].due;
    return due;
}

/* How long to sleep at `time` for a packet that is due at `due`. Once awake for it, spin. */
static int64_t nap(int64_t due, int64_t time) {
    static int64_t awake_for = -1, awake_from;
    if (due != awake_for) {
        int64_t spin = (due - time) / SPIN_SHARE;
        awake_for = due;
        awake_from = due - (spin < SHORTEST_SPIN ? SHORTEST_SPIN : spin > LONGEST_SPIN ? LONGEST_SPIN : spin);
    }
    return awake_from > time ? awake_from - time : 0;
}

/* Packets are stamped as they come while any socket of the machine asks for stamps. */
static void ask_for_stamps(void) {
    int yes = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes) < 0) fail("time stamps");
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: delay_line OFFSET_NS PID:QUEUE:LINK...\n");
        return 2;
    }
    offset_ns = atoll(argv[1]);
    count = argc - 2;
    queues = calloc(count, sizeof *queues);
    passed = calloc(count, sizeof *passed);
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (!queues || !passed || poll < 0) fail("start");
    for (int i = 0; i < count; i++) {
        long pid;
        unsigned number;
        if (sscanf(argv[i + 2], "%ld:%u:%d", &pid, &number, &queues[i].link) != 3 || queues[i].link < 0 ||
            queues[i].link >= count) {
            fprintf(stderr, "delay_line: %s is not PID:QUEUE:LINK\n", argv[i + 2]);
            return 2;
        }
        open_queue(&queues[i], pid, number);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, queues[i].fd, &event) < 0) fail("epoll");
    }
    struct epoll_event commands = {.events = EPOLLIN, .data.u32 = count};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &commands) < 0) fail("epoll");
    ask_for_stamps();
    prctl(PR_SET_TIMERSLACK, 1);
    prctl(PR_SET_PDEATHSIG, 9);
    struct sched_param priority = {.sched_priority = LEAST_PRIORITY};
    int exact = sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
    printf("ready %s\n", exact ? "real-time" : "ordinary");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int64_t due = next_due(), wait = nap(due, now());
        struct timespec timeout = {wait / SECOND, wait % SECOND};
        int ready = epoll_pwait2(poll, events, 64, due == INT64_MAX ? NULL : &timeout, NULL);
        if (ready < 0 && errno != EINTR) fail("epoll_pwait2");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.u32 == (uint32_t)count) {
                if (!hear()) return 0;
            } else {
                take(&queues[events[i].data.u32]);
            }
        }
        int64_t time = now();
        for (int i = 0; i < count; i++) release(&queues[i], time);
    }
}
