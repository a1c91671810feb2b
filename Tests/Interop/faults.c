// Has reads, writes and syncs of the state's files fail when a test says so. LD_PRELOAD it into fmapid; FAULTS names a file with
// `struct faults`, which the test and the service share.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { reads = 1, writes = 2, syncs = 4, cuts = 8 };

struct faults {
    int32_t kinds;  // of calls that fail; a sum of the above
    int32_t skip;   // so many of them do not
    int32_t times;  // and then so many do
    int32_t error;
};

static struct faults *faults;

__attribute__((constructor)) static void share(void) {
    int file = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);
    faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || faults == MAP_FAILED) abort();
    close(file);
}

static int fails(int file, int kind) {
    if (!(faults->kinds & kind) || faults->times <= 0) return 0;
    char name[64], path[1024];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "/fmapid.db")) return 0;
    if (faults->skip > 0) {
        faults->skip--;
        return 0;
    }
    faults->times--;
    errno = faults->error;
    return 1;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

ssize_t pread64(int file, void *data, size_t count, off64_t offset) {
    return fails(file, reads) ? -1 : REAL(pread64)(file, data, count, offset);
}

ssize_t pwrite64(int file, const void *data, size_t count, off64_t offset) {
    if (!fails(file, writes)) return REAL(pwrite64)(file, data, count, offset);
    // A full disk takes some of it first.
    int error = errno;
    if (error == ENOSPC && REAL(pwrite64)(file, data, count / 2, offset) < 0) error = errno;
    errno = error;
    return -1;
}

int fdatasync(int file) { return fails(file, syncs) ? -1 : REAL(fdatasync)(file); }
int fsync(int file) { return fails(file, syncs) ? -1 : REAL(fsync)(file); }
int ftruncate64(int file, off64_t length) { return fails(file, cuts) ? -1 : REAL(ftruncate64)(file, length); }

// The same on 64-bit machines, by the names that programs use.
ssize_t pread(int file, void *data, size_t count, off_t offset) { return pread64(file, data, count, offset); }
ssize_t pwrite(int file, const void *data, size_t count, off_t offset) { return pwrite64(file, data, count, offset); }
int ftruncate(int file, off_t length) { return ftruncate64(file, length); }
