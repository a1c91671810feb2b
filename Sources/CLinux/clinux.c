#include "CLinux.h"

#include <sys/resource.h>

unsigned long long clinux_file_size_limit(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_FSIZE, &r) ? RLIM_INFINITY : r.rlim_cur;
}

unsigned long long clinux_descriptor_limit(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_NOFILE, &r) ? RLIM_INFINITY : r.rlim_cur;
}
