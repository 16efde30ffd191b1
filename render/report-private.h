/* Between report.c and its two writers. */
#pragma once

#include "render/report.h"

enum block_kind {
    BLOCK_HEADING,
    BLOCK_TEXT,
    BLOCK_CODE,
    BLOCK_TERM,
    BLOCK_TABLE,
    BLOCK_FIGURE,
    BLOCK_TIMELINE
};

struct block {
    enum block_kind kind;
    char *id, *text; /* text: heading, paragraph, code, term, caption of a table, JSON */
    char *meaning;   /* of a term */
    struct xt_table *table;
    struct xt_figure *figure;
};

struct xt_report {
    char *title;
    GPtrArray *blocks; /* of struct block * */
};
