/* Constants of the xentrace file format. Layouts of events stand in the decode-*.c tables, not here. */
#pragma once

#include <stdint.h>

#define XT_CPU_CHANGE_HEADER 0x2001f003u /* made by the xentrace tool: one starts every window */
#define XT_CPU_CHANGE_BYTES 12u
#define XT_MAX_PCPUS 16384u /* above any NR_CPUS; larger numbers mean damage */
#define XT_MAX_VCPUS 131072u /* of all domains together; more mean damage */
#define XT_MAX_RECORD_BYTES 40u

#define XT_EVENT(header) ((header) & 0x0fffffffu)
#define XT_N_WORDS(header) (((header) >> 28) & 7u)
#define XT_HAS_TSC(header) ((header) >> 31)

static inline uint32_t xt_record_bytes(uint32_t header)
{
    /* header, words, TSC; no table, since the place of the next record waits for this */
    return 4 + (header >> 26 & 0x1c) + (header >> 28 & 8);
}

static inline uint64_t xt_u64(const uint32_t *words)
{
    return words[0] | (uint64_t)words[1] << 32;
}

enum {
    XT_ID_LOST_RECORDS = 0x1f001,
    XT_ID_WRAP_BUFFER = 0x1f002,
    XT_ID_CPU_CHANGE = 0x1f003,
    XT_ID_RUNSTATE = 0x21001, /* + old state * 0x100 + new state * 0x10 */
    XT_ID_CONTINUE_RUNNING = 0x21002,
    XT_ID_CLASS = 0x22000, /* + scheduler id << 9 */
    XT_ID_SWITCH_INFPREV = 0x2800e,
    XT_ID_SWITCH_INFCONT = 0x28011,
};

static inline int xt_is_runstate(uint32_t event)
{
    return (event & ~0x330u) == XT_ID_RUNSTATE;
}

/* Subclass mask of an id, e.g. 0x22000: what xentrace's -e selects by. */
#define XT_SUBCLASS(event) ((event) & 0x0ffff000u)
#define XT_SUBCLASS_SCHED_MIN 0x21000u
#define XT_SUBCLASS_SCHED_CLASS 0x22000u
#define XT_SUBCLASS_SCHED_OVERHEAD 0x24000u
#define XT_SUBCLASS_SCHED_VERBOSE 0x28000u
