/* How many TSC ticks a second has, from the ns figures that Xen writes into its records. */
#pragma once

#include "parse/survey.h"

struct xt_chain; /* of one pCPU */

struct xt_chain *xt_chain_new(void);
void xt_chain_free(struct xt_chain *chain);

/* A switch_infprev: run_ns (32 bits, wraps) is exactly the system time since the previous one on this pCPU. */
void xt_chain_infprev(struct xt_chain *chain, uint64_t tsc, uint32_t run_ns);
/* A switch_infcont: run_ns since the last switch. */
void xt_chain_infcont(struct xt_chain *chain, uint64_t tsc, uint32_t run_ns);
/* A budget burn: used only where there is no chain, since a replenishment in between shortens it. */
void xt_chain_burn(struct xt_chain *chain, uint64_t tsc, uint32_t domid_vcpu, int32_t delta_ns);
/* Records were lost: what comes next does not continue what came before. */
void xt_chain_break(struct xt_chain *chain);

/* Robust line fit of system time over TSC. */
struct xt_frequency xt_chain_estimate(const struct xt_chain *chain);

/* Combines pCPUs by inverse variance; estimates far from their median are left out. */
struct xt_frequency xt_frequency_combine(const struct xt_frequency *estimates, unsigned n);
