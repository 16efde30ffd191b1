/* A sink for tests that takes dispatches and intervals apart into the pieces of each VCPU's time, and aborts with a
 * message where a promise of parse/sink.h is broken: pieces tile [0, duration], a dispatch's parts follow each
 * other, samples are not negative, references are whole. */
#pragma once

#include "parse/reconstruct.h"

struct timeline_piece {
    const struct xt_vcpu *vcpu;
    int64_t ts, end_ts;
    enum xt_state state;
    int32_t pcpu; /* if running */
    bool open;    /* began before the run or goes on behind it */
};

struct timelines;
/* each (may be NULL) is called for every piece that is not empty, in the order of each VCPU's time. */
struct timelines *timelines_new(void (*each)(void *user, const struct timeline_piece *piece), void *user);
void timelines_free(struct timelines *timelines);
const struct xt_sink *timelines_sink(struct timelines *timelines);
