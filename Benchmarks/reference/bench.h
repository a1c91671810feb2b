// What the programs here share: clock, histogram of latencies, sockets, hexadecimal arguments.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline _Noreturn void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline _Noreturn void complain(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Latencies in buckets that are at most 1/64 wide (1.6 %), so that recording costs a few instructions and no memory grows.
struct histogram {
    uint64_t counts[64 * 64];
    uint64_t total, largest;
};

static inline unsigned histogram_bucket(uint64_t ns) {
    if (ns < 64) return (unsigned)ns;
    unsigned shift = 57 - (unsigned)__builtin_clzll(ns);
    return (shift + 1) * 64 + (unsigned)((ns >> shift) - 64);
}

static inline void histogram_add(struct histogram *h, uint64_t ns) {
    h->counts[histogram_bucket(ns)]++;
    h->total++;
    if (ns > h->largest) h->largest = ns;
}

// The upper end of the bucket below which `part` of all values lie.
static inline uint64_t histogram_percentile(const struct histogram *h, double part) {
    uint64_t wanted = (uint64_t)(part * (double)h->total), seen = 0;
    for (unsigned i = 0; i < 64 * 64; i++) {
        seen += h->counts[i];
        if (seen > wanted || seen == h->total) {
            uint64_t end = i < 64 ? i : ((uint64_t)(64 + i % 64 + 1) << (i / 64 - 1)) - 1;
            return end < h->largest ? end : h->largest;
        }
    }
    return h->largest;
}

static inline void histogram_print(const struct histogram *h) {
    printf("\"p50\": %llu, \"p90\": %llu, \"p99\": %llu, \"p999\": %llu, \"max\": %llu",
           (unsigned long long)histogram_percentile(h, 0.5), (unsigned long long)histogram_percentile(h, 0.9),
           (unsigned long long)histogram_percentile(h, 0.99), (unsigned long long)histogram_percentile(h, 0.999),
           (unsigned long long)h->largest);
}

static inline int socket_type(const char *name) {
    if (!strcmp(name, "seqpacket")) return SOCK_SEQPACKET;
    if (!strcmp(name, "stream")) return SOCK_STREAM;
    complain("socket type: seqpacket or stream");
}

static inline struct sockaddr_un unix_address(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) complain("path too long");
    strcpy(a.sun_path, path);
    return a;
}

static inline int unix_connect(const char *path, int type) {
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die(path);
    return fd;
}

static inline int unix_listen(const char *path, int type) {
    struct sockaddr_un a = unix_address(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024)) die(path);
    return fd;
}

// Bytes of a hexadecimal text.
static inline unsigned char *from_hex(const char *text, size_t *size) {
    *size = strlen(text) / 2;
    unsigned char *bytes = malloc(*size + 1);
    if (!bytes) die("malloc");
    for (size_t i = 0; i < *size; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) complain("bad hexadecimal argument");
        bytes[i] = (unsigned char)value;
    }
    return bytes;
}
