#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

unsigned long long clinux_file_size_limit(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_FSIZE, &r) ? RLIM_INFINITY : r.rlim_cur;
}

unsigned long long clinux_raise_descriptor_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r)) return 1024;
    if (r.rlim_cur < r.rlim_max) {
        rlim_t before = r.rlim_cur;
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r)) r.rlim_cur = before;
    }
    return r.rlim_cur;
}

bool clinux_identify_file(const char *path, struct clinux_file_identity *identity) {
    struct statx s;
    if (statx(AT_FDCWD, path, 0, STATX_INO, &s)) return false;
    *identity = (struct clinux_file_identity){s.stx_dev_major, s.stx_dev_minor, s.stx_ino};
    return true;
}

void clinux_hold_standard_streams(void) {
    for (int number = 0; number <= 2; number++)
        // The lowest number that is free is the one that is looked at: those below are held.
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != number) return;
}

bool clinux_finish_output(void) { return fflush(stdout) == 0 && !ferror(stdout); }
