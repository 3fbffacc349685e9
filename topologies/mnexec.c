/* mnexec: start a program in a network namespace, as Mininet's nodes ask for it.
 *
 *   mnexec [-f FD] [-c] [-d] [-n] [-p] [-a PID] [-g GROUP] [-r PRIORITY] [PROGRAM [ARGUMENT]...]
 *
 *   -c  close all file descriptors but standard input, output and error
 *   -d  detach from the terminal: become the leader of a new session
 *   -n  enter a new network namespace and a new mount namespace, with a /sys that shows the former
 *   -f  enter the network namespace of descriptor FD, and a new mount namespace with a /sys that shows it
 *   -p  print byte 1 and the process id on a line: the namespace exists when the line appears
 *   -a  enter the network and mount namespaces of process PID
 *   -g  join control group GROUP
 *   -r  run under the real-time scheduler with PRIORITY
 *   -v  print a version
 *
 * Options act in the order given. Exit status 1 and a line on standard error where one fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LAST_STANDARD_DESCRIPTOR 2

static void fail(const char *what) {
    fprintf(stderr, "mnexec: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long number(const char *text, const char *option) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *text == '\0' || *end != '\0' || value < 0 || value > INT_MAX) {
        fprintf(stderr, "mnexec: %s needs a number, got %s\n", option, text);
        exit(1);
    }
    return value;
}

static void close_descriptors(void) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, LAST_STANDARD_DESCRIPTOR + 1, ~0U, 0) == 0) return;
#endif
    for (long fd = sysconf(_SC_OPEN_MAX); fd > LAST_STANDARD_DESCRIPTOR; fd--) close((int)fd);
}

static void detach(void) {
    /* A process group's leader cannot start a session; its child can. */
    if (getpgrp() == getpid()) {
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child > 0) _exit(0);
    }
    if (setsid() < 0) fail("setsid");
}

static void show_namespace(void) {
    /* Mounts made here stay here; those of the machine still arrive. */
    if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) fail("private mounts");
    if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) fail("mounting /sys");
}

static void new_namespace(void) {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) fail("a new network namespace");
    show_namespace();
}

static void enter_descriptor(int fd) {
    if (setns(fd, CLONE_NEWNET) < 0) fail("entering the network namespace of a descriptor");
    if (unshare(CLONE_NEWNS) < 0) fail("a new mount namespace");
    show_namespace();
}

static void enter(long pid, const char *kind, int type) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/ns/%s", pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, type) < 0) fail(path);
    close(fd);
}

static void attach(long pid) {
    char directory[PATH_MAX];
    int known = getcwd(directory, sizeof directory) != NULL;
    enter(pid, "net", CLONE_NEWNET);
    enter(pid, "mnt", CLONE_NEWNS); /* puts us at the root */
    if (known && chdir(directory) < 0) fail(directory);
}

static void join_group(const char *group) {
    /* Version 2 of control groups has one tree, version 1 one for each controller. */
    static const char *const files[] = {"/sys/fs/cgroup/%s/cgroup.procs", "/sys/fs/cgroup/cpu/%s/tasks",
                                        "/sys/fs/cgroup/cpuacct/%s/tasks", "/sys/fs/cgroup/cpuset/%s/tasks"};
    int joined = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, files[i], group);
        FILE *file = fopen(path, "w");
        if (!file) continue;
        int written = fprintf(file, "%d\n", getpid()) > 0;
        if (fclose(file) == 0 && written) joined = 1;
    }
    if (!joined) {
        fprintf(stderr, "mnexec: control group %s cannot be joined\n", group);
        exit(1);
    }
}

static void real_time(long priority) {
    struct sched_param parameter = {.sched_priority = (int)priority};
    if (sched_setscheduler(0, SCHED_RR, &parameter) < 0) fail("the real-time scheduler");
}

int main(int argc, char *argv[]) {
    int option;
    while ((option = getopt(argc, argv, "+cdnpf:a:g:r:v")) != -1) {
        switch (option) {
        case 'c': close_descriptors(); break;
        case 'd': detach(); break;
        case 'n': new_namespace(); break;
        case 'f': enter_descriptor((int)number(optarg, "-f")); break;
        case 'p': printf("\001%d\n", getpid()); fflush(stdout); break;
        case 'a': attach(number(optarg, "-a")); break;
        case 'g': join_group(optarg); break;
        case 'r': real_time(number(optarg, "-r")); break;
        case 'v': puts("mnexec of gradwire"); return 0;
        default: return 1; /* getopt said why */
        }
    }
    if (optind == argc) return 0;
    execvp(argv[optind], argv + optind);
    fail(argv[optind]);
}
