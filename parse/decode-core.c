/* Events that every scheduler shares: general, runstates, the scheduling core, domain creation. */
#include "parse/layout-macros.h"

#define CORE(event, words, kind, name, versions, ...) \
    XT_ROW(event, words, kind, XT_SCHED_UNKNOWN, name, versions, __VA_ARGS__)

#define DOM(word_) { .name = "dom", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_DOMID }
#define VCPU(word_) { .name = "vcpu", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_VCPU }
#define NEXT_DOM(word_) { .name = "next_dom", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_NEXT_DOMID }
#define NEXT_VCPU(word_) { .name = "next_vcpu", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_NEXT_VCPU }
#define RUN(word_) { .name = "run", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .slot = XT_SLOT_RUN, .unit = "ns" }
#define SLICE(word_) { .name = "slice", .type = XT_FIELD_SINT, .word = word_, .bits = 32, .slot = XT_SLOT_SLICE, .unit = "ns" }
#define WAIT(word_) { .name = "wait", .type = XT_FIELD_UINT, .word = word_, .bits = 32, .unit = "ns" }

#define RUNSTATE(old_, new_) \
    CORE(0x21001 + (old_) * 0x100 + (new_) * 0x10, 1, XT_EV_RUNSTATE, "runstate_change", "", F_DV(0), \
         { .name = "old", .type = XT_FIELD_STATE, .lo = 8, .bits = 2, .slot = XT_SLOT_OLD_STATE }, \
         { .name = "new", .type = XT_FIELD_STATE, .lo = 4, .bits = 2, .slot = XT_SLOT_NEW_STATE })

static const struct xt_layout rows[] = {
    CORE(0x1f001, 4, XT_EV_LOST, "lost_records", "", F("lost", 0),
         { .name = "current", .type = XT_FIELD_VD, .word = 1, .bits = 32, .slot = XT_SLOT_DOMID },
         F_U64("first_tsc", 2, "cycles")),
    { .event = 0x1f002, .max_words = 7, .kind = XT_EV_WRAP, .name = "wrap_buffer", .versions = "" },
    CORE(0x1f004, 3, XT_EV_OTHER, "trace_irq", "-4.1", F("irq", 0), F("tsc_in", 1), F("tsc_out", 2)),

    RUNSTATE(0, 1), RUNSTATE(0, 2), RUNSTATE(0, 3), RUNSTATE(1, 0), RUNSTATE(1, 2), RUNSTATE(1, 3),
    RUNSTATE(2, 0), RUNSTATE(2, 1), RUNSTATE(2, 3), RUNSTATE(3, 0), RUNSTATE(3, 1), RUNSTATE(3, 2),
    CORE(0x21002, 1, XT_EV_CONTINUE, "continue_running", "", F_DV(0)),

    CORE(0x28001, 1, XT_EV_OTHER, "sched_dom_add", "4.7-", DOM(0)),
    CORE(0x28001, 2, XT_EV_OTHER, "sched_dom_add", "-4.6", DOM(0), VCPU(1)),
    CORE(0x28002, 1, XT_EV_OTHER, "sched_dom_rem", "", DOM(0)),
    CORE(0x28003, 2, XT_EV_OTHER, "sleep", "", DOM(0), VCPU(1)),
    CORE(0x28004, 2, XT_EV_OTHER, "wake", "", DOM(0), VCPU(1)),
    CORE(0x28005, 2, XT_EV_YIELD, "yield", "", DOM(0), VCPU(1)),
    CORE(0x28006, 2, XT_EV_BLOCK, "block", "", DOM(0), VCPU(1)),
    CORE(0x28007, 3, XT_EV_OTHER, "shutdown", "", DOM(0), VCPU(1), F_BITS("reason", 2, 0, 8)),
    CORE(0x28009, 1, XT_EV_OTHER, "adjdom", "", DOM(0)),
    CORE(0x2800a, 4, XT_EV_SWITCH, "switch", "", DOM(0), VCPU(1), NEXT_DOM(2), NEXT_VCPU(3)),
    CORE(0x2800e, 2, XT_EV_INFPREV, "switch_infprev", "-4.7", DOM(0), RUN(1)),
    CORE(0x2800e, 3, XT_EV_INFPREV, "switch_infprev", "4.8-", DOM(0), VCPU(1), RUN(2)),
    CORE(0x2800f, 3, XT_EV_INFNEXT, "switch_infnext", "-4.7", NEXT_DOM(0), WAIT(1), SLICE(2)),
    CORE(0x2800f, 4, XT_EV_INFNEXT, "switch_infnext", "4.8-", NEXT_DOM(0), NEXT_VCPU(1), WAIT(2), SLICE(3)),
    CORE(0x28010, 3, XT_EV_OTHER, "shutdown_code", "", DOM(0), VCPU(1), F_BITS("reason", 2, 0, 8)),
    CORE(0x28011, 4, XT_EV_INFCONT, "switch_infcont", "4.9-", DOM(0), VCPU(1), RUN(2), SLICE(3)),

    CORE(0x41001, 1, XT_EV_OTHER, "dom0:dom_add", "4.7-", DOM(0)),
    CORE(0x41002, 1, XT_EV_OTHER, "dom0:dom_rem", "4.7-", DOM(0)),
};
const struct xt_layout_table xt_layouts_core = XT_LAYOUTS(rows);
