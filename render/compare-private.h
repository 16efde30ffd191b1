/* Between compare.c (figures, order) and compare-tables.c (numbers, words). */
#pragma once

#include "render/compare.h"

struct compare {
    struct xt_db *db;
    struct xt_report *report;
    GPtrArray *runs; /* of struct xt_db_run * */
    char *source;    /* the runs in a sentence */
    GError **error;
};

bool compare_add_summary(struct compare *c); /* a sentence per policy: what it missed */
bool compare_add_run_table(struct compare *c);
bool compare_add_policy_table(struct compare *c);
bool compare_add_metric_tables(struct compare *c, const char *kind); /* "overhead" or "latency" */
bool compare_add_miss_table(struct compare *c);
void compare_add_definitions(struct compare *c);
bool compare_add_origin(struct compare *c, const char *command);
