/* The null scheduler (Xen 4.10-). */
#include "parse/layout-macros.h"

#define NULL_SCHED(event, words, kind, name, ...) \
    XT_ROW(event, words, kind, XT_SCHED_NULL, "null:" name, "4.10-", __VA_ARGS__)

static const struct xt_layout rows[] = {
    NULL_SCHED(0x22a01, 2, XT_EV_OTHER, "picked_cpu", F_DV(0), F_PCPU("pcpu", 1)),
    NULL_SCHED(0x22a02, 2, XT_EV_OTHER, "unit_assign", F_DV(0), F_PCPU("pcpu", 1)),
    NULL_SCHED(0x22a03, 2, XT_EV_OTHER, "unit_deassign", F_DV(0), F_PCPU("pcpu", 1)),
    NULL_SCHED(0x22a04, 2, XT_EV_OTHER, "migrate", F_DV(0), { .name = "from_pcpu", .word = 1, .bits = 16, .unit = "pcpu" },
               { .name = "to_pcpu", .word = 1, .lo = 16, .bits = 16, .unit = "pcpu" }),
    NULL_SCHED(0x22a05, 2, XT_EV_SCHEDULE, "schedule", F_BITS("tasklet", 0, 0, 16),
               { .name = "pcpu", .word = 0, .lo = 16, .bits = 16, .unit = "pcpu" },
               { .name = "dom", .type = XT_FIELD_SINT, .word = 1, .lo = 16, .bits = 16, .slot = XT_SLOT_DOMID },
               { .name = "vcpu", .type = XT_FIELD_SINT, .word = 1, .bits = 16, .slot = XT_SLOT_VCPU }),
    XT_ROW0(0x22a06, XT_EV_TASKLET, XT_SCHED_NULL, "null:tasklet", "4.10-"),
};
const struct xt_layout_table xt_layouts_null = XT_LAYOUTS(rows);
