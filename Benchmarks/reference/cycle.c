// Plays fabric manager and hosts on packet links: Add (5604h), accept (4802h), Release (5605h), give back (4803h), over and over.
//
//     cycle FM-SOCKET HOST-SOCKET PAIRS SLOTS WINDOW MILLISECONDS
//     cycle FM-SOCKET HOST-SOCKET fill EXTENTS SIZE [tagged]
//
// %d in HOST-SOCKET is the host's number. Each of the PAIRS is a link of a fabric manager and one of a host; SLOTS cycles run on
// a pair, each of an extent of one block (2 MiB) and a tag of its own, and a link has at most WINDOW requests in flight.
// A round ends early before an event log could be full. Before a round the logs are emptied.
// `fill` has host 0 accept EXTENTS extents of SIZE bytes, without tags or each with its own, and leaves them there.
// Prints one JSON object: steps, seconds, latencies of a step in ns.
#include "bench.h"
#include <sys/epoll.h>

enum { most_pairs = 16, most_slots = 64, message = 2048, cycles_per_round = 24000, block = 2 << 20 };

struct request {
    unsigned char bytes[message];
    size_t size;
};

struct link {
    int fd, pair;
    int queue[most_slots], first, waiting;   // slots that wait for the window
    int flying[most_slots], oldest, flights; // slots in flight, in order
    uint64_t sent[most_slots];
};

static struct link fm[most_pairs], host[most_pairs];
static int step_of[most_pairs][most_slots];
static int pairs, slots, window;
static struct histogram latencies;
static const char *hosts_path;

static void put(struct request *r, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) r->bytes[r->size++] = (unsigned char)(value >> (8 * i));
}

// MCTP transport header to the null EID from EID 32, message type, CCI header.
static void begin(struct request *r, unsigned opcode, size_t payload) {
    r->size = 0;
    put(r, 0xC8200001u, 4);
    put(r, (opcode >> 8) == 0x56 ? 7 : 8, 1);
    put(r, 0, 3);
    put(r, opcode, 2);
    put(r, payload, 3);
    put(r, 0, 4);
}

static void put_extent(struct request *r, uint64_t start, uint64_t length, uint64_t tag) {
    put(r, start, 8);
    put(r, length, 8);
    put(r, tag, 8);
    put(r, tag, 8);
    put(r, 0, 8);
}

static void put_range(struct request *r, uint64_t start, uint64_t length) {
    put(r, start, 8);
    put(r, length, 8);
    put(r, 0, 8);
}

// Header of 5604h (policy 2, prescriptive) and of 5605h (policy 0, by tag).
static void put_initiate(struct request *r, int pair, int policy, uint64_t length, uint64_t tag, uint32_t count) {
    put(r, (uint64_t)pair, 2);
    put(r, (uint64_t)policy, 2);
    put(r, length, 8);
    put(r, tag, 8);
    put(r, tag, 8);
    put(r, count, 4);
}

static void build(struct request *r, int pair, int slot) {
    uint64_t start = (uint64_t)slot * block, tag = (uint64_t)(pair * most_slots + slot + 1) * 0x0101010101010101u;
    switch (step_of[pair][slot]) {
    case 0:
        begin(r, 0x5604, 72);
        put_initiate(r, pair, 2, 0, 0, 1);
        put_extent(r, start, block, tag);
        break;
    case 2:
        begin(r, 0x5605, 32);
        put_initiate(r, pair, 0, block, tag, 0);
        break;
    default:
        begin(r, step_of[pair][slot] == 1 ? 0x4802 : 0x4803, 32);
        put(r, 1, 8);
        put_range(r, start, block);
    }
}

static void check_answer(const unsigned char *bytes, ssize_t size) {
    if (size < 17 || (bytes[5] & 15) != 1) complain("that is no answer");
    if (bytes[13] | bytes[14]) {
        fprintf(stderr, "opcode %02x%02xh: return code %04xh, reason %d\n", bytes[9], bytes[8], bytes[13] | bytes[14] << 8,
                bytes[15] | bytes[16] << 8);
        exit(1);
    }
}

// Sends a request and waits for its answer, which is put in its place.
static void call(int fd, struct request *r) {
    if (send(fd, r->bytes, r->size, MSG_NOSIGNAL) != (ssize_t)r->size) die("send");
    ssize_t n = recv(fd, r->bytes, sizeof r->bytes, 0);
    check_answer(r->bytes, n);
    r->size = (size_t)n;
}

// Empties the dynamic capacity log (4) of the CCI behind `fd`. Handles count from 1 to FFFFh and begin again.
static void empty_log(int fd) {
    for (;;) {
        struct request r;
        begin(&r, 0x0100, 1);
        put(&r, 4, 1);
        call(fd, &r);
        const unsigned char *payload = r.bytes + 17;
        unsigned count = payload[0x14] | payload[0x15] << 8, handle = payload[0x20 + 20] | payload[0x20 + 21] << 8;
        int is_more = payload[0] & 2;
        if (count == 0) return;
        // Where the page is not the last one, more follow than fit in a request; so many more is a guess that may be wrong.
        unsigned wanted = is_more ? 250 : count;
        for (;;) {
            begin(&r, 0x0101, 6 + 2 * wanted);
            put(&r, 4, 2);
            put(&r, wanted, 4);
            for (unsigned i = 0; i < wanted; i++) put(&r, (handle - 1 + i) % 65535 + 1, 2);
            if (send(fd, r.bytes, r.size, MSG_NOSIGNAL) < 0) die("send");
            ssize_t n = recv(fd, r.bytes, sizeof r.bytes, 0);
            if (wanted == count || n < 17 || (r.bytes[13] | r.bytes[14]) == 0) {
                check_answer(r.bytes, n);
                break;
            }
            wanted = count;
        }
    }
}

static void fill_window(struct link *l) {
    while (l->waiting > 0 && l->flights < window) {
        int slot = l->queue[l->first];
        struct request r;
        l->first = (l->first + 1) % most_slots;
        l->waiting--;
        build(&r, l->pair, slot);
        int place = (l->oldest + l->flights++) % most_slots;
        l->flying[place] = slot;
        l->sent[place] = now_ns();
        if (send(l->fd, r.bytes, r.size, MSG_NOSIGNAL) != (ssize_t)r.size) die("send");
    }
}

static void enqueue(int pair, int slot) {
    struct link *l = step_of[pair][slot] & 1 ? &host[pair] : &fm[pair];
    l->queue[(l->first + l->waiting++) % most_slots] = slot;
}

// Takes the answers that are there; answers how many.
static uint64_t take_answers(struct link *l, int flags) {
    unsigned char bytes[message];
    uint64_t answers = 0;
    ssize_t n;
    while (l->flights > 0 && (n = recv(l->fd, bytes, sizeof bytes, answers ? MSG_DONTWAIT : flags)) > 0) {
        check_answer(bytes, n);
        int slot = l->flying[l->oldest];
        histogram_add(&latencies, now_ns() - l->sent[l->oldest]);
        l->oldest = (l->oldest + 1) % most_slots;
        l->flights--;
        answers++;
        step_of[l->pair][slot] = (step_of[l->pair][slot] + 1) % 4;
        enqueue(l->pair, slot);
    }
    return answers;
}

static void cycles(const char *fm_path, uint64_t duration) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    for (int pair = 0; pair < pairs; pair++) {
        struct link *both[] = {&fm[pair], &host[pair]};
        for (int i = 0; i < 2; i++) {
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = both[i]};
            if (epoll_ctl(set, EPOLL_CTL_ADD, both[i]->fd, &event)) die("epoll");
        }
        empty_log(host[pair].fd);
        for (int slot = 0; slot < slots; slot++) enqueue(pair, slot);
    }
    empty_log(fm[0].fd);
    (void)fm_path;
    uint64_t start = now_ns(), end = start + duration, steps = 0, most = (uint64_t)cycles_per_round * 4;
    int rest = 1;
    for (int pair = 0; pair < pairs; pair++) fill_window(&fm[pair]);
    while (!steps || (now_ns() < end && steps < most)) {
        if (pairs * slots == 1) {
            struct link *l = fm[0].flights ? &fm[0] : &host[0];
            steps += take_answers(l, 0);
        } else {
            struct epoll_event ready[2 * most_pairs];
            int n = epoll_wait(set, ready, 2 * most_pairs, -1);
            for (int i = 0; i < n; i++) steps += take_answers(ready[i].data.ptr, MSG_DONTWAIT);
        }
        for (int pair = 0; pair < pairs; pair++) fill_window(&fm[pair]), fill_window(&host[pair]);
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"steps\": %llu, \"seconds\": %.9f, ", (unsigned long long)steps, seconds);
    histogram_print(&latencies);
    printf("}\n");

    // Every cycle comes to its end, so that the next round finds the device empty.
    while (rest) {
        rest = 0;
        for (int pair = 0; pair < pairs; pair++) {
            struct link *both[] = {&fm[pair], &host[pair]};
            for (int i = 0; i < 2; i++) {
                struct link *l = both[i];
                // Cycles that are through stay so.
                int kept = 0;
                for (int k = 0; k < l->waiting; k++) {
                    int slot = l->queue[(l->first + k) % most_slots];
                    if (step_of[pair][slot] != 0) l->queue[(l->first + kept++) % most_slots] = slot;
                }
                l->waiting = kept;
                fill_window(l);
                if (l->flights > 0) take_answers(l, 0), rest = 1;
                if (l->waiting > 0) rest = 1;
            }
        }
    }
}

// Each in an order of its own, as UUIDs are; never 0.
static uint64_t tag_of(uint64_t index) { return (index + 1) * 0x9E3779B97F4A7C15u; }

static void fill(uint64_t count, uint64_t size, int tagged) {
    uint64_t start = now_ns(), done = 0;
    while (done < count) {
        unsigned now = count - done < 24 ? (unsigned)(count - done) : 24;
        struct request r;
        begin(&r, 0x5604, 32 + 40 * now);
        put_initiate(&r, 0, 2, 0, 0, now);
        for (unsigned i = 0; i < now; i++) put_extent(&r, (done + i) * size, size, tagged ? tag_of(done + i) : 0);
        call(fm[0].fd, &r);
        begin(&r, 0x4802, 8 + 24 * now);
        put(&r, now, 8);
        for (unsigned i = 0; i < now; i++) put_range(&r, (done + i) * size, size);
        call(host[0].fd, &r);
        done += now;
        if (done % 480 == 0 || done == count) empty_log(host[0].fd), empty_log(fm[0].fd);
    }
    printf("{\"extents\": %llu, \"seconds\": %.9f}\n", (unsigned long long)done, (double)(now_ns() - start) / 1e9);
}

int main(int argc, char **argv) {
    int fills = argc >= 6 && !strcmp(argv[3], "fill"), tagged = fills && argc == 7 && !strcmp(argv[6], "tagged");
    if (argc != (fills ? 6 + tagged : 7))
        complain("usage: cycle FM HOST PAIRS SLOTS WINDOW MILLISECONDS | cycle FM HOST fill EXTENTS SIZE [tagged]");
    pairs = fills ? 1 : atoi(argv[3]);
    slots = fills ? 1 : atoi(argv[4]);
    window = fills ? 1 : atoi(argv[5]);
    hosts_path = argv[2];
    if (pairs < 1 || pairs > most_pairs || slots < 1 || slots > most_slots || window < 1) complain("bad number");
    for (int pair = 0; pair < pairs; pair++) {
        char path[128];
        snprintf(path, sizeof path, hosts_path, pair);
        fm[pair].fd = unix_connect(argv[1], SOCK_SEQPACKET);
        host[pair].fd = unix_connect(path, SOCK_SEQPACKET);
        fm[pair].pair = host[pair].pair = pair;
    }
    if (fills) fill(strtoull(argv[4], 0, 10), strtoull(argv[5], 0, 10), tagged);
    else cycles(argv[1], strtoull(argv[6], 0, 10) * 1000000u);
    return 0;
}
