/* Credit2 (Xen 4.3-; VCPUs packed the other way round up to 4.6). */
#include "parse/layout-macros.h"

#define CREDIT2(event, words, kind, name, versions, ...) \
    XT_ROW(event, words, kind, XT_SCHED_CREDIT2, "credit2:" name, versions, __VA_ARGS__)

#define CREDIT_NS(name_, word_) F_S32(name_, word_, "credit")
#define RQ(name_, word_, lo_) F_BITS(name_, word_, lo_, 16)

static const struct xt_layout rows[] = {
    CREDIT2(0x22202, 2, XT_EV_OTHER, "runq_pos", "4.3-", F_VCPU(0), F("position", 1)),
    CREDIT2(0x22203, 3, XT_EV_OTHER, "credit_burn", "4.3-4.9", F_VCPU(0), CREDIT_NS("credit", 1), F_S32("delta", 2, "ns")),
    CREDIT2(0x22203, 4, XT_EV_OTHER, "credit_burn", "4.10-", F_VCPU(0), CREDIT_NS("credit", 1), F_S32("budget", 2, "ns"),
            F_S32("delta", 3, "ns")),
    CREDIT2(0x22205, 2, XT_EV_OTHER, "tickle_check", "4.3-4.9", F_VCPU(0), CREDIT_NS("credit", 1)),
    CREDIT2(0x22205, 3, XT_EV_OTHER, "tickle_check", "4.10-", F_VCPU(0), CREDIT_NS("credit", 1), F_S32("score", 2, NULL)),
    CREDIT2(0x22206, 1, XT_EV_TICKLE, "tickle", "4.3-",
            { .name = "pcpu", .word = 0, .bits = 16, .slot = XT_SLOT_PCPU, .unit = "pcpu" }),
    CREDIT2(0x22207, 3, XT_EV_OTHER, "credit_reset", "4.11-", F_VCPU(0), CREDIT_NS("before", 1), CREDIT_NS("after", 2)),
    CREDIT2(0x22207, 4, XT_EV_OTHER, "credit_reset", "4.3-4.10", F_VCPU(0), CREDIT_NS("before", 1), CREDIT_NS("after", 2),
            F("multiplier", 3)),
    XT_ROW0(0x22208, XT_EV_TASKLET, XT_SCHED_CREDIT2, "credit2:sched_tasklet", "4.3-"),
    XT_ROW0(0x22209, XT_EV_OTHER, XT_SCHED_CREDIT2, "credit2:update_load", "4.8-"),
    CREDIT2(0x2220a, 2, XT_EV_OTHER, "runq_assign", "4.3-", F_VCPU(0), RQ("runq", 1, 0)),
    CREDIT2(0x2220b, 2, XT_EV_OTHER, "update_vcpu_load", "4.3-4.7", F_VCPU(0), F("avgload", 1)),
    CREDIT2(0x2220b, 4, XT_EV_OTHER, "update_unit_load", "4.8-", F_U64("avgload", 0, NULL), F_VCPU(2), F("shift", 3)),
    CREDIT2(0x2220c, 2, XT_EV_OTHER, "update_runq_load", "4.3-4.7", F_BITS("load", 0, 0, 4), F_BITS("avgload", 0, 4, 28),
            F_BITS("runq", 1, 0, 4), F_BITS("expected", 1, 4, 28)),
    CREDIT2(0x2220c, 6, XT_EV_OTHER, "update_runq_load", "4.8-", F_U64("avgload", 0, NULL), F_U64("expected", 2, NULL),
            F_BITS("load", 4, 0, 16), F_BITS("runq", 4, 16, 8), F_BITS("shift", 4, 24, 8)),
    CREDIT2(0x2220d, 3, XT_EV_OTHER, "tickle_new", "4.8-", F_VCPU(0), F_PCPU("pcpu", 1), CREDIT_NS("credit", 2)),
    CREDIT2(0x2220e, 1, XT_EV_OTHER, "runq_max_weight", "4.8-", RQ("runq", 0, 0), F_BITS("max_weight", 0, 16, 16)),
    CREDIT2(0x2220f, 2, XT_EV_OTHER, "migrate", "4.8-", F_VCPU(0), RQ("from_runq", 1, 0), RQ("to_runq", 1, 16)),
    CREDIT2(0x22210, 2, XT_EV_OTHER, "load_check", "4.8-", RQ("local_runq", 0, 0), RQ("other_runq", 0, 16),
            F("load_difference", 1)),
    CREDIT2(0x22211, 6, XT_EV_OTHER, "load_balance", "4.8-", F_U64("local_load", 0, NULL), F_U64("other_load", 2, NULL),
            RQ("local_runq", 4, 0), RQ("other_runq", 4, 16)),
    CREDIT2(0x22213, 4, XT_EV_OTHER, "picked_cpu", "4.8-", F_X64("load", 0), F_VCPU(2),
            { .name = "runq", .type = XT_FIELD_SINT, .word = 3, .bits = 16 },
            { .name = "pcpu", .word = 3, .lo = 16, .bits = 16, .unit = "pcpu" }),
    /* 4.8 has `skipped` where 4.11 has `credit`: word counts do not tell, the other records of the trace do */
    CREDIT2(0x22214, 3, XT_EV_PICK, "runq_candidate", "4.11-", F_VCPU(0), F_S32("tickled_pcpu", 1, "pcpu"),
            CREDIT_NS("credit", 2)),
    CREDIT2(0x22214, 4, XT_EV_PICK, "runq_candidate", "4.9-4.10", F_VCPU(0), F_S32("tickled_pcpu", 1, "pcpu"),
            F("skipped", 2), CREDIT_NS("credit", 3)),
    CREDIT2(0x22215, 2, XT_EV_SCHEDULE, "schedule", "4.8-", { .name = "pcpu", .word = 0, .bits = 16, .unit = "pcpu" },
            RQ("runq", 0, 16), F_BITS("tasklet", 1, 0, 8), F_BITS("idle", 1, 8, 8), F_BITS("smt_idle", 1, 16, 8),
            { .name = "tickled", .word = 1, .lo = 24, .bits = 8, .slot = XT_SLOT_TICKLED }),
    CREDIT2(0x22216, 2, XT_EV_RATELIMIT, "ratelimit", "4.8-", F_VCPU(0), F_NS("run", 1)),
    CREDIT2(0x22217, 1, XT_EV_OTHER, "runq_cand_check", "4.9-", F_VCPU(0)),
};
const struct xt_layout_table xt_layouts_credit2 = XT_LAYOUTS(rows);
