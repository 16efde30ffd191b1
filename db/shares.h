/* How VCPUs spent their time and where they ran, bin by bin over a run: what an overview of millions of intervals draws.
 * Memory is bounded; what exceeds it goes to a temporary file. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "parse/sink.h"

struct xt_shares;

struct xt_shares *xt_shares_new(int64_t duration_ns);
void xt_shares_free(struct xt_shares *shares);

/* Time of a VCPU (by xt_vcpu.index) in running, runnable or unknown; other states are not kept. pcpu: where it ran,
 * else XT_NO_PCPU. false with XT_ERROR_SYSTEM if the temporary file fails. */
bool xt_shares_add(struct xt_shares *shares, uint32_t vcpu, enum xt_state state, int32_t pcpu, int64_t ts, int64_t end_ts,
                   GError **error);

/* After the last addition: makes bins as wide as it takes for about max_rows rows, but leaves at least min_bins.
 * *fits: whether they do; if not, there is nothing to ask for. */
bool xt_shares_finish(struct xt_shares *shares, uint64_t max_rows, unsigned min_bins, bool *fits, GError **error);
int64_t xt_shares_bin_ns(const struct xt_shares *shares);

/* One VCPU in one bin. */
struct xt_share {
    uint32_t bin;
    uint32_t vcpu; /* index */
    int64_t running_ns, runnable_ns, unknown_ns;
    uint64_t intervals; /* in any of the three states, that began in this bin */
    const uint8_t *pcpus; /* where it ran: pairs of pCPU and ns, each unsigned LEB128 */
    size_t pcpus_bytes;
};

/* Calls back for each that is not empty, those of a VCPU by bin if its time was added in order; where it was not, a bin
 * can come in several parts. Once, after xt_shares_finish. */
bool xt_shares_each(struct xt_shares *shares, bool (*each)(void *user, const struct xt_share *share, GError **error),
                    void *user, GError **error);
