#include "creference.h"

#include <string.h>

// The machine is little-endian, as the wire is.
static inline uint16_t get16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

static inline uint32_t get32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t get64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t get_tag(const uint8_t *p) { return __builtin_bswap64(get64(p)) + __builtin_bswap64(get64(p + 8)); }

static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }

uint64_t creference_read_add(const uint8_t *message, size_t size) {
    if (size < 12) return 0;
    size_t length = get16(message + 5) | (size_t)(message[7] & 0x1F) << 16;
    if (length != size - 12 || length < 32) return 0;
    uint64_t sum = (message[0] & 0x0Fu) + message[1] + get16(message + 3);
    const uint8_t *payload = message + 12;
    size_t count = get32(payload + 28);
    if (count > (length - 32) / 40 || count * 40 != length - 32) return 0;
    sum += get16(payload) + payload[2] + payload[3] + get64(payload + 4) + get_tag(payload + 12);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *extent = payload + 32 + 40 * i;
        sum += get64(extent) + get64(extent + 8) + get_tag(extent + 16) + get16(extent + 32);
    }
    return sum;
}

size_t creference_write_list(uint8_t *message, size_t room, uint8_t tag, uint16_t host, uint32_t start, uint32_t total,
                             uint32_t generation, const struct creference_extent *extents, size_t count) {
    size_t length = 24 + 40 * count;
    if (room < 12 + length) return 0;
    message[0] = 1;
    message[1] = tag;
    message[2] = 0;
    put16(message + 3, 0x5603);
    put16(message + 5, (uint16_t)length);
    message[7] = (uint8_t)(length >> 16);
    put32(message + 8, 0);
    uint8_t *payload = message + 12;
    put32(payload, host);
    put32(payload + 4, start);
    put32(payload + 8, (uint32_t)count);
    put32(payload + 12, total);
    put64(payload + 16, generation);
    for (size_t i = 0; i < count; i++) {
        uint8_t *extent = payload + 24 + 40 * i;
        put64(extent, extents[i].start);
        put64(extent + 8, extents[i].length);
        put64(extent + 16, __builtin_bswap64(extents[i].tag[0]));
        put64(extent + 24, __builtin_bswap64(extents[i].tag[1]));
        put64(extent + 32, extents[i].sequence);
    }
    return 12 + length;
}

static uint16_t tables[8][256];

__attribute__((constructor)) static void make_tables(void) {
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned crc = byte;
        for (int i = 0; i < 8; i++) crc = crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1;
        tables[0][byte] = (uint16_t)crc;
    }
    for (int k = 1; k < 8; k++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint16_t before = tables[k - 1][byte];
            tables[k][byte] = (uint16_t)(before >> 8 ^ tables[0][before & 0xFF]);
        }
}

uint16_t creference_crc(uint16_t crc, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) crc = (uint16_t)(crc >> 8 ^ tables[0][(crc ^ bytes[i]) & 0xFF]);
    return crc;
}

uint16_t creference_crc8(uint16_t crc, const uint8_t *bytes, size_t size) {
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t x = get64(bytes) ^ crc;
        crc = (uint16_t)(tables[7][x & 0xFF] ^ tables[6][x >> 8 & 0xFF] ^ tables[5][x >> 16 & 0xFF] ^ tables[4][x >> 24 & 0xFF] ^
                         tables[3][x >> 32 & 0xFF] ^ tables[2][x >> 40 & 0xFF] ^ tables[1][x >> 48 & 0xFF] ^ tables[0][x >> 56]);
    }
    return creference_crc(crc, bytes, size);
}
