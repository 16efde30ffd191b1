/* RT-Xen 2.0's own overhead records: durations that the hypervisor measured with its clock. */
#include "parse/layout-macros.h"

#define RTXEN2(event, words, name, ...) \
    XT_ROW(event, words, XT_EV_OVERHEAD, XT_SCHED_RTXEN2, "overhead:" name, "RT-Xen 2.0", __VA_ARGS__)

#define DOM(name_, word_, slot_) { .name = name_, .word = word_, .bits = 32, .slot = slot_ }
#define DURATION(word_) { .name = "dur", .word = word_, .bits = 32, .slot = XT_SLOT_DURATION, .unit = "ns" }
#define PREV_NEXT DOM("dom", 0, XT_SLOT_DOMID), DOM("vcpu", 1, XT_SLOT_VCPU), DOM("next_dom", 2, XT_SLOT_NEXT_DOMID), \
                  DOM("next_vcpu", 3, XT_SLOT_NEXT_VCPU)
#define ONE DOM("dom", 0, XT_SLOT_DOMID), DOM("vcpu", 1, XT_SLOT_VCPU)

static const struct xt_layout rows[] = {
    RTXEN2(0x24001, 6, "sched_latency", PREV_NEXT, DOM("migrated", 4, XT_SLOT_MIGRATED), DURATION(5)),
    RTXEN2(0x24002, 6, "context_switch", PREV_NEXT, F("flush_tlb", 4), DURATION(5)),
    RTXEN2(0x24003, 3, "context_saved", ONE, DURATION(2)),
    RTXEN2(0x24004, 3, "wake", ONE, DURATION(2)),
    RTXEN2(0x24005, 3, "sleep", ONE, DURATION(2)),
};
const struct xt_layout_table xt_layouts_rtxen2 = XT_LAYOUTS(rows);
