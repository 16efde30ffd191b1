/* Credit (events since Xen 4.3). */
#include "parse/layout-macros.h"

#define CREDIT(event, words, kind, name, versions, ...) \
    XT_ROW(event, words, kind, XT_SCHED_CREDIT, "credit:" name, versions, __VA_ARGS__)

#define DOM(word_) { .name = "dom", .word = word_, .bits = 32, .slot = XT_SLOT_DOMID }
#define VCPU(word_) { .name = "vcpu", .word = word_, .bits = 32, .slot = XT_SLOT_VCPU }

static const struct xt_layout rows[] = {
    XT_ROW0(0x22001, XT_EV_TASKLET, XT_SCHED_CREDIT, "credit:sched_tasklet", "4.3-"),
    CREDIT(0x22002, 3, XT_EV_OTHER, "account_start", "4.3-", DOM(0), VCPU(1), F("active", 2)),
    CREDIT(0x22003, 3, XT_EV_OTHER, "account_stop", "4.3-", DOM(0), VCPU(1), F("active", 2)),
    CREDIT(0x22004, 3, XT_EV_OTHER, "stolen_unit", "4.3-", F_PCPU("peer", 0), DOM(1), VCPU(2)),
    CREDIT(0x22005, 3, XT_EV_OTHER, "picked_cpu", "4.3-", DOM(0), VCPU(1), F_PCPU("pcpu", 2)),
    CREDIT(0x22006, 1, XT_EV_TICKLE, "tickle", "4.3-",
           { .name = "pcpu", .word = 0, .bits = 32, .slot = XT_SLOT_PCPU, .unit = "pcpu" }),
    CREDIT(0x22007, 2, XT_EV_OTHER, "boost_start", "4.7-", DOM(0), VCPU(1)),
    CREDIT(0x22008, 2, XT_EV_OTHER, "boost_end", "4.7-", DOM(0), VCPU(1)),
    CREDIT(0x22009, 1, XT_EV_SCHEDULE, "schedule", "4.8-", { .name = "pcpu", .word = 0, .bits = 16, .unit = "pcpu" },
           F_BITS("tasklet", 0, 16, 8), F_BITS("idle", 0, 24, 8)),
    CREDIT(0x2200a, 2, XT_EV_RATELIMIT, "ratelimit", "4.8-", F_DV(0), F_NS("run", 1)),
    CREDIT(0x2200b, 2, XT_EV_OTHER, "steal_check", "4.9-", F_PCPU("peer", 0), F("checked", 1)),
};
const struct xt_layout_table xt_layouts_credit = XT_LAYOUTS(rows);
