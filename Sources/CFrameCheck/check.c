#include "CFrameCheck.h"

#if defined(__x86_64__)
#include <immintrin.h>

// The bits of a frame are the coefficients of a polynomial over GF(2), the first bit's power the highest, and the check sequence is the
// remainder of a division by G = x^16 + x^12 + x^5 + 1. In a 64-bit word bit i is the coefficient of x^(63-i), in a block of two words the
// first has the higher powers. The product of two words, as a block, is x times that of their polynomials: constants have one power less.

// x^n modulo G, as a word: bit 63-i is the coefficient of x^i.
static const uint64_t x191 = 0xa95d000000000000, x127 = 0x7eea000000000000, x63 = 0x042b000000000000;
// 1 / (1 + z^4 + z^11 + z^16) modulo z^64, where z is one place to the left.
static const uint64_t inverse = 0x859b040b1c581911;

__attribute__((target("pclmul,ssse3")))
static int32_t check(const uint8_t *frame, size_t count) {
    static const uint8_t moves[32] = {
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    };
    const __m128i flag = _mm_set1_epi8(0x7e), escape = _mm_set1_epi8(0x7d);
    const __m128i block_on = _mm_set_epi64x((long long)x127, (long long)x191);
    const __m128i word_on = _mm_set_epi64x((long long)inverse, (long long)x63);

    // Blocks end where the frame ends: the first has 1 to 16 bytes, with zeros before them, which mean nothing.
    size_t head = ((count - 1) & 15) + 1;
    __m128i next = _mm_loadu_si128((const __m128i *)frame);
    __m128i specials = _mm_or_si128(_mm_cmpeq_epi8(next, flag), _mm_cmpeq_epi8(next, escape));
    // The start value goes into the first two bytes, of which the second may be in the next block.
    __m128i block = _mm_shuffle_epi8(
        _mm_xor_si128(next, _mm_cvtsi32_si128(0xffff)), _mm_loadu_si128((const __m128i *)(moves + head)));
    __m128i carry = _mm_cvtsi32_si128(head == 1 ? 0xff : 0);
    for (size_t offset = head; offset < count; offset += 16) {
        next = _mm_loadu_si128((const __m128i *)(frame + offset));
        specials = _mm_or_si128(specials, _mm_or_si128(_mm_cmpeq_epi8(next, flag), _mm_cmpeq_epi8(next, escape)));
        block = _mm_xor_si128(
            _mm_xor_si128(_mm_clmulepi64_si128(block, block_on, 0x00), _mm_clmulepi64_si128(block, block_on, 0x11)),
            _mm_xor_si128(next, carry));
        carry = _mm_setzero_si128();
    }
    // The first word comes to 16 bits before the second and to the second, then those 16 bits to the second alone.
    __m128i first = _mm_clmulepi64_si128(block, word_on, 0x00);
    __m128i second = _mm_xor_si128(block, first);
    second = _mm_xor_si128(second, _mm_clmulepi64_si128(first, word_on, 0x00));
    // Division of the second word by G.
    uint64_t bits = (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(second, word_on, 0x11));
    uint32_t value = (bits >> 60 ^ bits >> 53 ^ bits >> 48) & 0xffff;
    return (int32_t)(value | (uint32_t)(_mm_movemask_epi8(specials) != 0) << 16);
}

int32_t carryless_frame_check(const uint8_t *frame, size_t count) {
    if (count < 16 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("ssse3")) return -1;
    return check(frame, count);
}
#else
int32_t carryless_frame_check(const uint8_t *frame, size_t count) {
    (void)frame;
    (void)count;
    return -1;
}
#endif
