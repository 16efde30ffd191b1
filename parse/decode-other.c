/* Classes that say nothing of scheduling: named, sized and printed, never interpreted. 0x100 in a PV or HVM id marks
 * the variant with 64-bit addresses, 0x400 a nested guest. */
#include "parse/layout-macros.h"

#define ANY(event_, min_, max_, name_, ...) \
    { .event = event_, .min_words = min_, .max_words = max_, .name = name_, .versions = "", XT_FIELDS(__VA_ARGS__) }
#define NONE(event_, name_) { .event = event_, .name = name_, .versions = "" }
#define WORDS(event_, min_, max_, name_) \
    ANY(event_, min_, max_, name_, F_HEX("w0", 0), F_HEX("w1", 1), F_HEX("w2", 2), F_HEX("w3", 3), F_HEX("w4", 4), \
        F_HEX("w5", 5), F_HEX("w6", 6))
#define DOM(event_, name_) ANY(event_, 1, 1, name_, F("dom", 0))
/* a 32-bit variant and its 64-bit twin, whose address takes one word more */
#define TWIN(event_, min_, max_, name_, min64_, max64_) \
    WORDS(event_, min_, max_, name_), WORDS((event_) + 0x100, min64_, max64_, name_ "64")
#define SHADOW(n_, name_, words2_, words3_, words4_) \
    WORDS(0x40f000 + (n_), words2_, words2_, "shadow:" name_ "2"), \
    WORDS(0x40f100 + (n_), words3_, words3_, "shadow:" name_ "3"), \
    WORDS(0x40f200 + (n_), words4_, words4_, "shadow:" name_ "4")
#define IRQ_VECTOR F("irq", 0), F_HEX("vector", 1), F_PCPU("pcpu", 2)

static const struct xt_layout rows[] = {
    NONE(0x81001, "hvm:vmentry"),
    NONE(0x81401, "hvm:nested_vmentry"),
    ANY(0x81002, 2, 2, "hvm:vmexit", F_HEX("reason", 0), F_HEX("eip", 1)),
    ANY(0x81003, 2, 2, "hvm:vmexit_svm", F_HEX("reason", 0), F_HEX("eip", 1)),
    ANY(0x81102, 3, 3, "hvm:vmexit64", F_HEX("reason", 0), F_X64("rip", 1)),
    ANY(0x81103, 3, 3, "hvm:vmexit_svm64", F_HEX("reason", 0), F_X64("rip", 1)),
    ANY(0x81402, 2, 2, "hvm:nested_vmexit", F_HEX("reason", 0), F_HEX("eip", 1)),
    ANY(0x81502, 3, 3, "hvm:nested_vmexit64", F_HEX("reason", 0), F_X64("rip", 1)),
    ANY(0x81503, 3, 3, "hvm:nested_vmexit_svm64", F_HEX("reason", 0), F_X64("rip", 1)),

    TWIN(0x82001, 2, 2, "hvm:pf_xen", 3, 3),
    TWIN(0x82002, 2, 2, "hvm:pf_inject", 3, 3),
    ANY(0x82003, 2, 2, "hvm:inj_exc", F_HEX("vector", 0), F_HEX("error", 1)),
    ANY(0x82004, 2, 2, "hvm:inj_virq", F_HEX("vector", 0), F("fake", 1)),
    TWIN(0x82008, 2, 2, "hvm:cr_read", 3, 3),
    TWIN(0x82009, 2, 2, "hvm:cr_write", 3, 3),
    NONE(0x8200a, "hvm:dr_read"),
    NONE(0x8200b, "hvm:dr_write"),
    ANY(0x8200c, 3, 3, "hvm:msr_read", F_HEX("msr", 0), F_X64("value", 1)),
    ANY(0x8200d, 3, 3, "hvm:msr_write", F_HEX("msr", 0), F_X64("value", 1)),
    WORDS(0x8200e, 5, 6, "hvm:cpuid"),
    ANY(0x8200f, 0, 1, "hvm:intr", F_HEX("vector", 0)),
    NONE(0x82010, "hvm:nmi"),
    NONE(0x82011, "hvm:smi"),
    ANY(0x82012, 1, 1, "hvm:vmmcall", F_HEX("number", 0)),
    ANY(0x82013, 1, 1, "hvm:hlt", F_HEX("interrupts", 0)),
    TWIN(0x82014, 2, 2, "hvm:invlpg", 3, 3),
    NONE(0x82015, "hvm:mce"),
    TWIN(0x82016, 1, 2, "hvm:ioport_read", 2, 4),
    TWIN(0x82017, 1, 2, "hvm:iomem_read", 2, 4),
    NONE(0x82018, "hvm:clts"),
    TWIN(0x82019, 1, 1, "hvm:lmsw", 2, 2),
    ANY(0x8201a, 2, 2, "hvm:rdtsc", F_U64("value", 0, "cycles")),
    WORDS(0x82020, 3, 3, "hvm:intr_window"),
    WORDS(0x82021, 6, 6, "hvm:npf"),
    NONE(0x82022, "hvm:realmode_emulate"),
    ANY(0x82023, 1, 1, "hvm:trap", F_HEX("trap", 0)),
    ANY(0x82024, 1, 1, "hvm:trap_debug", F_HEX("exit_qualification", 0)),
    NONE(0x82025, "hvm:vlapic"),
    WORDS(0x82126, 3, 3, "hvm:xcr_read64"),
    WORDS(0x82127, 3, 3, "hvm:xcr_write64"),
    TWIN(0x82216, 1, 2, "hvm:ioport_write", 2, 4),
    TWIN(0x82217, 1, 2, "hvm:iomem_write", 2, 4),

    WORDS(0x84001, 6, 6, "emul:hpet_start_timer"),
    WORDS(0x84002, 2, 2, "emul:pit_start_timer"),
    WORDS(0x84003, 2, 2, "emul:rtc_start_timer"),
    WORDS(0x84004, 5, 5, "emul:lapic_start_timer"),
    WORDS(0x84005, 1, 1, "emul:hpet_stop_timer"),
    NONE(0x84006, "emul:pit_stop_timer"),
    NONE(0x84007, "emul:rtc_stop_timer"),
    NONE(0x84008, "emul:lapic_stop_timer"),
    NONE(0x84009, "emul:pit_timer_cb"),
    NONE(0x8400a, "emul:lapic_timer_cb"),
    WORDS(0x8400b, 3, 3, "emul:pic_int_output"),
    WORDS(0x8400c, 1, 1, "emul:pic_kick"),
    WORDS(0x8400d, 2, 2, "emul:pic_intack"),
    WORDS(0x8400e, 1, 1, "emul:pic_posedge"),
    WORDS(0x8400f, 1, 1, "emul:pic_negedge"),
    WORDS(0x84010, 2, 2, "emul:pic_pend_irq_call"),
    WORDS(0x84011, 2, 2, "emul:lapic_pic_intr"),

    DOM(0x10f001, "mem:page_grant_map"),
    DOM(0x10f002, "mem:page_grant_unmap"),
    DOM(0x10f003, "mem:page_grant_transfer"),
    WORDS(0x10f004, 6, 6, "mem:set_p2m_entry"),
    WORDS(0x10f005, 4, 4, "mem:decrease_reservation"),
    WORDS(0x10f010, 6, 6, "mem:pod_populate"),
    WORDS(0x10f011, 6, 6, "mem:pod_zero_reclaim"),
    WORDS(0x10f012, 4, 4, "mem:pod_superpage_splinter"),

    TWIN(0x201001, 2, 2, "pv:hypercall", 3, 3),
    TWIN(0x201003, 2, 2, "pv:trap", 3, 3),
    TWIN(0x201004, 3, 3, "pv:page_fault", 5, 5),
    TWIN(0x201005, 1, 1, "pv:forced_invalid_op", 2, 2),
    TWIN(0x201006, 1, 1, "pv:emulate_privop", 2, 2),
    TWIN(0x201007, 1, 1, "pv:emulate_4gb", 2, 2),
    NONE(0x201008, "pv:math_state_restore"),
    TWIN(0x201009, 2, 2, "pv:paging_fixup", 4, 4),
    TWIN(0x20100a, 2, 2, "pv:gdt_ldt_mapping_fault", 4, 4),
    WORDS(0x20100b, 4, 4, "pv:ptwr_emulation"),
    WORDS(0x20110b, 6, 6, "pv:ptwr_emulation64"),
    WORDS(0x20100c, 4, 4, "pv:ptwr_emulation_pae"),
    /* bits 0-19 hypercall number, then two bits an argument: 0 absent, 1 one word, 2 two words */
    ANY(0x20100d, 1, 7, "pv:hypercall_v2", F_BITS("op", 0, 0, 20), F_HEX("a0", 1), F_HEX("a1", 2), F_HEX("a2", 3),
        F_HEX("a3", 4), F_HEX("a4", 5), F_HEX("a5", 6)),
    ANY(0x20200e, 1, 7, "pv:hypercall_subcall", F_BITS("op", 0, 0, 20), F_HEX("a0", 1), F_HEX("a1", 2), F_HEX("a2", 3),
        F_HEX("a3", 4), F_HEX("a4", 5), F_HEX("a5", 6)),

    ANY(0x801001, 2, 2, "hw:freq_change", F("old_mhz", 0), F("new_mhz", 1)),
    ANY(0x801002, 4, 4, "hw:idle_entry", F("cstate", 0), F("ticks", 1), F("expected_us", 2), F("predicted_us", 3)),
    ANY(0x801003, 6, 6, "hw:idle_exit", F("cstate", 0), F("ticks", 1), F_HEX("vector0", 2), F_HEX("vector1", 3),
        F_HEX("vector2", 4), F_HEX("vector3", 5)),
    ANY(0x802001, 3, 3, "hw:irq_move_cleanup_delay", IRQ_VECTOR),
    ANY(0x802002, 3, 3, "hw:irq_move_cleanup", IRQ_VECTOR),
    ANY(0x802003, 7, 7, "hw:irq_bind_vector", F_BITS("irq", 0, 0, 16), F_BITS("vector", 0, 16, 16), F_HEX("mask0", 1)),
    ANY(0x802004, 7, 7, "hw:irq_clear_vector", F_BITS("irq", 0, 0, 16), F_BITS("vector", 0, 16, 16), F_HEX("mask0", 1)),
    ANY(0x802005, 3, 3, "hw:irq_move_finish", IRQ_VECTOR),
    ANY(0x802006, 7, 7, "hw:irq_assign_vector", F_BITS("irq", 0, 0, 16), F_BITS("vector", 0, 16, 16), F_HEX("mask0", 1)),
    ANY(0x802007, 1, 1, "hw:irq_unmapped_vector", F_HEX("vector", 0)),
    ANY(0x802008, 3, 3, "hw:irq_handled", F("irq", 0), F("tsc_in", 1), F("tsc_out", 2)),

    SHADOW(1, "not_shadow", 3, 4, 5),
    SHADOW(2, "fast_propagate", 1, 1, 2),
    SHADOW(3, "fast_mmio", 1, 1, 2),
    SHADOW(4, "false_fast_path", 1, 1, 2),
    SHADOW(5, "mmio", 1, 1, 2),
    SHADOW(6, "fixup", 3, 4, 5),
    SHADOW(7, "domf_dying", 1, 1, 2),
    SHADOW(8, "emulate", 4, 6, 7),
    SHADOW(9, "emulate_unshadow_user", 2, 3, 4),
    SHADOW(10, "emulate_unshadow_evtinj", 2, 3, 4),
    SHADOW(11, "emulate_unshadow_unhandled", 2, 3, 4),
    SHADOW(12, "wrmap_bf", 2, 2, 2),
    SHADOW(13, "prealloc_unpin", 2, 2, 2),
    SHADOW(14, "resync_full", 2, 2, 2),
    SHADOW(15, "resync_only", 2, 2, 2),
};
const struct xt_layout_table xt_layouts_other = XT_LAYOUTS(rows);
