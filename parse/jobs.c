#include "parse/jobs.h"

#include <math.h>
#include <string.h>

#include "parse/fit.h"
#include "parse/wander.h"

#define MAX_MARKS 200000u /* kept; of more half are dropped, again and again */
#define MIN_MARKS 20
#define MIN_SHARE 0.95
#define GOOD_SHARE 0.995     /* below, an anchored clock is looked at more closely */
#define NEAR_NS 5000000       /* a pair of readings may be torn apart by as much as a VCPU waits */
#define MAX_HZ_DIFFERENCE 0.01
#define RATE_STEP_PPM 100 /* what is left of it is followed */
#define MAX_RATE_PPM 500  /* NTP slews no faster */
#define FAR (INT64_MAX / 4) /* ns: no run is there, and sums of a few such times are whole */

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

struct loss {
    int64_t from, to;
    unsigned clock;
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
    GArray *losses;   /* of struct loss */
    uint64_t lost;
    uint32_t mark_step, marks_seen;
    double tsc_hz; /* 0: not said */
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
    log->losses = g_array_new(FALSE, FALSE, sizeof(struct loss));
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
    g_array_unref(log->losses);
    g_string_chunk_free(log->names);
    g_free(log);
}

unsigned xt_job_log_clock(struct xt_job_log *log, bool is_tsc, double hz)
{
    struct clock clock = { is_tsc, hz };

    g_array_append_val(log->clocks, clock);
    return log->clocks->len - 1;
}

void xt_job_log_tsc_hz(struct xt_job_log *log, double hz)
{
    log->tsc_hz = hz;
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
    struct anchor anchor = { CLAMP(mono_ns, -FAR, FAR), tsc };

    g_array_append_val(log->anchors, anchor);
}

void xt_job_log_moment(struct xt_job_log *log, unsigned clock, const char *task, int64_t number,
                       enum xt_job_moment moment, int64_t time)
{
    struct raw_job key = { .task = task, .number = number };
    struct raw_job *job = g_hash_table_lookup(log->by_id, &key);
    bool again = job && moment == XT_JOB_RELEASE && job->moments[moment].known && job->moments[moment].time != time;

    if (!job || again) {
        job = g_new0(struct raw_job, 1);
        job->task = g_string_chunk_insert_const(log->names, task);
        job->number = number;
        g_ptr_array_add(log->jobs, job);
        g_hash_table_replace(log->by_id, job, job);
    }
    if (moment == XT_JOB_START && job->moments[moment].known)
        return;
    job->moments[moment] = (struct moment){ time, clock, true };
}

void xt_job_log_mark(struct xt_job_log *log, unsigned clock, int vcpu, int64_t time)
{
    struct mark mark = { time, clock, vcpu };

    if (!xt_fit_samples(log->marks_seen++, log->mark_step))
        return;
    if (log->marks->len == MAX_MARKS) {
        guint kept = 0;
        for (guint i = 0; i < MAX_MARKS; i++)
            if (xt_fit_samples(i, 2))
                g_array_index(log->marks, struct mark, kept++) = g_array_index(log->marks, struct mark, i);
        g_array_set_size(log->marks, kept);
        log->mark_step *= 2;
    }
    g_array_append_val(log->marks, mark);
}

void xt_job_log_loss(struct xt_job_log *log, unsigned clock, int64_t from, int64_t to, uint64_t n)
{
    struct loss loss = { from, to, clock };

    g_array_append_val(log->losses, loss);
    log->lost += n;
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

/* How times of a log become times of the run: first by the anchors, then by what had to be looked for. */
struct placing {
    const struct xt_job_log *log;
    uint64_t start_tsc;
    int64_t tsc_hz;
    const struct anchor *anchors;
    guint n_anchors;
    int64_t offset_ns;
    struct xt_wander *wander; /* of a clock that wanders, instead of offset_ns; NULL: it does not */
    const struct xt_supply *supply;
    int domid;
    int64_t ambiguous_ns; /* as far apart were two offsets that some job fits with */
};

/* (tsc - start) in ns, towards minus infinity; saturates far outside of any run. */
static int64_t ts_of_tsc(const struct placing *p, uint64_t tsc)
{
    __int128 cycles = (__int128)tsc - (__int128)p->start_tsc;
    __int128 scaled = cycles * 1000000000;
    __int128 ns = scaled / p->tsc_hz;

    if (scaled < 0 && scaled % p->tsc_hz)
        ns--;
    return (int64_t)CLAMP(ns, -FAR, FAR);
}

static int64_t mono_ns_of(const struct clock *clock, int64_t time)
{
    if (clock->hz == 1e9 || clock->hz <= 0)
        return CLAMP(time, -FAR, FAR);
    return (int64_t)CLAMP((double)time * (1e9 / clock->hz), -(double)FAR, (double)FAR);
}

static int64_t ts_by_anchors(const struct placing *p, int64_t mono_ns)
{
    guint i = 0;

    if (p->n_anchors == 1)
        return CLAMP(ts_of_tsc(p, p->anchors[0].tsc) + (mono_ns - p->anchors[0].mono_ns), -FAR, FAR);
    while (i + 2 < p->n_anchors && p->anchors[i + 1].mono_ns <= mono_ns)
        i++;
    const struct anchor *a = &p->anchors[i], *b = a + 1;
    double part = (double)(mono_ns - a->mono_ns) / (double)(b->mono_ns - a->mono_ns);
    double cycles = part * (double)(int64_t)(b->tsc - a->tsc);
    return fabs(cycles) < 0x1p62 ? ts_of_tsc(p, a->tsc + (uint64_t)llround(cycles)) : FAR;
}

static bool is_tsc(const struct placing *p, unsigned clock)
{
    return clock_of(p->log, clock)->is_tsc;
}

/* Before anything that had to be looked for: ts, if something ties the clock. */
static int64_t base_time(const struct placing *p, unsigned clock, int64_t time)
{
    if (is_tsc(p, clock))
        return ts_of_tsc(p, (uint64_t)time);
    int64_t mono_ns = mono_ns_of(clock_of(p->log, clock), time);
    return p->n_anchors ? ts_by_anchors(p, mono_ns) : mono_ns;
}

/* What to add to the times of one job, or of one mark, that has these marks. */
static int64_t offset_for(struct placing *p, const struct xt_fit_mark *marks, unsigned n_marks)
{
    int64_t ambiguous_ns;

    if (!p->wander || !n_marks)
        return p->offset_ns;
    guint track = xt_wander_choose(p->wander, marks, n_marks, p->supply, (uint16_t)p->domid, &ambiguous_ns);
    p->ambiguous_ns = MAX(p->ambiguous_ns, ambiguous_ns);
    return xt_wander_at(p->wander, track, marks[n_marks - 1].ns);
}

static int64_t place_mark(struct placing *p, const struct mark *m)
{
    const struct xt_fit_mark mark = { base_time(p, m->clock, m->time), m->vcpu };

    return mark.ns + (is_tsc(p, m->clock) ? 0 : offset_for(p, &mark, 1));
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
    p->offset_ns = CLAMP(-first, -FAR, FAR);
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

/* Where the clock wanders all of a job's times move by the same, chosen by when it was certainly executed. */
static int64_t offset_of_job(struct placing *p, const struct raw_job *raw)
{
    static const enum xt_job_moment order[] = { XT_JOB_START, XT_JOB_COMPLETION };
    struct xt_fit_mark marks[G_N_ELEMENTS(order)];
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(order); i++) {
        const struct moment *m = &raw->moments[order[i]];
        if (m->known && !is_tsc(p, m->clock))
            marks[n++] = (struct xt_fit_mark){ base_time(p, m->clock, m->time), -1 };
    }
    const struct moment *release = &raw->moments[XT_JOB_RELEASE];
    if (!n && release->known && !is_tsc(p, release->clock))
        marks[n++] = (struct xt_fit_mark){ base_time(p, release->clock, release->time), -1 };
    return offset_for(p, marks, n);
}

static int64_t place_moment(const struct placing *p, const struct moment *moment, int64_t offset_ns)
{
    if (!moment->known)
        return INT64_MIN;
    return base_time(p, moment->clock, moment->time) + (is_tsc(p, moment->clock) ? 0 : offset_ns);
}

/* Until when the log would know of a job's completion: to its end, or to the first loss that ends after the release. */
static int64_t log_end_of(const struct placing *p, const struct xt_job *job, int64_t offset_ns)
{
    int64_t end = place_moment(p, &p->log->end, offset_ns);

    if (end != INT64_MIN)
        end++; /* what happens at the very end of a log has still happened */
    for (guint i = 0; job->completion == INT64_MIN && i < p->log->losses->len; i++) {
        const struct loss *loss = &g_array_index(p->log->losses, struct loss, i);
        const struct moment from = { loss->from, loss->clock, true }, to = { loss->to, loss->clock, true };
        if (place_moment(p, &to, offset_ns) > job->release)
            end = MIN(end, place_moment(p, &from, offset_ns));
    }
    return end;
}

static struct xt_job place_job(struct placing *p, const struct raw_job *raw)
{
    int64_t by = offset_of_job(p, raw);
    struct xt_job job = {
        .number = raw->number,
        .release = place_moment(p, &raw->moments[XT_JOB_RELEASE], by),
        .start = place_moment(p, &raw->moments[XT_JOB_START], by),
        .completion = place_moment(p, &raw->moments[XT_JOB_COMPLETION], by),
        .deadline = place_moment(p, &raw->moments[XT_JOB_DEADLINE], by),
    };

    job.log_end = log_end_of(p, &job, by);
    return job;
}

static void place_jobs(struct placing *p, struct xt_guest_jobs *out)
{
    for (guint i = 0; i < p->log->jobs->len; i++) {
        const struct raw_job *raw = p->log->jobs->pdata[i];
        struct xt_job job = place_job(p, raw);
        if (job.release == INT64_MIN || job.deadline == INT64_MIN) {
            out->incomplete++;
            continue;
        }
        job.task = g_string_chunk_insert_const(out->names, raw->task);
        g_array_append_val(out->jobs, job);
    }
    xt_jobs_sort(out->jobs);
}

/* Does the guest count the same TSC as the host? */
static bool check_hz(struct xt_fit *fit, double hz, int64_t tsc_hz)
{
    if (hz <= 0)
        return true;
    fit->tsc_hz = hz;
    if (fabs(hz / (double)tsc_hz - 1) <= MAX_HZ_DIFFERENCE)
        return true;
    fit->clock = XT_GUEST_UNTIED;
    fit->why = g_strdup_printf("the guest measured its TSC at %.6f MHz, the host's runs at %.6f MHz: it is not the same, "
                               "so its times cannot be placed; give the guest tsc_mode=\"native\"", hz / 1e6,
                               (double)tsc_hz / 1e6);
    return false;
}

/* Which clocks the jobs' times are in; false if that is no clock at all that can be tied. */
static bool choose_clock(const struct xt_job_log *log, struct placing *p, struct xt_fit *fit)
{
    bool mono = false;

    fit->clock = XT_GUEST_TSC;
    if (!check_hz(fit, log->tsc_hz, p->tsc_hz))
        return false;
    for (guint i = 0; i < log->clocks->len; i++) {
        const struct clock *c = clock_of(log, i);
        mono |= !c->is_tsc;
        if (c->is_tsc && !check_hz(fit, c->hz, p->tsc_hz))
            return false;
    }
    if (mono)
        fit->clock = p->n_anchors ? XT_GUEST_ANCHORED : XT_GUEST_FITTED;
    return true;
}

static gint compare_marks(gconstpointer a, gconstpointer b)
{
    const struct xt_fit_mark *x = a, *y = b;

    return (x->ns > y->ns) - (x->ns < y->ns);
}

/* Marks of clocks whose offset can be looked for, ascending, at their base times. */
static GArray *mono_marks(const struct placing *p)
{
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(struct xt_fit_mark));

    for (guint i = 0; i < p->log->marks->len; i++) {
        const struct mark *m = &g_array_index(p->log->marks, struct mark, i);
        struct xt_fit_mark mark = { base_time(p, m->clock, m->time), m->vcpu };
        if (!is_tsc(p, m->clock))
            g_array_append_val(marks, mark);
    }
    g_array_sort(marks, compare_marks);
    return marks;
}

/* What the marks say as they lie now. */
static void weigh(struct placing *p, struct xt_fit *fit)
{
    int64_t slack_ns = fit->clock == XT_GUEST_TSC ? 0 : XT_FIT_SLACK_NS;

    fit->marks = fit->running = 0;
    for (guint i = 0; i < p->log->marks->len; i++) {
        const struct mark *m = &g_array_index(p->log->marks, struct mark, i);
        enum xt_ran ran = xt_supply_ran(p->supply, (uint16_t)p->domid, m->vcpu, place_mark(p, m), slack_ns);
        fit->marks += ran != XT_RAN_UNKNOWN;
        fit->running += ran == XT_RAN_YES;
    }
    fit->share = fit->marks ? (double)fit->running / (double)fit->marks : 0;
}

static void describe_wander(const struct placing *p, struct xt_fit *fit)
{
    int64_t least = INT64_MAX, most = INT64_MIN;

    for (guint t = 0; t < p->wander->tracks->len; t++) {
        const GArray *knots = g_array_index(p->wander->tracks, struct xt_wander_track, t).knots;
        for (guint i = 0; i < knots->len; i++) {
            least = MIN(least, g_array_index(knots, struct xt_wander_knot, i).offset_ns);
            most = MAX(most, g_array_index(knots, struct xt_wander_knot, i).offset_ns);
        }
    }
    fit->wander_ns = most - least;
    fit->offset_ns = least + (most - least) / 2;
    fit->offset_error_ns = p->wander->error_ns;
    fit->chance = p->wander->chance;
}

/* Marks stretched by rate, with the first where it is. */
static GArray *stretch_marks(const GArray *marks, double rate)
{
    GArray *stretched = g_array_copy((GArray *)marks);

    for (guint i = 1; i < stretched->len; i++) {
        struct xt_fit_mark *m = &g_array_index(stretched, struct xt_fit_mark, i);
        m->ns += (int64_t)(rate * (double)(m->ns - g_array_index(marks, struct xt_fit_mark, 0).ns));
    }
    return stretched;
}

/* Makes what was found for stretched marks hold for the marks themselves. */
static void unstretch(struct xt_wander *wander, int64_t origin_ns, double rate)
{
    for (guint t = 0; t < wander->tracks->len; t++) {
        GArray *knots = g_array_index(wander->tracks, struct xt_wander_track, t).knots;
        for (guint i = 0; i < knots->len; i++) {
            struct xt_wander_knot *knot = &g_array_index(knots, struct xt_wander_knot, i);
            int64_t by = (int64_t)((double)(knot->ns - origin_ns) * (rate / (1 + rate)));
            knot->ns -= by;
            knot->offset_ns += by;
        }
    }
}

/* Follows the clock, its times stretched by rate, if one offset for all of the run does not do; false if that is no
 * better. */
static bool follow(struct placing *p, const GArray *marks, double rate, int64_t elsewhere_ns, struct xt_fit *fit)
{
    const struct xt_fit straight = *fit;
    GArray *stretched = stretch_marks(marks, rate);

    p->wander = xt_wander_follow(stretched, p->supply, (uint16_t)p->domid, p->offset_ns, elsewhere_ns);
    g_array_unref(stretched);
    if (!p->wander)
        return false;
    unstretch(p->wander, g_array_index(marks, struct xt_fit_mark, 0).ns, rate);
    weigh(p, fit);
    if (fit->share >= MIN_SHARE && fit->share > straight.share) {
        describe_wander(p, fit);
        return true;
    }
    g_clear_pointer(&p->wander, xt_wander_free);
    *fit = straight;
    return false;
}

static void use_offset(struct placing *p, struct xt_fit *fit, const struct xt_fit_offset *found)
{
    p->offset_ns = fit->offset_ns = found->offset_ns;
    fit->offset_error_ns = found->error_ns;
}

/* A pair of readings may have been torn apart, and the clock may wander from there. */
static void mend_anchors(struct placing *p, struct xt_fit *fit)
{
    GArray *marks = mono_marks(p);
    struct xt_fit_offset near;

    weigh(p, fit);
    if (fit->share < GOOD_SHARE && xt_fit_near(marks, p->supply, (uint16_t)p->domid, NEAR_NS, &near) &&
        near.share > fit->share) {
        use_offset(p, fit, &near);
        weigh(p, fit);
    }
    if (fit->share < GOOD_SHARE)
        follow(p, marks, 0, 0, fit);
    g_array_unref(marks);
}

/* Looks for an offset of marks of that rate. */
static bool try_rate(struct placing *p, const GArray *marks, double rate, struct xt_fit *fit)
{
    struct xt_fit_offset found;
    GArray *stretched = stretch_marks(marks, rate);
    bool ok = xt_fit_offset(stretched, p->supply, (uint16_t)p->domid, &found) && rate == 0;

    g_array_unref(stretched);
    if (found.share == 0)
        return false;
    use_offset(p, fit, &found);
    if (rate == 0)
        weigh(p, fit);
    return (ok && fit->share >= GOOD_SHARE) || follow(p, marks, rate, found.second_ns, fit) || ok;
}

/* The rate that the clock kept over all, from end to end of what was found. */
static double rate_of(const struct placing *p)
{
    const GArray *knots = p->wander ? g_array_index(p->wander->tracks, struct xt_wander_track, 0).knots : NULL;

    if (!knots || knots->len < 2)
        return 0;
    const struct xt_wander_knot *first = &g_array_index(knots, struct xt_wander_knot, 0), *last = first + knots->len - 1;
    return last->ns > first->ns ? (double)(last->offset_ns - first->offset_ns) / (double)(last->ns - first->ns) : 0;
}

/* Takes what a rate leads to if more marks fit than so far. */
static void improve(struct placing *p, const GArray *marks, double rate, struct xt_fit *fit)
{
    struct placing trial = *p;
    struct xt_fit found = { .clock = XT_GUEST_FITTED, .tsc_hz = fit->tsc_hz };

    trial.wander = NULL;
    if (!try_rate(&trial, marks, rate, &found) || found.share <= fit->share) {
        xt_wander_free(trial.wander);
        return;
    }
    xt_wander_free(p->wander);
    *p = trial;
    *fit = found;
}

/* Nothing ties the guest's clock: looks for the offset, if need be at several rates, at which it only executes while it
 * runs. */
static bool find_offset(struct placing *p, struct xt_fit *fit)
{
    GArray *marks = mono_marks(p);

    fit->clock = XT_GUEST_UNTIED;
    for (int step = 0; p->supply && fit->clock == XT_GUEST_UNTIED && step <= 2 * MAX_RATE_PPM / RATE_STEP_PPM; step++)
        improve(p, marks, (step + 1) / 2 * (step % 2 ? RATE_STEP_PPM : -RATE_STEP_PPM) * 1e-6, fit);
    if (p->wander && fit->share < GOOD_SHARE) /* a slope is followed less closely than a level */
        improve(p, marks, rate_of(p), fit);
    g_array_unref(marks);
    if (fit->clock == XT_GUEST_FITTED)
        return true;
    fit->why = g_strdup("nothing ties the guest's clock to the TSC, and no offset lets it execute only while its VCPUs "
                        "run: log pairs of CLOCK_MONOTONIC and TSC in the guest (run xentrail-workload in it, or write "
                        "guests/NAME.clock, see docs/ctf.md)");
    return false;
}

static void judge(struct xt_fit *fit, bool have_supply)
{
    if (!have_supply)
        fit->why = g_strdup("the run knows no domain of this guest's name, or several: name the folder in guests/ as the "
                            "domain");
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

const char *xt_job_cause_name(enum xt_job_cause cause)
{
    static const char *const names[] = { "supply", "guest", "unknown" };

    return (unsigned)cause < G_N_ELEMENTS(names) ? names[cause] : "?";
}

struct xt_job_miss xt_job_explain(const struct xt_job *job, const struct xt_fit *fit, const struct xt_supply *supply,
                                  int domid)
{
    struct xt_job_miss miss = { .cause = XT_CAUSE_UNKNOWN };
    int64_t through = job->completion == INT64_MIN ? job->log_end : job->completion;

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

/* In order of CLOCK_MONOTONIC; two at one instant have no slope. */
static GArray *sorted_anchors(const struct xt_job_log *log)
{
    GArray *anchors = g_array_copy(log->anchors);

    g_array_sort(anchors, compare_anchors);
    for (guint i = 1; i < anchors->len;) {
        if (g_array_index(anchors, struct anchor, i).mono_ns == g_array_index(anchors, struct anchor, i - 1).mono_ns)
            g_array_remove_index(anchors, i);
        else
            i++;
    }
    return anchors;
}

/* Ties the clock and says how well; false if nothing does. */
static bool tie(struct placing *p, struct xt_fit *fit)
{
    if (!choose_clock(p->log, p, fit) || (fit->clock == XT_GUEST_FITTED && !find_offset(p, fit)))
        return false;
    if (p->supply && fit->clock == XT_GUEST_ANCHORED)
        mend_anchors(p, fit);
    else if (p->supply)
        weigh(p, fit);
    if (p->supply && !p->wander)
        fit->chance = xt_supply_share(p->supply, (uint16_t)p->domid);
    judge(fit, p->supply != NULL);
    return true;
}

struct xt_guest_jobs *xt_job_log_place(const struct xt_job_log *log, uint64_t start_tsc, int64_t tsc_hz,
                                       const struct xt_supply *supply, int domid)
{
    struct xt_guest_jobs *out = g_new0(struct xt_guest_jobs, 1);
    GArray *anchors = sorted_anchors(log);
    struct placing p = {
        .log = log, .start_tsc = start_tsc, .tsc_hz = tsc_hz, .n_anchors = anchors->len,
        .anchors = (const struct anchor *)(const void *)anchors->data, .supply = domid >= 0 ? supply : NULL, .domid = domid,
    };

    out->jobs = g_array_new(FALSE, FALSE, sizeof(struct xt_job));
    out->names = g_string_chunk_new(256);
    if (!tie(&p, &out->fit))
        count_from_first_release(&p, &out->fit);
    out->lost = log->lost;
    p.ambiguous_ns = 0; /* marks alone say less than the jobs that they belong to */
    place_jobs(&p, out);
    out->fit.offset_error_ns = MAX(out->fit.offset_error_ns, p.ambiguous_ns);
    xt_wander_free(p.wander);
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
