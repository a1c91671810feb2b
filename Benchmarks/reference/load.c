// Keeps requests in flight on links and measures: the same client for fmapid and for the reference.
//
//     load PATH seqpacket|stream LINKS DEPTH MILLISECONDS|nCOUNT ANSWER-HEX REQUEST-HEX... [--every MICROSECONDS] [--any]
//
// Every link sends the requests in turn, each as soon as the answer to the one DEPTH places before it has come. All answers must
// have ANSWER's size, and a link's first one its bytes, unless --any says that they change. nCOUNT sends COUNT requests on each link.
// One is answered at least. --every sends at random times with this mean (one link, one in flight); a request that had to wait for
// the answer to the one before counts from the time that it was due, so a stall is not one slow request but all that it held up.
// Prints one JSON object: requests, seconds, latencies in ns.
#include "bench.h"
#include <sys/epoll.h>

enum { events = 256, room = 64 * 1024, deepest = 64 };

struct link {
    int fd;
    unsigned next, oldest;  // request to send, and to be answered
    size_t pending;         // bytes of an unfinished answer
    uint64_t sent, answered;
    uint64_t times[deepest];
};

static struct histogram latencies;
static unsigned char *requests[deepest], *expected, *burst, buffer[room];
static size_t request_size, answer_size;
static unsigned depth, kinds, links;
static int type, any;
static uint64_t per_link = UINT64_MAX;

static void send_more(struct link *l, unsigned count, uint64_t now) {
    if (l->sent + count > per_link) count = (unsigned)(per_link - l->sent);
    if (count == 0) return;
    for (unsigned i = 0; i < count; i++) l->times[(l->sent + i) % deepest] = now;
    if (type == SOCK_STREAM) {
        // `burst` has all kinds twice, so that any run of up to DEPTH lies in one piece.
        size_t bytes = count * request_size;
        if (send(l->fd, burst + (l->next % kinds) * request_size, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) die("send");
        l->next += count;
    } else {
        for (unsigned i = 0; i < count; i++)
            if (send(l->fd, requests[l->next++ % kinds], request_size, MSG_NOSIGNAL) != (ssize_t)request_size) die("send");
    }
    l->sent += count;
}

static void check_first(const unsigned char *bytes, size_t size) {
    if (size != answer_size || (!any && memcmp(bytes, expected, size))) complain("the first answer is not the expected one");
}

// Reads what has come; answers how many answers that completes.
static unsigned receive(struct link *l) {
    unsigned answers = 0;
    if (type == SOCK_STREAM) {
        ssize_t n = read(l->fd, buffer, sizeof buffer);
        if (n <= 0) die("read");
        if (l->answered == 0 && l->pending == 0 && (size_t)n >= answer_size) check_first(buffer, answer_size);
        l->pending += (size_t)n;
        answers = (unsigned)(l->pending / answer_size);
        l->pending %= answer_size;
    } else {
        ssize_t n;
        while (answers < depth && (n = recv(l->fd, buffer, sizeof buffer, answers ? MSG_DONTWAIT : 0)) > 0) {
            if (l->answered == 0 && answers == 0) check_first(buffer, (size_t)n);
            if ((size_t)n != answer_size) complain("an answer has another size");
            answers++;
        }
        if (answers == 0) die("recv");
    }
    uint64_t now = now_ns();
    for (unsigned i = 0; i < answers; i++) histogram_add(&latencies, now - l->times[(l->answered + i) % deepest]);
    l->answered += answers;
    return answers;
}

// Reads what has come, and sends as many requests again.
static unsigned exchange(struct link *l) {
    unsigned answers = receive(l);
    send_more(l, answers, now_ns());
    return answers;
}

static void wait_until(uint64_t when) {
    struct timespec t = {.tv_sec = (time_t)(when / 1000000000u), .tv_nsec = (long)(when % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) == EINTR) continue;
}

int main(int argc, char **argv) {
    if (argc < 8) complain("usage: load PATH TYPE LINKS DEPTH MILLISECONDS|nCOUNT ANSWER-HEX REQUEST-HEX... [--every US] [--any]");
    type = socket_type(argv[2]);
    links = (unsigned)atoi(argv[3]);
    depth = (unsigned)atoi(argv[4]);
    uint64_t duration = UINT64_MAX, every = 0;
    if (argv[5][0] == 'n') per_link = strtoull(argv[5] + 1, 0, 10);
    else duration = strtoull(argv[5], 0, 10) * 1000000u;
    expected = from_hex(argv[6], &answer_size);
    for (int i = 7; i < argc; i++) {
        if (!strcmp(argv[i], "--every") && i + 1 < argc) {
            every = strtoull(argv[++i], 0, 10) * 1000u;
            continue;
        }
        if (!strcmp(argv[i], "--any")) {
            any = 1;
            continue;
        }
        size_t size;
        if (kinds == deepest) complain("too many requests");
        requests[kinds++] = from_hex(argv[i], &size);
        if (request_size && size != request_size) complain("requests differ in size");
        request_size = size;
    }
    if (links < 1 || depth < 1 || depth > kinds || answer_size == 0 || (every && (links > 1 || depth > 1)))
        complain("bad number");
    burst = malloc(2 * kinds * request_size);
    struct link *all = calloc(links, sizeof *all);
    if (!burst || !all) die("malloc");
    for (unsigned i = 0; i < 2 * kinds; i++) memcpy(burst + i * request_size, requests[i % kinds], request_size);

    int set = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < links; i++) {
        all[i].fd = unix_connect(argv[1], type);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(set, EPOLL_CTL_ADD, all[i].fd, &event)) die("epoll");
    }
    uint64_t start = now_ns(), end = duration == UINT64_MAX ? UINT64_MAX : start + duration, answered = 0;
    uint64_t wanted = per_link == UINT64_MAX ? UINT64_MAX : per_link * links, due = start;
    if (every) {
        uint64_t state = 0x9E3779B97F4A7C15u;
        while ((!answered || now_ns() < end) && answered < wanted) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            due += every / 2 + (state >> 33) % every;
            int late = now_ns() > due;
            wait_until(due);
            send_more(&all[0], 1, late ? due : now_ns());
            answered += receive(&all[0]);
        }
    } else {
        for (unsigned i = 0; i < links; i++) send_more(&all[i], depth, now_ns());
        while (answered < wanted && (!answered || end == UINT64_MAX || now_ns() < end)) {
            if (links == 1) {
                answered += exchange(&all[0]);
                continue;
            }
            struct epoll_event ready[events];
            int n = epoll_wait(set, ready, events, -1);
            for (int i = 0; i < n; i++) answered += exchange(ready[i].data.ptr);
        }
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"requests\": %llu, \"seconds\": %.9f, ", (unsigned long long)answered, seconds);
    histogram_print(&latencies);
    printf("}\n");
    return 0;
}
