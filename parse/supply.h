/* When the VCPUs of some domains ran and waited: a sink that keeps their intervals, to hold what guests say of themselves
 * against them. */
#pragma once

#include "parse/sink.h"

struct xt_supply;

/* Keeps the intervals and server periods of these domains (copied). */
struct xt_supply *xt_supply_new(const uint16_t *domids, unsigned n_domids);
void xt_supply_free(struct xt_supply *supply);

/* The sink; belongs to supply. */
const struct xt_sink *xt_supply_sink(struct xt_supply *supply);

enum xt_ran { XT_RAN_NO, XT_RAN_YES, XT_RAN_UNKNOWN };

/* Did the VCPU (vcpu -1: any of the domain) run within slack_ns of the instant ts? Unknown outside of the run, while
 * records were lost, or if it never appeared. */
enum xt_ran xt_supply_ran(const struct xt_supply *supply, uint16_t domid, int vcpu, int64_t ts, int64_t slack_ns);

/* The running interval at ts, or, if there is none, one within slack_ns; of the VCPU (-1: any of the domain) and on the pCPU
 * (-1: any). false: there is none. */
bool xt_supply_interval(const struct xt_supply *supply, uint16_t domid, int vcpu, int32_t pcpu, int64_t ts, int64_t slack_ns,
                        int64_t *from, int64_t *to);

/* Sets ran[i] to whether xt_supply_interval finds one at ts + i * step_ns. */
void xt_supply_ran_at(const struct xt_supply *supply, uint16_t domid, int vcpu, int32_t pcpu, int64_t ts, int64_t step_ns,
                      unsigned n, int64_t slack_ns, uint8_t ran[]);

/* The pCPUs that the domain ran on, ascending (int32_t); free with g_array_unref. */
GArray *xt_supply_pcpus(const struct xt_supply *supply, uint16_t domid);

/* Time that the VCPU (-1: all of the domain together) ran in [from, to), ns. */
int64_t xt_supply_ns(const struct xt_supply *supply, uint16_t domid, int vcpu, int64_t from, int64_t to);

/* Time in [from, to) in which at least one VCPU of the domain stood runnable, ns. */
int64_t xt_supply_waited_ns(const struct xt_supply *supply, uint16_t domid, int64_t from, int64_t to);

/* Server periods of the domain's VCPUs that overlap [from, to): how many were judged, and missed of those. */
void xt_supply_periods(const struct xt_supply *supply, uint16_t domid, int64_t from, int64_t to, unsigned *judged,
                       unsigned *missed);

/* Share of the run's time in which at least one VCPU of the domain ran. */
double xt_supply_share(const struct xt_supply *supply, uint16_t domid);

/* Of the run, ns; 0 before it began. */
int64_t xt_supply_duration_ns(const struct xt_supply *supply);
