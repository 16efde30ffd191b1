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
bool survey_windows(struct xt_survey *survey, const struct xt_source *source, const char *spool_dir, struct damage *damage,
                    GError **error);

/* What one worker found in all windows that it read. */
struct findings_of_worker {
    uint64_t *layout_counts;             /* records by xt_layout_number */
    uint64_t old_packing, new_packing;   /* evidence */
    uint64_t unknown_records, malformed_records;
    bool has_extratime;
    struct damage damage;
    uint64_t cut_at;                     /* the last window ends here with less than a record; UINT64_MAX */
    GArray *notes;                       /* of struct survey_note */
    GError *error;
};

struct survey_note {
    uint64_t offset;
    char *text;
    bool malformed; /* only the first SURVEY_MALFORMED_NOTES of these are told */
};
#define SURVEY_MALFORMED_NOTES 5

/* Reads the records of a pCPU and fills in its struct xt_pcpu_survey: one worker at a time, though not always the same.
 * samples: of its replenishments. */
struct survey_reader;
struct survey_reader *survey_reader_new(struct xt_survey *survey, uint32_t slot, const struct xt_source *source,
                                        const struct xt_layout_index *layouts, struct xt_series_spill *samples);
/* Where its next window begins; UINT64_MAX if there is none, or with error set. */
uint64_t survey_reader_next(struct survey_reader *reader, GError **error);
/* Reads that window. false if there is no going on: with worker->error, or the damage that it found. */
bool survey_reader_window(struct survey_reader *reader, struct findings_of_worker *worker);
/* Fills in what only all records tell, and frees. */
void survey_reader_end(struct survey_reader *reader, struct findings_of_worker *worker);
