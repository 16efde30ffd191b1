/* Counts a trace while it streams by, from the headers of its records alone: what they mean is parse/'s
 * business. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. */
struct xt_tally {
    uint64_t bytes;        /* taken in */
    uint64_t records;      /* whole ones, without xentrace's own CPU-change records */
    uint64_t lost_records; /* that Xen says it dropped */
    uint64_t last_window;  /* offset of the latest CPU-change record: all before it is whole windows */
    uint8_t rest[40];      /* a record that is not whole yet */
    unsigned rest_bytes;
};

void xt_tally_add(struct xt_tally *tally, const void *data, size_t bytes);
