/* What Python is too slow for: a well-behaved peer with a stop watch, and peers that connect or send as fast as the kernel lets them.
 *
 *   pace PID PATH MICROSECONDS REQUEST            one request in flight, a pause of so many us between them
 *   flood TYPE PATH[,PATH..] LINKS DATA[,DATA..]  all links send what they can, and read what comes
 *   connect TYPE PATH[,PATH..] COUNT [DATA]       one connection after the other: connect, send DATA, close
 *
 * TYPE is stream or seqpacket; REQUEST and DATA are bytes in hexadecimal. Each prints a line once it has its links. All go on until SIGTERM,
 * `connect` at most COUNT times, but do what they do once at least; then each prints one line of numbers. SIGUSR1 has `pace` forget what it
 * has measured so far.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MOST_LINKS = 1024, MOST_PATHS = 16, MOST_PIECES = 256, MOST_SAMPLES = 1 << 21, PATIENCE = 20 };

static volatile sig_atomic_t ended, begun;

static void note(int signal) { *(signal == SIGUSR1 ? &begun : &ended) = 1; }

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Answers -1 if it is to end while it waits for room in the queue of the listener. */
static int dial(int type, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int number = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (number < 0) fail("socket");
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    while (connect(number, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EINTR) fail("connect");
        if (ended) {
            close(number);
            return -1;
        }
    }
    return number;
}

/* Takes "a,b" apart; answers how many paths there are. */
static size_t split(char *text, char **paths) {
    size_t count = 0;
    for (char *path = strtok(text, ","); path && count < MOST_PATHS; path = strtok(NULL, ",")) paths[count++] = path;
    if (!count) fail("no path");
    return count;
}

static void begin(void) {
    puts("ready");
    fflush(stdout);
}

static int type_of(const char *name) { return strcmp(name, "stream") ? SOCK_SEQPACKET : SOCK_STREAM; }

struct piece {
    unsigned char *bytes;
    size_t length;
};

/* Takes "0a0b,0c" apart; answers how many pieces there are. */
static size_t parse(const char *text, struct piece *pieces) {
    size_t count = 0;
    while (*text && count < MOST_PIECES) {
        size_t digits = strcspn(text, ",");
        struct piece *piece = &pieces[count++];
        piece->length = digits / 2;
        if (!(piece->bytes = malloc(piece->length + 1))) fail("malloc");
        for (size_t i = 0; i < piece->length; i++) {
            char pair[3] = {text[2 * i], text[2 * i + 1], 0};
            piece->bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
        }
        text += digits + (text[digits] == ',');
    }
    return count;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Waits for an answer; false if there is none before the end, or none at all for a long time. The first is waited for beyond the end: otherwise
 * one that comes late could not be told from one that never comes. */
static int is_answered(int link, int is_first) {
    unsigned char answer[65536];
    for (;;) {
        ssize_t got = recv(link, answer, sizeof answer, 0);
        if (got > 0) return 1;
        if (got == 0) fail("closed by the service");
        if (errno == EAGAIN) return 0;
        if (errno != EINTR) fail("recv");
        if (ended && !is_first) return 0;
    }
}

static uint64_t processor_time(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time)) fail("the processor time of the service");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Prints: answers; nanoseconds of the median, the 99th percentile and the longest; and the 99th percentile of the processor time that the
 * service spent meanwhile. */
static void pace(pid_t service, const char *path, long pause, const char *text) {
    struct piece request;
    clockid_t clock;
    uint64_t *samples = malloc(MOST_SAMPLES * sizeof *samples), *costs = malloc(MOST_SAMPLES * sizeof *costs);
    int link = dial(SOCK_SEQPACKET, path);
    size_t count = 0;
    struct timeval patience = {PATIENCE, 0};
    setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!samples || !costs || parse(text, &request) != 1) fail("memory or request");
    if (clock_getcpuclockid(service, &clock)) fail("the service");
    begin();
    while ((!ended || !count) && count < MOST_SAMPLES) {
        if (begun) begun = 0, count = 0;
        uint64_t start = now(), spent = processor_time(clock);
        if (send(link, request.bytes, request.length, MSG_NOSIGNAL) < 0) fail("send");
        int answered = is_answered(link, !count);
        /* Without an answer it took at least as long as until now. */
        if (answered || !count) {
            costs[count] = processor_time(clock) - spent;
            samples[count++] = now() - start;
        }
        if (!answered) break;
        struct timespec time = {0, pause * 1000};
        nanosleep(&time, NULL);
    }
    qsort(samples, count, sizeof *samples, ascending);
    qsort(costs, count, sizeof *costs, ascending);
    printf("%zu %llu %llu %llu %llu\n", count, (unsigned long long)samples[count / 2], (unsigned long long)samples[count * 99 / 100],
           (unsigned long long)samples[count - 1], (unsigned long long)costs[count * 99 / 100]);
}

/* Prints: pieces sent, reads that got something, links that were closed by the service. */
static void flood(int type, char *paths_text, int links, const char *text) {
    char *paths[MOST_PATHS];
    static struct pollfd watched[MOST_LINKS];
    static size_t next[MOST_LINKS], done[MOST_LINKS];
    struct piece pieces[MOST_PIECES];
    unsigned char answer[65536];
    size_t count = parse(text, pieces);
    size_t path_count = split(paths_text, paths);
    uint64_t sent = 0, received = 0, closed = 0;
    if (links > MOST_LINKS || !count) fail("links or data");
    for (int i = 0; i < links; i++) {
        watched[i] = (struct pollfd){dial(type, paths[(size_t)i % path_count]), POLLIN | POLLOUT, 0};
        /* What waits at the end is still read by the service; the attack is the rate, not the rest. */
        int room = 16384;
        setsockopt(watched[i].fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    }
    begin();
    /* The first time, every link can be written. */
    do {
        if (poll(watched, (nfds_t)links, 100) < 0) {
            if (errno != EINTR) fail("poll");
            continue;
        }
        for (int i = 0; i < links; i++) {
            int number = watched[i].fd;
            if (number < 0) continue;
            ssize_t got;
            while (watched[i].revents & (POLLIN | POLLHUP) && (got = recv(number, answer, sizeof answer, MSG_DONTWAIT)) > 0) received++;
            for (int burst = 0; burst < 64 && watched[i].revents & POLLOUT; burst++) {
                struct piece *piece = &pieces[next[i]];
                ssize_t put = send(number, piece->bytes + done[i], piece->length - done[i], MSG_DONTWAIT | MSG_NOSIGNAL);
                if (put < 0 && (errno == EPIPE || errno == ECONNRESET)) {
                    close(number);
                    watched[i].fd = -1;
                    closed++;
                }
                if (put < 0) break;
                /* A stream may take a part of it. */
                done[i] += (size_t)put;
                if (done[i] < piece->length) break;
                done[i] = 0;
                next[i] = (next[i] + 1) % count;
                sent++;
            }
        }
    } while (!ended);
    printf("%llu %llu %llu\n", (unsigned long long)sent, (unsigned long long)received, (unsigned long long)closed);
}

/* Prints: connections, and seconds. */
static void connect_again(int type, char *paths_text, long count, const char *text) {
    char *paths[MOST_PATHS];
    struct piece pieces[MOST_PIECES];
    size_t data = parse(text, pieces), path_count = split(paths_text, paths);
    begin();
    uint64_t start = now();
    long done = 0;
    for (; done < count && (!ended || !done); done++) {
        int link = dial(type, paths[(size_t)done % path_count]);
        if (link < 0) break;
        /* It may have been turned away by now. */
        if (data && send(link, pieces[0].bytes, pieces[0].length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
            fail("send");
        close(link);
    }
    printf("%ld %.3f\n", done, (double)(now() - start) / 1e9);
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGTERM, &action, NULL);
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    if (argc == 6 && !strcmp(argv[1], "pace")) pace(atoi(argv[2]), argv[3], atol(argv[4]), argv[5]);
    else if (argc == 6 && !strcmp(argv[1], "flood")) flood(type_of(argv[2]), argv[3], atoi(argv[4]), argv[5]);
    else if (argc >= 5 && !strcmp(argv[1], "connect")) connect_again(type_of(argv[2]), argv[3], atol(argv[4]), argc > 5 ? argv[5] : "");
    else {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    return 0;
}
