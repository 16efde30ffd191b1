/* What the rooms of the survey share: survey-windows.c finds the windows, survey-pcpu.c reads one pCPU's records. */
#pragma once

#include "parse/cursor.h"
#include "parse/survey.h"

/* Where the file stops making sense; offset is UINT64_MAX if it does not. */
struct damage {
    uint64_t offset;
    char *what;
};

/* damage->offset becomes the lower of the two; takes what. */
void damage_found(struct damage *damage, uint64_t offset, char *what);

/* Fills in survey's pcpus (numbers, windows, bytes), whole_windows and where the file ends if it is cut, from the
 * windows that begin before survey->data_end. false with error if it is no trace, or unreadable. */
bool survey_windows(struct xt_survey *survey, const struct xt_source *source, struct damage *damage, GError **error);

#define SURVEY_SAMPLES_AT_ONCE 256

/* What one worker found over all pCPUs that it read. */
struct findings_of_worker {
    uint64_t *layout_counts;             /* records by xt_layout_number */
    uint64_t *of_pcpu;                   /* likewise, scratch */
    uint64_t old_packing, new_packing;   /* evidence */
    uint64_t unknown_records, malformed_records;
    bool has_extratime;
    struct damage damage;
    uint64_t cut_at;                     /* the last window ends here with less than a record; UINT64_MAX */
    GArray *notes;                       /* of struct survey_note */
    struct xt_spill *samples;
    struct xt_replenish_sample waiting[SURVEY_SAMPLES_AT_ONCE]; /* to go into samples */
    unsigned n_waiting;
    GError *error;
};

struct survey_note {
    uint64_t offset;
    char *text;
    bool malformed; /* only the first SURVEY_MALFORMED_NOTES of these are told */
};
#define SURVEY_MALFORMED_NOTES 5

/* Reads all records of a pCPU and fills in its struct xt_pcpu_survey. false with worker->error if it is unreadable. */
bool survey_pcpu(struct xt_survey *survey, uint32_t slot, const struct xt_source *source,
                 const struct xt_layout_index *layouts, struct findings_of_worker *worker);
