/* What a disk, a network file system and a clock may do, put between a program and its C library (LD_PRELOAD).
 *
 * The file that FAULTS names says what happens, and may change while the program runs:
 *
 *   <errno> <path> <seconds>
 *
 * opening, reading and stat'ing an open file under <path> fails with <errno> (0: nothing fails); the wall clock is <seconds> ahead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int told(char *path, long long *ahead) {
    char text[4200] = "";
    int number = 0;
    *ahead = 0;
    path[0] = 0;
    int file = syscall(SYS_openat, AT_FDCWD, getenv("FAULTS") ? getenv("FAULTS") : "", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    long size = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (size <= 0 || sscanf(text, "%d %4095s %lld", &number, path, ahead) < 3)
        return 0;
    return number;
}

static int fails(const char *name) {
    char path[4096];
    long long ahead;
    int number = told(path, &ahead);
    if (!number || strncmp(name, path, strlen(path)))
        return 0;
    errno = number;
    return 1;
}

static int fails_at(int file) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, name, sizeof name - 1);
    if (size <= 0)
        return 0;
    name[size] = 0;
    return fails(name);
}

ssize_t pread64(int file, void *into, size_t size, off64_t place) {
    return fails_at(file) ? -1 : syscall(SYS_pread64, file, into, size, place);
}

ssize_t pread(int file, void *into, size_t size, off_t place) { return pread64(file, into, size, place); }

int fstat64(int file, struct stat64 *status) {
    return fails_at(file) ? -1 : syscall(SYS_newfstatat, file, "", status, AT_EMPTY_PATH);
}

int fstat(int file, struct stat *status) { return fstat64(file, (struct stat64 *)status); }

int open64(const char *name, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = va_arg(more, int);
    va_end(more);
    return fails(name) ? -1 : syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    char path[4096];
    long long ahead;
    int answer = syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME) {
        told(path, &ahead);
        now->tv_sec += ahead;
    }
    return answer;
}
