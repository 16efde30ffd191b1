/* From the database to a scene. */
#pragma once

#include "db/db.h"
#include "render/scene.h"

enum xt_detail { XT_DETAIL_AUTO, XT_DETAIL_EXACT, XT_DETAIL_OVERVIEW };

struct xt_scene_request {
    const char *run;            /* name or number; NULL: the only one */
    int64_t from, to;           /* ns; -1: the run's start or end */
    int miss;                   /* > 0: centred on the miss with this number; from and to are then -1 */
    const char *job;            /* "DOMAIN/TASK/NUMBER": likewise on that job; NULL none */
    int64_t around, width;      /* around >= 0: likewise on that instant. width 0: a fitting one */
    const char *const *vcpus;   /* "d1v0", "d1", NULL-terminated; NULL all */
    const char *const *domains; /* names or numbers, likewise */
    bool jobs;                  /* job rows are wanted */
    bool colour_by_pcpu;
    enum xt_detail detail;
    unsigned n_columns; /* of an overview, from xt_gantt_columns */
};

/* Window and VCPUs as asked, intervals exact or as density. In an automatic choice a window of at most 100 ms
 * is exact, a longer one is until a row has more boxes than the figure has columns. XT_ERROR_USAGE if run,
 * VCPU, miss or window is none. */
struct xt_scene *xt_scene_query(struct xt_db *db, const struct xt_scene_request *request, GError **error);
