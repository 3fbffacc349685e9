/* Keeps the machine's processors from sleeping deeply while a network is emulated in real time.
 *
 * A processor that has slept answers late: on a virtual machine by 0.1 ms, which is a short round trip. Where the kernel
 * manages idle states it is asked for the shallowest (/dev/cpu_dma_latency, for as long as it is open). Where a
 * hypervisor does, every processor gets a thread that spins whenever nobody else wants to run (SCHED_IDLE: any other
 * thread takes the processor from it at once). Prints which of the two, then stays until it is killed or its parent ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DRIVER "/sys/devices/system/cpu/cpuidle/current_driver"

static int kernel_manages_idle(void) {
    char name[64] = "";
    int fd = open(DRIVER, O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
    if (fd >= 0) close(fd);
    return got > 0 && strncmp(name, "none", 4) != 0;
}

static int ask_for_shallow_sleep(void) {
    int32_t microseconds = 0;
    int fd = open("/dev/cpu_dma_latency", O_WRONLY); /* never closed: the wish ends with it */
    return fd >= 0 && write(fd, &microseconds, sizeof microseconds) == sizeof microseconds;
}

static void *spin(void *nothing) {
    for (;;) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
    return nothing;
}

static int spin_on(int processor) {
    pthread_t thread;
    pthread_attr_t how;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_attr_init(&how);
    pthread_attr_setaffinity_np(&how, sizeof one, &one);
    return pthread_create(&thread, &how, spin, NULL);
}

int main(void) {
    cpu_set_t ours;
    struct sched_param none = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (kernel_manages_idle() && ask_for_shallow_sleep()) {
        puts("shallow");
    } else {
        /* Threads inherit the policy; without it they would take time from workers. */
        if (sched_setscheduler(0, SCHED_IDLE, &none) || sched_getaffinity(0, sizeof ours, &ours)) {
            perror("stay_awake");
            return 1;
        }
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &ours) && spin_on(i)) {
                fprintf(stderr, "stay_awake: no thread for processor %d\n", i);
                return 1;
            }
        puts("spinning");
    }
    fflush(stdout);
    for (;;) pause();
}
