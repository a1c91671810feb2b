// The check sequence of DSP0253 frames with the processor's carry-less multiplication, which Swift has no name for.
#pragma once
#include <stddef.h>
#include <stdint.h>

// CRC-16/MCRF4XX of `count` bytes, in the low 16 bits; bit 16 is set if one of them is 7Dh or 7Eh. Negative if this processor cannot, or
// if there are fewer than 16 bytes. Reads frame[0 ..< count] and nothing else.
int32_t carryless_frame_check(const uint8_t *_Nullable frame, size_t count);
