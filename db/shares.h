/* How time was shared out, bin by bin over a run: what an overview of millions of intervals draws. Bins are
 * as narrow as a bounded number of cells allows: when there are too many, pairs of bins are merged. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "parse/sink.h"

struct xt_shares;

/* For a run of duration_ns; holds at most max_cells (a power of two) in 48 bytes each. */
struct xt_shares *xt_shares_new(int64_t duration_ns, unsigned max_cells);
void xt_shares_free(struct xt_shares *shares);

/* Time of a VCPU (by xt_vcpu.index) in running, runnable or unknown; other states are not kept. */
void xt_shares_add_vcpu(struct xt_shares *shares, uint32_t vcpu, enum xt_state state, int64_t ts,
                        int64_t end_ts);
/* Time of a domain on a pCPU. */
void xt_shares_add_pcpu(struct xt_shares *shares, int32_t pcpu, uint16_t domid, int64_t ts, int64_t end_ts);

/* Merges bins until there are at most max_cells; false if fewer than min_bins would be left (shares are empty
 * then). */
bool xt_shares_shrink(struct xt_shares *shares, uint64_t max_cells, unsigned min_bins);
int64_t xt_shares_bin_ns(const struct xt_shares *shares);

/* Calls back for each cell, by bin; first all VCPUs, then all pCPUs of a bin. What is not set is 0. false
 * from the callback stops and is returned. */
struct xt_share {
    unsigned bin;
    bool is_pcpu;
    uint32_t vcpu;                        /* index */
    int64_t running_ns, runnable_ns, unknown_ns;
    uint64_t intervals;                   /* of a VCPU: that began in this bin, in any of the three states */
    int32_t pcpu;
    uint16_t domid;
};
bool xt_shares_each(struct xt_shares *shares, bool (*each)(void *user, const struct xt_share *share),
                    void *user);
