#include "tests/render/scenes.h"

struct sim {
    int64_t left, wanted, deadline, since;
    enum xt_state state;
    int pcpu, last_pcpu;
    int64_t left_ts;
};

static void close_interval(struct xt_scene *scene, const struct sim *s, int index, int64_t ts,
                           enum xt_reason reason, int64_t *ran)
{
    struct xt_scene_interval i = {.vcpu = index,
                                  .state = s->state,
                                  .reason = reason,
                                  .ts = s->since,
                                  .end_ts = ts,
                                  .pcpu = s->state == XT_RUNNING ? s->pcpu : XT_NO_PCPU};
    if (ts <= s->since || ts <= scene->from || s->since >= scene->to)
        return;
    if (s->state == XT_RUNNING || s->state == XT_RUNNABLE)
        g_array_append_val(scene->intervals, i);
    if (s->state == XT_RUNNING)
        *ran += MIN(ts, scene->to) - MAX(s->since, scene->from);
}

static void change(struct xt_scene *scene, struct sim *s, int index, int64_t ts, enum xt_state state,
                   int pcpu, enum xt_reason reason, int64_t *ran)
{
    if (s->state == state && s->pcpu == pcpu)
        return;
    close_interval(scene, s, index, ts, reason, ran);
    if (s->state == XT_RUNNING) {
        s->last_pcpu = s->pcpu;
        s->left_ts = ts;
    }
    if (state == XT_RUNNING && s->last_pcpu >= 0 && s->last_pcpu != pcpu && ts >= scene->from &&
        ts < scene->to) {
        struct xt_scene_migration m = {index, s->last_pcpu, pcpu, s->left_ts, ts};
        g_array_append_val(scene->migrations, m);
    }
    s->state = state;
    s->pcpu = pcpu;
    s->since = ts;
}

/* The eligible server with the earliest deadline that is not yet placed. */
static int pick(const struct sim *sims, const bool *placed, unsigned n)
{
    int best = -1;
    for (unsigned i = 0; i < n; i++)
        if (!placed[i] && sims[i].left > 0 && sims[i].wanted > 0 &&
            (best < 0 || sims[i].deadline < sims[best].deadline))
            best = (int)i;
    return best;
}

static void schedule(struct xt_scene *scene, struct sim *sims, unsigned n, unsigned n_pcpus, int64_t ts,
                     int64_t *ran)
{
    bool *placed = g_new0(bool, n), *busy = g_new0(bool, n_pcpus);
    int *chosen = g_new(int, n_pcpus);
    unsigned n_chosen = 0;

    for (; n_chosen < n_pcpus; n_chosen++) {
        int next = pick(sims, placed, n);
        if (next < 0)
            break;
        placed[next] = true;
        chosen[n_chosen] = next;
    }
    for (unsigned i = 0; i < n; i++) {
        if (placed[i] && sims[i].state == XT_RUNNING)
            busy[sims[i].pcpu] = true;
        if (placed[i])
            continue;
        bool wants = sims[i].wanted > 0;
        enum xt_reason reason = !wants             ? XT_REASON_BLOCKED
                                : sims[i].left > 0 ? XT_REASON_PREEMPTED
                                                   : XT_REASON_DEPLETED;
        change(scene, &sims[i], (int)i, ts, wants ? XT_RUNNABLE : XT_BLOCKED, XT_NO_PCPU, reason, ran);
    }
    for (unsigned c = 0; c < n_chosen; c++) {
        struct sim *s = &sims[chosen[c]];
        if (s->state == XT_RUNNING)
            continue;
        int pcpu = 0;
        while (busy[pcpu])
            pcpu++;
        busy[pcpu] = true;
        change(scene, s, chosen[c], ts, XT_RUNNING, pcpu, XT_REASON_NONE, ran);
    }
    g_free(placed);
    g_free(busy);
    g_free(chosen);
}

static void release(struct xt_scene *scene, const struct sim_server *server, struct sim *s, int index,
                    int64_t ts, int *misses, GArray *replenish)
{
    if (ts > 0) {
        bool missed = s->wanted > 0 && s->left > 0;
        struct xt_scene_period p = {
            index, ts - server->period_ns, ts, server->budget_ns, server->budget_ns - s->left, true, missed,
            false, missed ? ++*misses : 0};
        if (p.deadline >= scene->from && p.release <= scene->to)
            g_array_append_val(scene->periods, p);
    }
    struct xt_scene_replenish r = {index, ts, server->budget_ns};
    g_array_append_val(replenish, r);
    s->left = server->budget_ns;
    s->wanted = (ts > 0 ? s->wanted : 0) + server->demand_ns;
    s->deadline = ts + server->period_ns;
}

static void add_levels(struct xt_scene *scene, unsigned n, GArray *replenish)
{
    for (unsigned v = 0; v < n; v++) {
        GArray *r = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_replenish));
        GArray *i = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_interval));
        for (unsigned k = 0; k < replenish->len; k++)
            if (g_array_index(replenish, struct xt_scene_replenish, k).vcpu == (int)v)
                g_array_append_val(r, g_array_index(replenish, struct xt_scene_replenish, k));
        for (unsigned k = 0; k < scene->intervals->len; k++)
            if (g_array_index(scene->intervals, struct xt_scene_interval, k).vcpu == (int)v)
                g_array_append_val(i, g_array_index(scene->intervals, struct xt_scene_interval, k));
        xt_scene_add_levels(scene, (int)v, (struct xt_scene_replenish *)r->data, r->len,
                            (struct xt_scene_interval *)i->data, i->len);
        g_array_unref(r);
        g_array_unref(i);
    }
}

struct xt_scene *sim_scene(const struct sim_server *servers, unsigned n_servers, unsigned n_pcpus,
                           int64_t duration_ns, int64_t step_ns, int64_t from, int64_t to, int64_t *ran_ns)
{
    struct xt_scene *scene = xt_scene_new(from, to);
    struct sim *sims = g_new0(struct sim, n_servers);
    GArray *replenish = g_array_new(FALSE, FALSE, sizeof(struct xt_scene_replenish));
    int64_t ran = 0;
    int misses = 0;

    for (unsigned p = 0; p < n_pcpus; p++)
        g_array_append_val(scene->pcpus, p);
    for (unsigned i = 0; i < n_servers; i++) {
        struct xt_scene_vcpu v = {.domid = servers[i].domid,
                                  .vcpu = servers[i].vcpu,
                                  .domain = g_strdup(servers[i].domain),
                                  .period_ns = servers[i].period_ns,
                                  .budget_ns = servers[i].budget_ns};
        g_array_append_val(scene->vcpus, v);
        sims[i] = (struct sim){.state = XT_BLOCKED, .pcpu = XT_NO_PCPU, .last_pcpu = -1};
    }
    for (int64_t ts = 0; ts < duration_ns; ts += step_ns) {
        for (unsigned i = 0; i < n_servers; i++)
            if (ts % servers[i].period_ns == 0)
                release(scene, &servers[i], &sims[i], (int)i, ts, &misses, replenish);
        schedule(scene, sims, n_servers, n_pcpus, ts, &ran);
        for (unsigned i = 0; i < n_servers; i++)
            if (sims[i].state == XT_RUNNING) {
                sims[i].left -= step_ns;
                sims[i].wanted -= step_ns;
            }
    }
    for (unsigned i = 0; i < n_servers; i++)
        close_interval(scene, &sims[i], (int)i, duration_ns, XT_REASON_NONE, &ran);
    add_levels(scene, n_servers, replenish);

    scene->run = g_strdup("simulated");
    scene->policy = g_strdup("gEDF");
    scene->xen_version = g_strdup("4.17.5");
    scene->scheduler = g_strdup("rtds");
    scene->run_ns = duration_ns;
    scene->run_misses = (uint64_t)misses;
    scene->n_intervals = scene->intervals->len;
    g_array_unref(replenish);
    g_free(sims);
    if (ran_ns)
        *ran_ns = ran;
    return scene;
}
