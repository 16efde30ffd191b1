/* RTDS (Xen 4.5-) and the mode-change kernel that grew out of it. Word counts tell the generations apart; w0 packs
 * the VCPU the other way round up to Xen 4.6. */
#include "parse/layout-macros.h"

#define RTDS(event, words, kind, name, versions, ...) \
    XT_ROW(event, words, kind, XT_SCHED_RTDS, "rtds:" name, versions, __VA_ARGS__)

#define DEADLINE(word_) { .name = "deadline", .type = XT_FIELD_U64, .word = word_, .bits = 64, .slot = XT_SLOT_DEADLINE, .unit = "ns" }
#define BUDGET(word_) { .name = "budget", .type = XT_FIELD_U64, .word = word_, .bits = 64, .slot = XT_SLOT_BUDGET, .unit = "ns" }
#define DELTA(word_) { .name = "delta", .type = XT_FIELD_SINT, .word = word_, .bits = 32, .slot = XT_SLOT_DELTA, .unit = "ns" }
#define LEVEL(word_) { .name = "priority_level", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_LEVEL }

static const struct xt_layout rows[] = {
    RTDS(0x22801, 1, XT_EV_TICKLE, "tickle", "4.5-",
         { .name = "pcpu", .word = 0, .bits = 16, .slot = XT_SLOT_PCPU, .unit = "pcpu" }),
    { .event = 0x22802, .kind = XT_EV_PICK, .scheduler = XT_SCHED_RTDS, .name = "rtds:runq_pick", .versions = "4.5-4.6" },
    RTDS(0x22802, 5, XT_EV_PICK, "runq_pick", "4.5-", F_VCPU(0), DEADLINE(1), BUDGET(3)),
    RTDS(0x22803, 4, XT_EV_BURN, "burn_budget", "4.5-4.9", F_VCPU(0), BUDGET(1), DELTA(3)),
    /* the flag is one byte; up to 4.17 the other three are what the stack held */
    RTDS(0x22803, 6, XT_EV_BURN, "burn_budget", "4.10-", F_VCPU(0), BUDGET(1), DELTA(3), LEVEL(4),
         F_BITS("has_extratime", 5, 0, 8)),
    RTDS(0x22804, 5, XT_EV_REPLENISH, "replenish", "4.5-4.9", F_VCPU(0), DEADLINE(1), BUDGET(3)),
    RTDS(0x22804, 6, XT_EV_REPLENISH, "replenish", "4.10-", F_VCPU(0), LEVEL(1), DEADLINE(2), BUDGET(4)),
    { .event = 0x22805, .kind = XT_EV_TASKLET, .scheduler = XT_SCHED_RTDS, .name = "rtds:sched_tasklet", .versions = "4.7-" },
    /* misnamed in 4.5 and 4.6: the last record of every decision, naming the VCPU chosen */
    RTDS(0x22805, 5, XT_EV_PICK, "sched_tasklet", "4.5-4.6", F_VCPU(0), DEADLINE(1), BUDGET(3)),
    RTDS(0x22806, 1, XT_EV_SCHEDULE, "schedule", "4.8-", { .name = "pcpu", .word = 0, .bits = 16, .unit = "pcpu" },
         F_BITS("tasklet", 0, 16, 8), { .name = "tickled", .word = 0, .lo = 24, .bits = 4, .slot = XT_SLOT_TICKLED },
         F_BITS("idle", 0, 28, 4)),

    RTDS(0x22806, 5, XT_EV_OTHER, "dis_running", "mode-change fork", F_VCPU(0), DEADLINE(1), BUDGET(3)),
    RTDS(0x22807, 1, XT_EV_OTHER, "dis_not_running", "mode-change fork", F_VCPU(0)),
    RTDS(0x22808, 1, XT_EV_OTHER, "vcpu_enable", "mode-change fork", F_VCPU(0)),
    { .event = 0x22809, .scheduler = XT_SCHED_RTDS, .name = "rtds:mcr", .versions = "mode-change fork" },
    RTDS(0x2280a, 5, XT_EV_OTHER, "job_queued", "mode-change fork", F_VCPU(0), DEADLINE(1), BUDGET(3)),
    RTDS(0x2280b, 1, XT_EV_OTHER, "update_changed", "mode-change fork", F_VCPU(0)),
    RTDS(0x2280c, 5, XT_EV_OTHER, "backlog_satisfied", "mode-change fork", F_VCPU(0), F("runq_len", 1),
         F("threshold", 2), F("selector", 3), F("comparison", 4)),
};
const struct xt_layout_table xt_layouts_rtds = XT_LAYOUTS(rows);
