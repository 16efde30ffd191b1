/* Scenes made without a database: a little global-EDF simulator with servers, for tests of drawing. */
#pragma once

#include "render/scene.h"

struct sim_server {
    int domid, vcpu;
    int64_t period_ns, budget_ns;
    int64_t demand_ns; /* wanted per period; more than the budget: depletes */
    const char *domain;
};

/* Runs servers on n_pcpus from 0 to duration_ns in steps of step_ns and keeps what falls into [from, to).
 * Misses are numbered. Expected sums: *ran_ns (may be NULL) is set to the time that all servers ran within
 * the window. */
struct xt_scene *sim_scene(const struct sim_server *servers, unsigned n_servers, unsigned n_pcpus,
                           int64_t duration_ns, int64_t step_ns, int64_t from, int64_t to, int64_t *ran_ns);
