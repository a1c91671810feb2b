// What fmapid's parsers and writers are held against: the same layouts in plain C, by loads and stores at constant offsets.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Reads a whole 5604h (CCI header, 32 bytes, extents), every field of it; answers their sum, 0 if a length is wrong.
uint64_t creference_read_add(const uint8_t *message, size_t size);

struct creference_extent {
    uint64_t start, length;
    uint64_t tag[2];  // first half of the UUID first
    uint16_t sequence;
};

// Writes the answer to 5603h (CCI header, 24 bytes, extents); answers its size, 0 if there is no room.
size_t creference_write_list(uint8_t *message, size_t room, uint8_t tag, uint16_t host, uint32_t start, uint32_t total,
                             uint32_t generation, const struct creference_extent *extents, size_t count);

// CRC-16/MCRF4XX with one table, a byte at a time.
uint16_t creference_crc(uint16_t crc, const uint8_t *bytes, size_t size);

// The same with eight tables, eight bytes at a time.
uint16_t creference_crc8(uint16_t crc, const uint8_t *bytes, size_t size);
