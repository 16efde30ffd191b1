/* The first reading of a trace: where each pCPU's windows are, what is in them, how fast the TSC runs, which Xen wrote
 * it. Everything global that reconstruction must know before the first record. Windows are found first; then all cores read
 * them, whoever is free those of the pCPU that come next in the file, so that even of a file larger than memory every part
 * is fetched but once. */
#pragma once

#include "parse/layout.h"
#include "parse/record.h"
#include "parse/series.h"
#include "parse/sink.h"
#include "parse/source.h"

/* Frequency estimate in Hz with its standard error; hz is 0 if there is none. */
struct xt_frequency {
    double hz, error_ppm;
};

/* Where a window's CPU_CHANGE record stands, and how long the window is with it; beyond the end of a file that is cut. */
struct xt_window {
    uint64_t offset, bytes;
};

/* What is to be added to the TSCs of a pCPU, in cycles, and the range that the order of changes proves for it if nothing is
 * added to those of tsc_reference (INT64_MIN, INT64_MAX: no bound). Found by parse/skew.h, and only where TSCs contradict
 * that order. */
struct xt_tsc_offset {
    int64_t cycles, min, max;
};
#define XT_NO_TSC_OFFSET ((struct xt_tsc_offset){ 0, INT64_MIN, INT64_MAX })

struct xt_pcpu_survey {
    int32_t pcpu;
    struct xt_tsc_offset tsc_offset;
    uint64_t records, lost_records, lost_windows, steps_back;
    uint64_t tsc_records; /* those that carry a TSC */
    bool has_tsc;
    uint64_t first_tsc, last_tsc; /* smallest and largest of this pCPU */
    uint64_t class_records[XT_N_SCHEDULERS];
    uint64_t schedule_records; /* decisions that a scheduler announced itself */
    uint64_t foreign_idle;     /* runstate changes of another pCPU's idle VCPU: core scheduling */
    struct xt_series windows;  /* of struct xt_window, in file order */
    uint64_t bytes; /* of its windows */
    struct xt_frequency frequency;
    struct xt_series samples; /* of struct xt_replenish_sample: its replenishments */
};

/* A TSC of this pCPU on the time line that all of them share, and back. */
static inline uint64_t xt_corrected_tsc(const struct xt_pcpu_survey *pcpu, uint64_t tsc)
{
    return tsc ? tsc + (uint64_t)pcpu->tsc_offset.cycles : 0; /* 0: no record carried one yet */
}

static inline uint64_t xt_raw_tsc(const struct xt_pcpu_survey *pcpu, uint64_t tsc)
{
    return tsc - (uint64_t)pcpu->tsc_offset.cycles;
}

/* One replenishment, kept for learning servers and the system-time line. */
struct xt_replenish_sample {
    uint64_t tsc, deadline, budget;
    uint32_t domid_vcpu; /* packed as in the record */
};

struct xt_survey {
    uint64_t bytes;           /* of the file */
    uint64_t data_end;        /* where use of it ends: bytes, or earlier if damaged or cut */
    uint64_t truncated_bytes; /* at the end that form no whole record */
    uint64_t cut_window_end;  /* where the last window should end if the file is cut inside it, else 0 */
    uint64_t whole_windows;
    uint64_t records, lost_records, lost_windows, unknown_records, malformed_records, steps_back;
    uint64_t runstate_changes;
    bool skew_looked;        /* parse/skew.h */
    uint64_t contradictions; /* runstate changes that the TSCs put before what must precede them, as far as looked */
    int32_t tsc_reference;   /* pCPU that is taken to be right */
    uint64_t disorder;       /* the farthest of them, in cycles */
    bool has_tsc;
    uint64_t first_tsc, last_tsc; /* with the offsets of pCPUs */
    bool vd;              /* VCPUs of scheduler-class events are packed the old way (Xen <= 4.6) */
    bool core_scheduling;
    bool has_continue;    /* continue_running occurs */
    bool has_extratime;   /* RTDS: a priority level above 0 occurs */
    char generation[64];
    uint32_t n_pcpus;
    struct xt_pcpu_survey *pcpus; /* ascending pCPU number; a record's slot indexes this */
    GPtrArray *spills;            /* of struct xt_series_spill: those of the pCPUs' series */
    uint64_t *layout_counts;         /* records by xt_layout_number */
    struct xt_frequency frequency;   /* all pCPUs combined */
};

/* Reads the whole source. XT_ERROR_INPUT with offset if it is no trace, or damaged and options do not salvage. */
struct xt_survey *xt_survey_new(const struct xt_source *source, const struct xt_layout_index *layouts,
                                const struct xt_trace_options *options, GError **error);
void xt_survey_free(struct xt_survey *survey);

/* Offset of the nth window of a pCPU. */
bool xt_survey_window(const struct xt_survey *survey, uint32_t slot, uint64_t n, uint64_t *offset, GError **error);

/* Calls each for all replenishments in order of time: TSC, then pCPU number; within a pCPU file order. */
bool xt_survey_each_replenishment(const struct xt_survey *survey,
                                  void (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                  GError **error);
/* The same for one pCPU, as long as each says to go on. */
bool xt_pcpu_each_replenishment(const struct xt_pcpu_survey *pcpu,
                                bool (*each)(void *user, const struct xt_replenish_sample *sample), void *user,
                                GError **error);
