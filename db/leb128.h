/* Unsigned LEB128, the packing of numbers in blobs: seven bits a byte, the lowest first, the top bit set on all but the
 * last. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

static inline void xt_put_leb128(GByteArray *bytes, uint64_t value)
{
    do {
        uint8_t byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);

        g_byte_array_append(bytes, &byte, 1);
        value >>= 7;
    } while (value);
}

/* Moves *at behind the number; false if it is not whole before end. */
static inline bool xt_take_leb128(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;

        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}
