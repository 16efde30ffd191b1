/* Finding how far a guest's clock is from the run's when nothing tells: a guest can only execute while its VCPUs run. */
#pragma once

#include "parse/supply.h"

/* How far beside a running interval a mark may lie, unless its clock is the TSC: reading clocks takes time. */
#define XT_FIT_SLACK_NS 5000

struct xt_fit_mark {
    int64_t ns;   /* guest clock */
    int32_t vcpu; /* -1: any of the domain */
};

/* One of step marks, on average, is enough: is it the i-th? Not every step-th, since starts and ends of jobs alternate. */
static inline bool xt_fit_samples(uint32_t i, uint32_t step)
{
    return (i * 2654435761u >> 16) % step == 0;
}

struct xt_fit_offset {
    int64_t offset_ns; /* ts minus guest clock */
    int64_t error_ns;  /* half the width of the offsets that are as good */
    double share;      /* of the marks in the run that lie in running intervals */
    double second;     /* share of the best offset elsewhere */
    int64_t second_ns; /* that offset, 0 if there is none */
};

/* marks: of struct xt_fit_mark, ascending. The rates of both clocks are taken to be equal. false: no offset stands out; then
 * found is the best there is (share 0: none). */
bool xt_fit_offset(const GArray *marks, const struct xt_supply *supply, uint16_t domid, struct xt_fit_offset *found);

/* The same for a clock that is tied, but perhaps badly: looks only within reach_ns of no offset, and takes the nearest of
 * equally good ones. false: no offset lets nearly all marks lie where the VCPUs ran. */
bool xt_fit_near(const GArray *marks, const struct xt_supply *supply, uint16_t domid, int64_t reach_ns,
                 struct xt_fit_offset *found);
