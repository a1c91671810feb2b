/* A small host agent: accepts what the fabric manager offers to a host, maps it, and gives it back when asked.
 *
 *     cc -o host_agent host_agent.c && ./host_agent /run/fmapid/host0.sock
 *
 * SOCKET is a link of role host with the packet binding: one MCTP packet in each datagram of a Unix seqpacket socket, which also
 * carries the descriptors of the memory. Needs C99 and POSIX; protocol/README.md has the layouts. Stop it with SIGTERM: what the
 * host has stays accepted, and the next agent finds it.
 */
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GET_EVENTS = 0x0100, CLEAR_EVENTS = 0x0101, SET_INTERRUPTS = 0x0103, NOTIFICATION = 0x0106 };
enum { GET_EXTENTS = 0x4801, ADD_RESPONSE = 0x4802, RELEASE = 0x4803, GET_DESCRIPTOR = 0xC020 };
enum { OFFERED, ASKED_BACK, TAKEN_AWAY }; /* event types, CXL r3.1 table 8-50 */
enum { INVALID_ADDRESS = 0x000F }; /* return code of C020h where the host has nothing */
enum { HEADER = 4 + 1 + 12, LOG = 4, RECORD = 128, EXTENT = 40, RANGE = 24, MAXIMUM = 1024 };
enum { RANGES = (MAXIMUM - 8) / RANGE }; /* in one request; of a larger group the rest is left alone */

struct mapping {
    struct mapping *next;
    uint64_t start, length;
    void *memory;
    int descriptor;
};

static struct mapping *mappings;
static int link_socket;
static bool has_events; /* the device said so, or has not been asked yet */

static void fail(const char *what) {
    fprintf(stderr, "host_agent: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Little-endian numbers. */
static uint64_t get(const uint8_t *from, int bytes) {
    uint64_t value = 0;
    while (bytes-- > 0) value = value << 8 | from[bytes];
    return value;
}

static void put(uint8_t *to, int bytes, uint64_t value) {
    for (int i = 0; i < bytes; i++, value >>= 8) to[i] = (uint8_t)value;
}

/* The next packet; its size. A descriptor that came with it is in *descriptor, else -1. */
static size_t receive(uint8_t packet[4096], int *descriptor) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec bytes = {packet, 4096};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(link_socket, &message, MSG_CMSG_CLOEXEC);
    if (size < 0) fail("recvmsg");
    if (size < HEADER) exit(0); /* the device closed the link */
    struct cmsghdr *with = CMSG_FIRSTHDR(&message);
    *descriptor = -1;
    if (with && with->cmsg_type == SCM_RIGHTS) memcpy(descriptor, CMSG_DATA(with), sizeof(int));
    return (size_t)size;
}

static void send_packet(const uint8_t *packet, size_t size) {
    if (send(link_socket, packet, size, MSG_NOSIGNAL) != (ssize_t)size) fail("send");
}

/* Notes that the device has events, and says so in return: the same message with category 1, nothing but its header. */
static void answer_notification(const uint8_t *packet) {
    uint8_t answer[HEADER] = {0x01, packet[2], packet[1], 0xC0 | (packet[3] & 7), packet[4], 1, packet[6]};
    put(answer + 8, 2, NOTIFICATION);
    send_packet(answer, sizeof answer);
    has_events = true;
}

/* One request and its answer: the return code. `answer` gets the payload, at most 1,024 bytes, of which there are *size. */
static unsigned command(unsigned opcode, const uint8_t *payload, size_t length, uint8_t *answer, size_t *size, int *descriptor) {
    static uint8_t tag;
    tag++;
    uint8_t packet[4096] = {0x01, 9, 8, 0xC8 | (tag & 7), 0x08, 0, tag};
    int received = -1;
    put(packet + 8, 2, opcode);
    put(packet + 10, 2, length);
    memcpy(packet + HEADER, payload, length);
    send_packet(packet, HEADER + length);
    for (;;) {
        size_t bytes = receive(packet, &received);
        if (packet[5] == 0 && get(packet + 8, 2) == NOTIFICATION) {
            answer_notification(packet);
        } else if (packet[5] == 1 && packet[6] == tag) {
            *size = bytes - HEADER < MAXIMUM ? bytes - HEADER : MAXIMUM;
            memcpy(answer, packet + HEADER, *size);
            if (descriptor) *descriptor = received;
            return (unsigned)get(packet + 13, 2);
        }
    }
}

/* Maps an accepted extent, and reads or writes a line at its start. */
static void map(uint64_t start) {
    uint8_t request[8], answer[MAXIMUM];
    size_t size;
    struct mapping *new = calloc(1, sizeof *new);
    put(request, 8, start);
    if (!new) fail("calloc");
    unsigned code = command(GET_DESCRIPTOR, request, sizeof request, answer, &size, &new->descriptor);
    if (code == INVALID_ADDRESS) { /* 4802h succeeds for an offer that was forced back meanwhile, but nothing comes of it */
        printf("0x%" PRIx64 " was withdrawn\n", start);
        free(new);
        return;
    }
    if (code || size < 25 || new->descriptor < 0) {
        fprintf(stderr, "host_agent: no descriptor for 0x%" PRIx64 ": return code %04Xh\n", start, code);
        exit(1);
    }
    new->start = get(answer, 8);
    new->length = get(answer + 8, 8);
    /* A block can be smaller than a page, so an extent may begin inside of one. */
    uint64_t offset = get(answer + 16, 8), rest = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    uint8_t *base = mmap(NULL, new->length + rest, PROT_READ | PROT_WRITE, MAP_SHARED, new->descriptor, (off_t)(offset - rest));
    if (base == MAP_FAILED) fail("mmap");
    new->memory = base + rest;
    new->next = mappings;
    mappings = new;

    char *line = new->memory;
    printf("mapped 0x%" PRIx64 ", %" PRIu64 " bytes: /proc/%d/fd/%d, offset %" PRIu64 "\n", new->start, new->length,
           (int)getpid(), new->descriptor, offset);
    if (line[0] == 0) {
        snprintf(line, 64, "first mapped by process %d", (int)getpid());
        printf("  wrote: %s\n", line);
    } else {
        printf("  reads: %.63s\n", line);
    }
}

/* Unmaps what lies in a range. */
static void unmap(uint64_t start, uint64_t length) {
    for (struct mapping **at = &mappings; *at;) {
        struct mapping *old = *at;
        if (old->start - start < length) {
            uint64_t rest = (uintptr_t)old->memory % (uint64_t)sysconf(_SC_PAGESIZE);
            munmap((uint8_t *)old->memory - rest, old->length + rest);
            close(old->descriptor);
            *at = old->next;
            free(old);
        } else {
            at = &old->next;
        }
    }
}

/* 4802h or 4803h with `count` ranges, which are those of the extents at `ranges`. */
static bool answer_ranges(unsigned opcode, const uint8_t ranges[][16], unsigned count) {
    uint8_t request[8 + RANGE * RANGES] = {0}, answer[MAXIMUM];
    size_t size;
    put(request, 4, count);
    for (unsigned i = 0; i < count; i++) memcpy(request + 8 + RANGE * i, ranges[i], 16);
    unsigned code = command(opcode, request, 8 + RANGE * count, answer, &size, NULL);
    if (code) fprintf(stderr, "host_agent: %04Xh: return code %04Xh\n", opcode, code);
    return code == 0;
}

/* Does what a group of event records asks for; records of one group follow each other and have the same type. */
static void handle_group(int type, const uint8_t ranges[][16], unsigned count) {
    static const char *const words[] = {"offered", "asked back", "taken away"};
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = get(ranges[i], 8), length = get(ranges[i] + 8, 8);
        printf("%s 0x%" PRIx64 ", %" PRIu64 " bytes\n", words[type], start, length);
        if (type != OFFERED) unmap(start, length);
    }
    if (type == ASKED_BACK) answer_ranges(RELEASE, ranges, count);
    if (type == OFFERED && answer_ranges(ADD_RESPONSE, ranges, count)) {
        for (unsigned i = 0; i < count; i++) map(get(ranges[i], 8));
    }
}

/* Reads the event log until it is empty. */
static void handle_events(void) {
    static uint8_t ranges[RANGES][16];
    static unsigned count; /* of a group that may go on in the next answer */
    uint8_t log = LOG, events[MAXIMUM], answer[MAXIMUM];
    size_t size;
    for (;;) {
        if (command(GET_EVENTS, &log, 1, events, &size, NULL) || size < 32) fail("event records");
        unsigned records = (unsigned)get(events + 20, 2);
        if (records == 0) return;
        uint8_t clear[6 + 2 * 7] = {LOG, 0, (uint8_t)records};
        if (size < 32 + RECORD * records || records > 7) fail("event records");
        for (unsigned i = 0; i < records; i++) memcpy(clear + 6 + 2 * i, events + 32 + RECORD * i + 20, 2);
        if (command(CLEAR_EVENTS, clear, 6 + 2 * records, answer, &size, NULL)) fail("clear event records");
        for (unsigned i = 0; i < records; i++) {
            const uint8_t *record = events + 32 + RECORD * i;
            bool more = record[53] & 1;
            if (record[48] > TAKEN_AWAY) continue;
            if (count < RANGES) memcpy(ranges[count++], record + 56, 16);
            if (!more) {
                handle_group(record[48], (const uint8_t(*)[16])ranges, count);
                count = 0;
            }
        }
    }
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t answer[MAXIMUM], packet[4096], request[8] = {0};
    size_t size;
    int none;
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: host_agent SOCKET\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    strcpy(address.sun_path, argv[1]);
    link_socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (link_socket < 0 || connect(link_socket, (struct sockaddr *)&address, sizeof address)) fail(argv[1]);

    /* Interrupts of a host's mailbox are notifications here: MSI for the dynamic capacity log. */
    const uint8_t interrupts[5] = {0, 0, 0, 0, 1};
    if (command(SET_INTERRUPTS, interrupts, sizeof interrupts, answer, &size, NULL)) {
        fprintf(stderr, "host_agent: %s refuses the interrupt policy of a host: is it the link of one?\n", argv[1]);
        return 1;
    }
    /* What an agent before this one accepted. */
    put(request, 4, 24);
    if (command(GET_EXTENTS, request, sizeof request, answer, &size, NULL) || size < 16) fail("extent list");
    for (unsigned i = 0; i < get(answer, 4) && 16 + EXTENT * (i + 1) <= size; i++) map(get(answer + 16 + EXTENT * i, 8));
    has_events = true;
    for (;;) {
        while (has_events) {
            has_events = false;
            handle_events();
        }
        receive(packet, &none);
        if (packet[5] == 0 && get(packet + 8, 2) == NOTIFICATION) answer_notification(packet);
    }
}
