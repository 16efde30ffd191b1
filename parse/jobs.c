#include "parse/jobs.h"

#include <math.h>
#include <string.h>

#include "parse/fit.h"

#define MAX_MARKS 200000u /* kept; of more every second one is dropped, again and again */
#define MIN_MARKS 20
#define MIN_SHARE 0.95
#define GOOD_SHARE 0.995     /* below, an anchored clock is looked at more closely */
#define NEAR_NS 5000000       /* a pair of readings may be torn apart by as much as a VCPU waits */
#define MAX_HZ_DIFFERENCE 0.01

struct clock {
    bool is_tsc;
    double hz;
};

struct anchor {
    int64_t mono_ns;
    uint64_t tsc;
};

struct moment {
    int64_t time;
    unsigned clock;
    bool known;
};

struct raw_job {
    const char *task;
    int64_t number;
    struct moment moments[XT_JOB_DEADLINE + 1];
};

struct mark {
    int64_t time;
    uint32_t clock;
    int32_t vcpu;
};

struct xt_job_log {
    GStringChunk *names;
    GArray *clocks;   /* of struct clock */
    GArray *anchors;  /* of struct anchor, ascending */
    GPtrArray *jobs;  /* of struct raw_job, by first appearance */
    GHashTable *by_id; /* struct raw_job -> itself */
    GArray *marks;    /* of struct mark */
    unsigned mark_step, marks_skipped;
    struct moment end;
};

const char *xt_guest_clock_name(enum xt_guest_clock clock)
{
    static const char *const names[] = { "tsc", "anchored", "fitted", "untied" };

    return (unsigned)clock < G_N_ELEMENTS(names) ? names[clock] : "?";
}

static guint hash_job(gconstpointer key)
{
    const struct raw_job *job = key;

    return g_str_hash(job->task) ^ (guint)job->number * 2654435761u;
}

static gboolean equal_jobs(gconstpointer a, gconstpointer b)
{
    const struct raw_job *x = a, *y = b;

    return x->number == y->number && !strcmp(x->task, y->task);
}

struct xt_job_log *xt_job_log_new(void)
{
    struct xt_job_log *log = g_new0(struct xt_job_log, 1);

    log->names = g_string_chunk_new(1024);
    log->clocks = g_array_new(FALSE, FALSE, sizeof(struct clock));
    log->anchors = g_array_new(FALSE, FALSE, sizeof(struct anchor));
    log->jobs = g_ptr_array_new_with_free_func(g_free);
    log->by_id = g_hash_table_new(hash_job, equal_jobs);
    log->marks = g_array_new(FALSE, FALSE, sizeof(struct mark));
    log->mark_step = 1;
    return log;
}

void xt_job_log_free(struct xt_job_log *log)
{
    if (!log)
        return;
    g_hash_table_unref(log->by_id);
    g_ptr_array_unref(log->jobs);
    g_array_unref(log->clocks);
    g_array_unref(log->anchors);
    g_array_unref(log->marks);
    g_string_chunk_free(log->names);
    g_free(log);
}

unsigned xt_job_log_clock(struct xt_job_log *log, bool is_tsc, double hz)
{
    struct clock clock = { is_tsc, hz };

    g_array_append_val(log->clocks, clock);
    return log->clocks->len - 1;
}

static const struct clock *clock_of(const struct xt_job_log *log, unsigned clock)
{
    return &g_array_index(log->clocks, struct clock, clock);
}

static gint compare_anchors(gconstpointer a, gconstpointer b)
{
    const struct anchor *x = a, *y = b;

    return (x->mono_ns > y->mono_ns) - (x->mono_ns < y->mono_ns);
}

void xt_job_log_anchor(struct xt_job_log *log, int64_t mono_ns, uint64_t tsc)
{
    struct anchor anchor = { mono_ns, tsc };

    g_array_append_val(log->anchors, anchor);
}

void xt_job_log_moment(struct xt_job_log *log, unsigned clock, const char *task, int64_t number,
                       enum xt_job_moment moment, int64_t time)
{
    struct raw_job key = { .task = task, .number = number };
    struct raw_job *job = g_hash_table_lookup(log->by_id, &key);

    if (!job) {
        job = g_new0(struct raw_job, 1);
        job->task = g_string_chunk_insert_const(log->names, task);
        job->number = number;
        g_ptr_array_add(log->jobs, job);
        g_hash_table_add(log->by_id, job);
    }
    if (moment == XT_JOB_START && job->moments[moment].known)
        return;
    job->moments[moment] = (struct moment){ time, clock, true };
}

void xt_job_log_mark(struct xt_job_log *log, unsigned clock, int vcpu, int64_t time)
{
    struct mark mark = { time, clock, vcpu };

    if (log->marks_skipped++ % log->mark_step)
        return;
    if (log->marks->len == MAX_MARKS) {
        for (unsigned i = 0; i < MAX_MARKS / 2; i++)
            g_array_index(log->marks, struct mark, i) = g_array_index(log->marks, struct mark, 2 * i);
        g_array_set_size(log->marks, MAX_MARKS / 2);
        log->mark_step *= 2;
    }
    g_array_append_val(log->marks, mark);
}

void xt_job_log_reach(struct xt_job_log *log, unsigned clock, int64_t time)
{
    if (!log->end.known || clock_of(log, clock)->is_tsc != clock_of(log, log->end.clock)->is_tsc ||
        time > log->end.time)
        log->end = (struct moment){ time, clock, true };
}

uint64_t xt_job_log_n_jobs(const struct xt_job_log *log)
{
    return log->jobs->len;
}

/* How times of a log become times of the run. */
struct placing {
    const struct xt_job_log *log;
    uint64_t start_tsc;
    int64_t tsc_hz;
    const struct anchor *anchors;
    guint n_anchors;
    int64_t offset_ns;
};

/* (tsc - start) in ns, towards minus infinity; saturates far outside of any run. */
static int64_t ts_of_tsc(const struct placing *p, int64_t tsc)
{
    __int128 cycles = (__int128)tsc - (__int128)p->start_tsc;
    __int128 scaled = cycles * 1000000000;
    __int128 ns = scaled / p->tsc_hz;

    if (scaled < 0 && scaled % p->tsc_hz)
        ns--;
    return (int64_t)CLAMP(ns, INT64_MIN / 4, INT64_MAX / 4);
}

static int64_t mono_ns_of(const struct clock *clock, int64_t time)
{
    return clock->hz == 1e9 || clock->hz <= 0 ? time : (int64_t)((double)time * (1e9 / clock->hz));
}

static int64_t ts_by_anchors(const struct placing *p, int64_t mono_ns)
{
    guint i = 0;

    if (p->n_anchors == 1)
        return ts_of_tsc(p, (int64_t)p->anchors[0].tsc) + (mono_ns - p->anchors[0].mono_ns);
    while (i + 2 < p->n_anchors && p->anchors[i + 1].mono_ns <= mono_ns)
        i++;
    const struct anchor *a = &p->anchors[i], *b = a + 1;
    double part = (double)(mono_ns - a->mono_ns) / (double)(b->mono_ns - a->mono_ns);
    return ts_of_tsc(p, (int64_t)a->tsc + (int64_t)llround(part * (double)(int64_t)(b->tsc - a->tsc)));
}

static int64_t place_time(const struct placing *p, unsigned clock, int64_t time)
{
    const struct clock *c = clock_of(p->log, clock);

    if (c->is_tsc)
        return ts_of_tsc(p, time);
    int64_t mono_ns = mono_ns_of(c, time);
    return (p->n_anchors ? ts_by_anchors(p, mono_ns) : mono_ns) + p->offset_ns;
}

static int64_t place_moment(const struct placing *p, const struct moment *moment)
{
    return moment->known ? place_time(p, moment->clock, moment->time) : INT64_MIN;
}

/* Times without a place in the run still have distances: those of its own log. */
static void count_from_first_release(struct placing *p, const struct xt_fit *fit)
{
    int64_t first = INT64_MAX;

    if (fit->tsc_hz > 0)
        p->tsc_hz = (int64_t)fit->tsc_hz;
    p->start_tsc = 0;
    p->n_anchors = 0;
    for (guint i = 0; i < p->log->jobs->len; i++) {
        const struct moment *release = &((const struct raw_job *)p->log->jobs->pdata[i])->moments[XT_JOB_RELEASE];
        if (release->known)
            first = MIN(first, release->time);
    }
    if (first == INT64_MAX)
        return;
    p->start_tsc = (uint64_t)first;
    p->offset_ns = -first;
}

static gint compare_jobs(gconstpointer a, gconstpointer b)
{
    const struct xt_job *x = a, *y = b;

    if (x->release != y->release)
        return x->release < y->release ? -1 : 1;
    return (x->deadline > y->deadline) - (x->deadline < y->deadline);
}

void xt_jobs_sort(GArray *jobs)
{
    int64_t busy_since = INT64_MIN, busy_until = INT64_MIN;

    g_array_sort(jobs, compare_jobs);
    for (guint i = 0; i < jobs->len; i++) {
        struct xt_job *job = &g_array_index(jobs, struct xt_job, i);
        if (job->release >= busy_until)
            busy_since = job->release;
        job->busy_since = busy_since;
        busy_until = MAX(busy_until, job->completion == INT64_MIN ? INT64_MAX : job->completion);
    }
}

static void place_jobs(const struct placing *p, struct xt_guest_jobs *out)
{
    for (guint i = 0; i < p->log->jobs->len; i++) {
        const struct raw_job *raw = p->log->jobs->pdata[i];
        struct xt_job job = {
            .number = raw->number,
            .release = place_moment(p, &raw->moments[XT_JOB_RELEASE]),
            .start = place_moment(p, &raw->moments[XT_JOB_START]),
            .completion = place_moment(p, &raw->moments[XT_JOB_COMPLETION]),
            .deadline = place_moment(p, &raw->moments[XT_JOB_DEADLINE]),
        };
        if (job.release == INT64_MIN || job.deadline == INT64_MIN) {
            out->incomplete++;
            continue;
        }
        job.task = g_string_chunk_insert_const(out->names, raw->task);
        g_array_append_val(out->jobs, job);
    }
    xt_jobs_sort(out->jobs);
    /* what happens at the very end of a log has still happened */
    out->log_end = p->log->end.known ? place_moment(p, &p->log->end) + 1 : INT64_MIN;
}

/* Which clocks the jobs' times are in; false if that is no clock at all that can be tied. */
static bool choose_clock(const struct xt_job_log *log, struct placing *p, struct xt_fit *fit)
{
    bool mono = false;

    fit->clock = XT_GUEST_TSC;
    for (guint i = 0; i < log->clocks->len; i++) {
        const struct clock *c = clock_of(log, i);
        mono |= !c->is_tsc;
        if (!c->is_tsc || c->hz <= 0)
            continue;
        fit->tsc_hz = c->hz;
        if (fabs(c->hz / (double)p->tsc_hz - 1) <= MAX_HZ_DIFFERENCE)
            continue;
        fit->clock = XT_GUEST_UNTIED;
        fit->why = g_strdup_printf("the guest measured its TSC at %.6f MHz, the host's runs at %.6f MHz: it is not the same, "
                                   "so its times cannot be placed; give the guest tsc_mode=\"native\"",
                                   c->hz / 1e6, (double)p->tsc_hz / 1e6);
        return false;
    }
    if (mono)
        fit->clock = p->n_anchors ? XT_GUEST_ANCHORED : XT_GUEST_FITTED;
    return true;
}

static GArray *mono_marks(const struct xt_job_log *log)
{
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct xt_fit_mark));

    for (guint i = 0; i < log->marks->len; i++) {
        const struct mark *m = &g_array_index(log->marks, struct mark, i);
        const struct clock *c = clock_of(log, m->clock);
        struct xt_fit_mark mark = { mono_ns_of(c, m->time), m->vcpu };
        if (!c->is_tsc)
            g_array_append_val(marks, mark);
    }
    return marks;
}

/* Nothing ties the guest's clock: look for the offset at which it only executes while it runs. */
static bool find_offset(struct placing *p, const struct xt_supply *supply, int domid, struct xt_fit *fit)
{
    struct xt_fit_offset found;
    GArray *marks = mono_marks(p->log);
    bool ok = supply && domid >= 0 && xt_fit_offset(marks, supply, (uint16_t)domid, &found);

    g_array_unref(marks);
    if (!ok) {
        fit->clock = XT_GUEST_UNTIED;
        fit->why = g_strdup("nothing ties the guest's clock to the TSC, and no offset lets it execute only while its VCPUs "
                            "run: log pairs of CLOCK_MONOTONIC and TSC in the guest (run xentrail-workload in it, or write "
                            "guests/NAME.clock, see docs/ctf.md)");
        return false;
    }
    p->offset_ns = found.offset_ns;
    fit->offset_ns = found.offset_ns;
    fit->offset_error_ns = found.error_ns;
    return true;
}

static void judge(struct xt_fit *fit, bool have_supply)
{
    if (!have_supply)
        fit->why = g_strdup("the run does not know which domain this guest is: name the folder in guests/ as the domain");
    else if (fit->marks < MIN_MARKS)
        fit->why = g_strdup_printf("only %" G_GUINT64_FORMAT " instants at which the guest executed lie in the run: too few "
                                   "to tell whether its clock fits; record both at the same time", fit->marks);
    else if (fit->share < MIN_SHARE)
        fit->why = g_strdup_printf("only %.1f %% of the %" G_GUINT64_FORMAT " instants at which the guest executed lie where "
                                   "its VCPUs ran (chance: %.1f %%): its clock wanders, or is not the one assumed; log with "
                                   "xentrail-workload, which stamps with the TSC, give the guest tsc_mode=\"native\", or "
                                   "note more pairs of CLOCK_MONOTONIC and TSC (docs/ctf.md)",
                                   100 * fit->share, fit->marks, 100 * fit->chance);
    fit->evidence = !fit->why;
}

/* marks: of struct xt_fit_mark, in ts. */
static void weigh(struct xt_fit *fit, const GArray *marks, const struct xt_supply *supply, uint16_t domid)
{
    int64_t by = fit->clock == XT_GUEST_ANCHORED ? fit->offset_ns : 0;
    int64_t slack_ns = fit->clock == XT_GUEST_TSC ? 0 : XT_FIT_SLACK_NS;

    fit->marks = fit->running = 0;
    for (guint i = 0; i < marks->len; i++) {
        const struct xt_fit_mark *m = &g_array_index(marks, struct xt_fit_mark, i);
        enum xt_ran ran = xt_supply_ran(supply, domid, m->vcpu, m->ns + by, slack_ns);
        fit->marks += ran != XT_RAN_UNKNOWN;
        fit->running += ran == XT_RAN_YES;
    }
    fit->share = fit->marks ? (double)fit->running / (double)fit->marks : 0;
}

static void weigh_and_judge(struct xt_fit *fit, const GArray *marks, const struct xt_supply *supply, int domid)
{
    bool have_supply = supply && domid >= 0;
    struct xt_fit_offset near;

    if (have_supply) {
        weigh(fit, marks, supply, (uint16_t)domid);
        fit->chance = xt_supply_share(supply, (uint16_t)domid);
        if (fit->clock == XT_GUEST_ANCHORED && fit->share < GOOD_SHARE &&
            xt_fit_near(marks, supply, (uint16_t)domid, NEAR_NS, &near) && near.share > fit->share) {
            fit->offset_ns = near.offset_ns;
            fit->offset_error_ns = near.error_ns;
            weigh(fit, marks, supply, (uint16_t)domid);
        }
    }
    judge(fit, have_supply);
}

void xt_fit_weigh(struct xt_fit *fit, const int64_t *marks, unsigned n_marks, const struct xt_supply *supply, int domid)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct xt_fit_mark));

    for (unsigned i = 0; i < n_marks; i++) {
        struct xt_fit_mark mark = { marks[i], -1 };
        g_array_append_val(all, mark);
    }
    weigh_and_judge(fit, all, supply, domid);
    g_array_unref(all);
}

const char *xt_job_cause_name(enum xt_job_cause cause)
{
    static const char *const names[] = { "supply", "guest", "unknown" };

    return (unsigned)cause < G_N_ELEMENTS(names) ? names[cause] : "?";
}

struct xt_job_miss xt_job_explain(const struct xt_job *job, int64_t log_end, const struct xt_fit *fit,
                                  const struct xt_supply *supply, int domid)
{
    struct xt_job_miss miss = { .cause = XT_CAUSE_UNKNOWN };
    int64_t through = job->completion == INT64_MIN ? log_end : job->completion;

    if (!fit->evidence || job->busy_since < 0 || through > xt_supply_duration_ns(supply))
        return miss;
    miss.supplied_ns = xt_supply_ns(supply, (uint16_t)domid, -1, job->release, job->deadline);
    miss.waited_ns = xt_supply_waited_ns(supply, (uint16_t)domid, job->busy_since, through);
    xt_supply_periods(supply, (uint16_t)domid, job->busy_since, through, &miss.periods_judged, &miss.period_misses);
    if (miss.periods_judged)
        miss.cause = miss.period_misses ? XT_CAUSE_SUPPLY : XT_CAUSE_GUEST;
    else
        miss.cause = miss.waited_ns >= through - job->deadline ? XT_CAUSE_SUPPLY : XT_CAUSE_GUEST;
    return miss;
}

static GArray *placed_marks(const struct placing *p)
{
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct xt_fit_mark));

    for (guint i = 0; i < p->log->marks->len; i++) {
        const struct mark *m = &g_array_index(p->log->marks, struct mark, i);
        struct xt_fit_mark mark = { place_time(p, m->clock, m->time), m->vcpu };
        g_array_append_val(marks, mark);
    }
    return marks;
}

struct xt_guest_jobs *xt_job_log_place(const struct xt_job_log *log, uint64_t start_tsc, int64_t tsc_hz,
                                       const struct xt_supply *supply, int domid)
{
    struct xt_guest_jobs *out = g_new0(struct xt_guest_jobs, 1);
    GArray *anchors = g_array_copy(log->anchors);
    struct placing p = { .log = log, .start_tsc = start_tsc, .tsc_hz = tsc_hz };

    g_array_sort(anchors, compare_anchors);
    for (guint i = 1; i < anchors->len;) { /* two at one instant have no slope */
        if (g_array_index(anchors, struct anchor, i).mono_ns == g_array_index(anchors, struct anchor, i - 1).mono_ns)
            g_array_remove_index(anchors, i);
        else
            i++;
    }
    p.anchors = (const struct anchor *)(const void *)anchors->data;
    p.n_anchors = anchors->len;
    out->jobs = g_array_new(FALSE, FALSE, sizeof(struct xt_job));
    out->names = g_string_chunk_new(256);
    out->log_end = INT64_MIN;
    if (!choose_clock(log, &p, &out->fit) ||
        (out->fit.clock == XT_GUEST_FITTED && !find_offset(&p, supply, domid, &out->fit))) {
        count_from_first_release(&p, &out->fit);
        place_jobs(&p, out);
    } else {
        GArray *marks = placed_marks(&p);
        weigh_and_judge(&out->fit, marks, supply, domid);
        g_array_unref(marks);
        if (out->fit.clock == XT_GUEST_ANCHORED)
            p.offset_ns = out->fit.offset_ns;
        place_jobs(&p, out);
    }
    g_array_unref(anchors);
    return out;
}

void xt_guest_jobs_free(struct xt_guest_jobs *jobs)
{
    if (!jobs)
        return;
    g_array_unref(jobs->jobs);
    g_string_chunk_free(jobs->names);
    g_free(jobs->fit.why);
    g_free(jobs);
}
