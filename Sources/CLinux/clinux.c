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

bool clinux_finish_output(void) { return fflush(stdout) == 0 && !ferror(stdout); }
