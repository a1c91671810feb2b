// Access to a mapped extent against plain memory: the descriptor that C020h hands out, and a memfd of our own.
//
//     access HOST-SOCKET REQUEST-HEX ROUNDS
//
// REQUEST is C020h as it stands on the link. Both are mapped in the same way and walked in turns: all in sequence (read, write) and
// in random order (read, write). Prints one JSON object with the ns per access of each round: [extent, memfd].
#include "bench.h"
#include <sys/mman.h>

enum { most_rounds = 101, random_accesses = 1 << 21 };

static uint64_t sink;

static void *map(int fd, size_t size, off_t offset) {
    void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (p == MAP_FAILED) die("mmap");
    return p;
}

// Pages come in turns, so that both have the same share of what physical memory has to offer.
static void touch(uint64_t *a, uint64_t *b, size_t size) {
    for (size_t i = 0; i < size / 8; i += 512) a[i] = b[i] = 1;
}

// Time that this process has had on a processor: what others do at the same time does not count.
static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double walk(uint64_t *p, size_t words, int kind) {
    uint64_t start = cpu_ns(), sum = 0, place = 12345;
    size_t count = words;
    switch (kind) {
    case 0:
        for (size_t i = 0; i < words; i++) sum += p[i];
        break;
    case 1:
        for (size_t i = 0; i < words; i++) ((volatile uint64_t *)p)[i] = i;
        break;
    default:
        count = random_accesses;
        for (size_t i = 0; i < random_accesses; i++) {
            place = place * 6364136223846793005u + 1442695040888963407u;
            uint64_t *word = &p[(place >> 20) % words];
            if (kind == 2) sum += *word;
            else *(volatile uint64_t *)word = i;
        }
    }
    sink += sum;
    return (double)(cpu_ns() - start) / (double)count;
}

int main(int argc, char **argv) {
    if (argc != 4) complain("usage: access HOST-SOCKET REQUEST-HEX ROUNDS");
    size_t size;
    unsigned char *request = from_hex(argv[2], &size), answer[4096];
    int rounds = atoi(argv[3]), link = unix_connect(argv[1], SOCK_SEQPACKET), fd = -1;
    if (rounds < 1 || rounds > most_rounds) complain("bad number");
    if (send(link, request, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {answer, sizeof answer};
    struct msghdr m = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(link, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (n < 17 + 32 || !c || c->cmsg_type != SCM_RIGHTS) complain("no descriptor came");
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    // Payload: start, length, offset, flags; see protocol/README.md.
    uint64_t length, offset;
    memcpy(&length, answer + 17 + 8, 8);
    memcpy(&offset, answer + 17 + 16, 8);

    int plain = memfd_create("plain", MFD_CLOEXEC);
    if (plain < 0 || ftruncate(plain, (off_t)length)) die("memfd");
    uint64_t *memory[2] = {map(fd, length, (off_t)offset), map(plain, length, 0)};
    touch(memory[0], memory[1], length);
    static const char *names[] = {"sequential read", "sequential write", "random read", "random write"};
    printf("{");
    for (int kind = 0; kind < 4; kind++) {
        static double times[2][most_rounds];
        for (int round = 0; round < rounds; round++)
            for (int i = 0; i < 2; i++) {
                // Who goes first changes.
                int which = (round + i) & 1;
                times[which][round] = walk(memory[which], length / 8, kind);
            }
        printf("%s\"%s\": [", kind ? ", " : "", names[kind]);
        for (int round = 0; round < rounds; round++)
            printf("%s[%.4f, %.4f]", round ? ", " : "", times[0][round], times[1][round]);
        printf("]");
    }
    printf(", \"bytes\": %llu}\n", (unsigned long long)length);
    return sink == 42;
}
