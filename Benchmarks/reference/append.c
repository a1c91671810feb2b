// The limit of durability: appends a record to a file and waits until it is on the disk, over and over.
//
//     append FILE BYTES MILLISECONDS
//
// Prints one JSON object: appends, seconds, latencies in ns.
#include "bench.h"
#include <fcntl.h>

int main(int argc, char **argv) {
    if (argc != 4) complain("usage: append FILE BYTES MILLISECONDS");
    static char record[1 << 16];
    static struct histogram latencies;
    size_t size = strtoull(argv[2], 0, 10);
    if (size < 1 || size > sizeof record) complain("bad number");
    memset(record, 0x5A, size);
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) die(argv[1]);
    uint64_t start = now_ns(), end = start + strtoull(argv[3], 0, 10) * 1000000u, count = 0, now = start;
    while (now < end) {
        if (write(fd, record, size) != (ssize_t)size || fdatasync(fd)) die("append");
        uint64_t then = now;
        now = now_ns();
        histogram_add(&latencies, now - then);
        count++;
    }
    printf("{\"appends\": %llu, \"seconds\": %.9f, ", (unsigned long long)count, (double)(now - start) / 1e9);
    histogram_print(&latencies);
    printf("}\n");
    unlink(argv[1]);
    return 0;
}
