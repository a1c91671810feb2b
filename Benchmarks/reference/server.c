// The limit that fmapid is held against: an epoll server that reads requests of a fixed size and gives each the same answer.
//
//     server PATH|inherited seqpacket|stream REQUEST-SIZE ANSWER-HEX [DRAIN [FILE]]
//
// DRAIN is how many datagrams it takes from a socket at a time: as many as its peer keeps in flight, so that it never asks a
// socket in vain. A stream is read once and answered with one write. "inherited" takes the listening socket 3, as systemd
// passes it. With FILE, each request is appended to it and on the disk before the answer to a datagram leaves;
// datagrams of another size than REQUEST-SIZE are answered at once, as commands are that change nothing.
#include "bench.h"
#include <fcntl.h>
#include <sys/epoll.h>

enum { events = 256, room = 64 * 1024, record = 128 };

static unsigned char in[room], *out;
static size_t request, answer;
static size_t partial[65536];  // bytes of an unfinished request, by descriptor
static int file = -1;

static int serve_datagrams(int fd, int drain) {
    for (int i = 0; i < drain; i++) {
        ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return 1;
        if (n <= 0) return 0;
        if (file >= 0 && (size_t)n == request && (write(file, in, record) != record || fdatasync(file))) die("append");
        if (send(fd, out, answer, MSG_NOSIGNAL) != (ssize_t)answer) return 0;
    }
    return 1;
}

static int serve_stream(int fd) {
    ssize_t n = read(fd, in, sizeof in);
    if (n <= 0) return 0;
    size_t bytes = partial[fd] + (size_t)n, answers = bytes / request;
    partial[fd] = bytes % request;
    while (answers > 0) {
        size_t now = answers < room / answer ? answers : room / answer;
        if (send(fd, out, now * answer, MSG_NOSIGNAL) != (ssize_t)(now * answer)) return 0;
        answers -= now;
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 5) complain("usage: server PATH|inherited seqpacket|stream REQUEST-SIZE ANSWER-HEX [DRAIN [FILE]]");
    int type = socket_type(argv[2]);
    int listener = strcmp(argv[1], "inherited") ? unix_listen(argv[1], type) : 3;
    int drain = argc > 5 ? atoi(argv[5]) : 1;
    request = (size_t)atoi(argv[3]);
    unsigned char *canned = from_hex(argv[4], &answer);
    if (argc > 6 && (file = open(argv[6], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)) < 0) die(argv[6]);
    if (request == 0 || answer == 0 || answer > room || drain < 1) complain("bad size");
    out = malloc(room);
    if (!out) die("malloc");
    for (size_t i = 0; i + answer <= room; i += answer) memcpy(out + i, canned, answer);

    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ready[events], event = {.events = EPOLLIN, .data.fd = listener};
    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, listener, &event)) die("epoll");
    for (;;) {
        int n = epoll_wait(set, ready, events, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                event.data.fd = accept4(listener, 0, 0, SOCK_CLOEXEC);
                if (event.data.fd < 0 || event.data.fd >= 65536) continue;
                partial[event.data.fd] = 0;
                epoll_ctl(set, EPOLL_CTL_ADD, event.data.fd, &event);
            } else if (!(type == SOCK_STREAM ? serve_stream(fd) : serve_datagrams(fd, drain))) {
                close(fd);
            }
        }
    }
}
