/* Jobs laid over a run: clocks, fit, causes; on a supply made by hand, so that all figures can be followed. */
#include <string.h>

#include "parse/jobs.h"
#include "parse/fit.h"

#define MS 1000000

static const struct xt_vcpu vcpus[] = { { 0, 1, 0 }, { 1, 1, 1 }, { 2, 2, 0 } };

static void dispatch(struct xt_supply *s, unsigned vcpu, int64_t ready, int64_t run, int64_t end)
{
    const struct xt_sink *sink = xt_supply_sink(s);
    struct xt_dispatch d = { .vcpu = &vcpus[vcpu], .ready_ts = ready, .run_ts = run, .end_ts = end };

    g_assert_true(sink->dispatch(sink->self, &d, NULL));
}

static void period(struct xt_supply *s, unsigned vcpu, int64_t release, int64_t deadline, bool judged, bool missed)
{
    const struct xt_sink *sink = xt_supply_sink(s);
    struct xt_period p = {
        .vcpu = &vcpus[vcpu], .release = release, .deadline = deadline, .judged = judged, .missed = missed,
    };

    g_assert_true(sink->period(sink->self, &p, NULL));
}

static struct xt_supply *new_supply(int64_t duration_ns)
{
    const uint16_t domids[] = { 1 };
    struct xt_supply *s = xt_supply_new(domids, 1);
    const struct xt_sink *sink = xt_supply_sink(s);
    const struct xt_run run = { .duration_ns = duration_ns };

    g_assert_true(sink->begin(sink->self, &run, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(vcpus); i++)
        g_assert_true(sink->vcpu(sink->self, &vcpus[i], NULL));
    return s;
}

static void test_supply(void)
{
    struct xt_supply *s = new_supply(100 * MS);
    const struct xt_sink *sink = xt_supply_sink(s);
    const struct xt_loss loss = { .pcpu = 0, .ts = 60 * MS, .end_ts = 70 * MS, .lost_records = 3 };
    unsigned judged, missed;

    dispatch(s, 0, 5 * MS, 10 * MS, 20 * MS);
    dispatch(s, 1, 8 * MS, 15 * MS, 25 * MS);
    dispatch(s, 2, 0, 0, 100 * MS); /* another domain, not asked for */
    dispatch(s, 0, 30 * MS, 30 * MS, 40 * MS);
    g_assert_true(sink->loss(sink->self, &loss, NULL));
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 10 * MS, 0), ==, XT_RAN_YES);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 20 * MS, 0), ==, XT_RAN_YES);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 20 * MS + 1, 0), ==, XT_RAN_NO);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 20 * MS + 5, 5), ==, XT_RAN_YES);
    g_assert_cmpint(xt_supply_ran(s, 1, -1, 22 * MS, 0), ==, XT_RAN_YES);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 22 * MS, 0), ==, XT_RAN_NO);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 65 * MS, 0), ==, XT_RAN_UNKNOWN); /* records were lost */
    g_assert_cmpint(xt_supply_ran(s, 1, 0, -1, 0), ==, XT_RAN_UNKNOWN);
    g_assert_cmpint(xt_supply_ran(s, 1, 0, 100 * MS + 1, 0), ==, XT_RAN_UNKNOWN);
    g_assert_cmpint(xt_supply_ran(s, 2, 0, 50 * MS, 0), ==, XT_RAN_UNKNOWN);
    g_assert_cmpint(xt_supply_ran(s, 1, 7, 12 * MS, 0), ==, XT_RAN_UNKNOWN);
    /* 10-20 and 15-25 and 30-40, of it from 12 to 35: 8 + 10 + 5 */
    g_assert_cmpint(xt_supply_ns(s, 1, -1, 12 * MS, 35 * MS), ==, 23 * MS);
    g_assert_cmpint(xt_supply_ns(s, 1, 0, 12 * MS, 35 * MS), ==, 13 * MS);
    /* waits 5-10 and 8-15 overlap: together 5-15 */
    g_assert_cmpint(xt_supply_waited_ns(s, 1, 0, 100 * MS), ==, 10 * MS);
    g_assert_cmpint(xt_supply_waited_ns(s, 1, 9 * MS, 12 * MS), ==, 3 * MS);
    period(s, 0, 0, 10 * MS, true, false);
    period(s, 0, 10 * MS, 20 * MS, true, true);
    period(s, 0, 20 * MS, 30 * MS, false, true);
    xt_supply_periods(s, 1, 5 * MS, 10 * MS, &judged, &missed);
    g_assert_cmpuint(judged, ==, 1);
    g_assert_cmpuint(missed, ==, 0);
    xt_supply_periods(s, 1, 5 * MS, 11 * MS, &judged, &missed);
    g_assert_cmpuint(judged, ==, 2);
    g_assert_cmpuint(missed, ==, 1);
    xt_supply_periods(s, 1, 20 * MS, 30 * MS, &judged, &missed);
    g_assert_cmpuint(judged, ==, 0);
    xt_supply_free(s);
}

static void test_busy(void)
{
    GArray *jobs = g_array_new(FALSE, FALSE, sizeof(struct xt_job));
    const struct xt_job raw[] = {
        { .task = "b", .release = 40, .deadline = 50, .completion = 45 },
        { .task = "a", .release = 0, .deadline = 10, .completion = 15 },
        { .task = "a", .release = 10, .deadline = 20, .completion = 19 },
        { .task = "a", .release = 20, .deadline = 30, .completion = 25 },
        { .task = "c", .release = 43, .deadline = 60, .completion = INT64_MIN },
        { .task = "a", .release = 90, .deadline = 100, .completion = 95 },
    };
    const int64_t want[] = { 0, 0, 20, 40, 40, 40 };

    g_array_append_vals(jobs, raw, G_N_ELEMENTS(raw));
    xt_jobs_sort(jobs);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++)
        g_assert_cmpint(g_array_index(jobs, struct xt_job, i).busy_since, ==, want[i]);
    g_array_unref(jobs);
}

static void test_causes(void)
{
    const struct xt_fit good = { .evidence = true }, bad = { .evidence = false };
    struct xt_supply *s = new_supply(100 * MS);
    struct xt_job job = { .release = 10 * MS, .deadline = 20 * MS, .completion = 23 * MS, .busy_since = 10 * MS };

    dispatch(s, 0, 10 * MS, 13 * MS, 23 * MS); /* waited 3 ms, late by 3 ms */
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_SUPPLY);
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).supplied_ns, ==, 7 * MS);
    job.completion = 23 * MS + 1;
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_GUEST);
    g_assert_cmpint(xt_job_explain(&job, &bad, s, 1).cause, ==, XT_CAUSE_UNKNOWN);
    /* it waited longer while the guest was busy with what came before */
    dispatch(s, 0, 30 * MS, 31 * MS, 40 * MS);
    job = (struct xt_job){ .release = 35 * MS, .deadline = 38 * MS, .completion = 39 * MS, .busy_since = 35 * MS };
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_GUEST);
    job.busy_since = 30 * MS;
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_SUPPLY);
    /* where periods are judged, they decide */
    period(s, 0, 30 * MS, 40 * MS, true, false);
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_GUEST);
    period(s, 1, 30 * MS, 40 * MS, true, true);
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_SUPPLY);
    /* it stood runnable until the run's end and never ran again */
    const struct xt_interval wait = { .vcpu = &vcpus[0], .ts = 92 * MS, .end_ts = 100 * MS, .state = XT_RUNNABLE };
    g_assert_true(xt_supply_sink(s)->interval(xt_supply_sink(s)->self, &wait, NULL));
    job = (struct xt_job){
        .release = 91 * MS, .deadline = 95 * MS, .completion = INT64_MIN, .log_end = 99 * MS, .busy_since = 91 * MS,
    };
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).waited_ns, ==, 7 * MS);
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_SUPPLY);
    /* beyond the run nothing is known */
    job.completion = 101 * MS;
    g_assert_cmpint(xt_job_explain(&job, &good, s, 1).cause, ==, XT_CAUSE_UNKNOWN);
    xt_supply_free(s);
}

static const struct xt_job *nth(const struct xt_guest_jobs *jobs, guint i)
{
    return &g_array_index(jobs->jobs, struct xt_job, i);
}

static void test_tsc(void)
{
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, true, 2e9);

    xt_job_log_moment(log, clock, "a", 0, XT_JOB_RELEASE, 1000);
    xt_job_log_moment(log, clock, "a", 0, XT_JOB_START, 1003);
    xt_job_log_moment(log, clock, "a", 0, XT_JOB_START, 1100); /* the first start counts */
    xt_job_log_moment(log, clock, "a", 0, XT_JOB_DEADLINE, 3000);
    xt_job_log_moment(log, clock, "a", 1, XT_JOB_RELEASE, 3000); /* no deadline */
    xt_job_log_reach(log, clock, 3000);
    struct xt_guest_jobs *jobs = xt_job_log_place(log, 2000, 2000000000, NULL, -1);
    g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_TSC);
    g_assert_false(jobs->fit.evidence);
    g_assert_cmpuint(jobs->jobs->len, ==, 1);
    g_assert_cmpuint(jobs->incomplete, ==, 1);
    g_assert_cmpint(nth(jobs, 0)->release, ==, -500);
    g_assert_cmpint(nth(jobs, 0)->start, ==, -499); /* floor of -498.5 */
    g_assert_cmpint(nth(jobs, 0)->completion, ==, INT64_MIN);
    g_assert_cmpint(nth(jobs, 0)->deadline, ==, 500);
    g_assert_cmpint(nth(jobs, 0)->log_end, >, nth(jobs, 0)->deadline); /* it was not there by then: missed */
    xt_guest_jobs_free(jobs);
    /* another TSC than the host's: times of its own */
    jobs = xt_job_log_place(log, 2000, 3000000000, NULL, -1);
    g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_UNTIED);
    g_assert_cmpint(nth(jobs, 0)->release, ==, 0);
    g_assert_cmpint(nth(jobs, 0)->deadline, ==, 1000);
    xt_guest_jobs_free(jobs);
    xt_job_log_free(log);
}

static void test_anchors(void)
{
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, false, 1e9);

    /* the guest's clock runs 10 % fast until 2000, then right; TSC of 1 GHz */
    xt_job_log_anchor(log, 5200, 1003000);
    xt_job_log_anchor(log, 1000, 1000000 - 1000);
    xt_job_log_anchor(log, 2200, 1000000);
    xt_job_log_moment(log, clock, "a", 0, XT_JOB_RELEASE, 1600);
    xt_job_log_moment(log, clock, "a", 0, XT_JOB_DEADLINE, 6200);
    struct xt_guest_jobs *jobs = xt_job_log_place(log, 999000, 1000000000, NULL, -1);
    g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_ANCHORED);
    g_assert_cmpint(nth(jobs, 0)->release, ==, 500);  /* half-way between the first two */
    g_assert_cmpint(nth(jobs, 0)->deadline, ==, 5000); /* 1000 after the last */
    xt_guest_jobs_free(jobs);
    xt_job_log_free(log);
}

/* A guest that runs at uneven times, and marks in them with a clock that is off. */
static void run_unevenly(struct xt_supply *s, struct xt_job_log *log, unsigned clock, int64_t off, bool anywhere)
{
    GRand *rng = g_rand_new_with_seed(42);
    int64_t at = 0;

    for (int i = 0; i < 400; i++) {
        int64_t run = at + g_rand_int_range(rng, 1 * MS, 9 * MS), end = run + g_rand_int_range(rng, MS / 2, 3 * MS);
        dispatch(s, 0, run, run, end);
        for (int k = 0; k < 3; k++) {
            int64_t mark = anywhere ? at + g_rand_int_range(rng, 0, 9 * MS) : run + (end - run) * k / 2;
            xt_job_log_mark(log, clock, 0, mark - off);
        }
        at = end;
    }
    g_rand_free(rng);
}

static void test_fit(void)
{
    const int64_t off = -123456789;

    for (int anywhere = 0; anywhere < 2; anywhere++) {
        struct xt_supply *s = new_supply(3500 * (int64_t)MS);
        struct xt_job_log *log = xt_job_log_new();
        unsigned clock = xt_job_log_clock(log, false, 1e9);
        run_unevenly(s, log, clock, off, anywhere);
        struct xt_guest_jobs *jobs = xt_job_log_place(log, 0, 1000000000, s, 1);
        if (anywhere) {
            g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_UNTIED);
            g_assert_nonnull(jobs->fit.why);
        } else {
            g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_FITTED);
            g_assert_true(jobs->fit.evidence);
            g_assert_cmpfloat(jobs->fit.share, >, 0.99);
            g_assert_cmpint(ABS(jobs->fit.offset_ns - off), <=, jobs->fit.offset_error_ns + 2000);
            g_assert_cmpint(jobs->fit.offset_error_ns, <, 50000);
        }
        xt_guest_jobs_free(jobs);
        xt_job_log_free(log);
        xt_supply_free(s);
    }
}

static void test_torn_anchor(void)
{
    struct xt_supply *s = new_supply(3500 * (int64_t)MS);
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, false, 1e9);

    run_unevenly(s, log, clock, -5000 * (int64_t)MS, false);
    /* the VCPU was taken away for 2 ms between the two readings */
    xt_job_log_anchor(log, 6000 * (int64_t)MS, 1000 * (uint64_t)MS + 2 * MS);
    struct xt_guest_jobs *jobs = xt_job_log_place(log, 0, 1000000000, s, 1);
    g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_ANCHORED);
    g_assert_true(jobs->fit.evidence);
    g_assert_cmpint(ABS(jobs->fit.offset_ns + 2 * MS), <, 50000);
    xt_guest_jobs_free(jobs);
    xt_job_log_free(log);
    xt_supply_free(s);
}

/* A guest on two pCPUs in turn, whose clock is off on each by what clock says; marks lie where it ran, or anywhere. */
static void run_on_two(struct xt_supply *s, struct xt_job_log *log, unsigned clock, int64_t (*off)(int pcpu, int64_t ts),
                       bool anywhere, int n)
{
    const struct xt_sink *sink = xt_supply_sink(s);
    GRand *rng = g_rand_new_with_seed(7);
    int64_t at = 0;

    for (int i = 0; i < n; i++) {
        int64_t run = at + g_rand_int_range(rng, 1 * MS, 9 * MS), end = run + g_rand_int_range(rng, MS / 2, 3 * MS);
        int pcpu = g_rand_int_range(rng, 0, 2);
        struct xt_dispatch d = { .vcpu = &vcpus[0], .ready_ts = run, .run_ts = run, .end_ts = end, .pcpu = pcpu };
        int64_t start = run + 20000, completion = end - 20000;
        if (anywhere)
            start += g_rand_int_range(rng, 0, 9 * MS);
        g_assert_true(sink->dispatch(sink->self, &d, NULL));
        xt_job_log_moment(log, clock, "a", i, XT_JOB_RELEASE, start - off(pcpu, start) - 50000);
        xt_job_log_moment(log, clock, "a", i, XT_JOB_START, start - off(pcpu, start));
        xt_job_log_moment(log, clock, "a", i, XT_JOB_COMPLETION, completion - off(pcpu, completion));
        xt_job_log_moment(log, clock, "a", i, XT_JOB_DEADLINE, start - off(pcpu, start) + 1234567);
        xt_job_log_mark(log, clock, -1, start - off(pcpu, start));
        xt_job_log_mark(log, clock, -1, completion - off(pcpu, completion));
        at = end;
    }
    g_rand_free(rng);
}

/* 300 ppm fast */
static int64_t drifting(int pcpu, int64_t ts)
{
    return 7000 * (int64_t)MS + ts * 3 / 10000;
}

/* Right on one pCPU; on the other 2000 ppm off from second 1 to 2, then put right. */
static int64_t wandering(int pcpu, int64_t ts)
{
    return pcpu == 0 || ts < 1000 * MS || ts > 2000 * (int64_t)MS ? 0 : (ts - 1000 * MS) / 500;
}

/* Lays the log over the run; where each job's completion was meant to be is the end of a running interval, less 20 us. */
static struct xt_guest_jobs *place_wandering(int64_t (*off)(int pcpu, int64_t ts), bool anchored, bool anywhere, int n)
{
    struct xt_supply *s = new_supply(n * 7 * (int64_t)MS);
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, false, 1e9);

    run_on_two(s, log, clock, off, anywhere, n);
    if (anchored)
        xt_job_log_anchor(log, 0, (uint64_t)off(0, 0));
    struct xt_guest_jobs *jobs = xt_job_log_place(log, 0, 1000000000, s, 1);
    unsigned near = 0;
    for (guint i = 0; !anywhere && i < jobs->jobs->len; i++) {
        const struct xt_job *job = nth(jobs, i);
        int64_t from, to, error_ns = jobs->fit.offset_error_ns + 20000;
        if (!xt_supply_interval(s, 1, -1, -1, job->completion, error_ns, &from, &to))
            continue;
        near += ABS(job->completion - (to - 20000)) <= error_ns;
        g_assert_cmpint(job->start - job->release, ==, 50000); /* it was moved as a whole */
        g_assert_cmpint(job->deadline - job->release, ==, 50000 + 1234567);
    }
    g_assert_cmpuint(near, >=, anywhere ? 0 : n * 19 / 20);
    xt_job_log_free(log);
    xt_supply_free(s);
    return jobs;
}

/* 420 ppm slow: nearly 6 ms over the whole run, more than is followed without a guess of the rate */
static int64_t slow(int pcpu, int64_t ts)
{
    return -ts * 42 / 100000;
}

static void test_rate(void)
{
    struct xt_guest_jobs *jobs = place_wandering(slow, false, false, 2000);

    g_assert_cmpint(jobs->fit.clock, ==, XT_GUEST_FITTED);
    g_assert_true(jobs->fit.evidence);
    g_assert_cmpfloat(jobs->fit.share, >, 0.995);
    g_assert_cmpint(ABS(jobs->fit.wander_ns - 5650000), <, 300000);
    g_assert_cmpint(jobs->fit.offset_error_ns, <, 100000);
    xt_guest_jobs_free(jobs);
}

static void test_wander(void)
{
    for (int anchored = 0; anchored < 2; anchored++) {
        struct xt_guest_jobs *jobs = place_wandering(drifting, anchored, false, 500);
        g_assert_cmpint(jobs->fit.clock, ==, anchored ? XT_GUEST_ANCHORED : XT_GUEST_FITTED);
        g_assert_true(jobs->fit.evidence);
        g_assert_cmpfloat(jobs->fit.share, >, 0.99);
        g_assert_cmpint(ABS(jobs->fit.wander_ns - 900000), <, 300000); /* 300 ppm of some 3 s */
        xt_guest_jobs_free(jobs);
    }
    struct xt_guest_jobs *jobs = place_wandering(wandering, true, false, 500);
    g_assert_true(jobs->fit.evidence);
    g_assert_cmpfloat(jobs->fit.share, >, 0.99);
    g_assert_cmpint(ABS(jobs->fit.wander_ns - 2000000), <, 400000);
    xt_guest_jobs_free(jobs);
    /* so pliable a clock must not fit everything */
    jobs = place_wandering(wandering, true, true, 500);
    g_assert_false(jobs->fit.evidence);
    g_assert_cmpint(jobs->fit.wander_ns, ==, 0);
    xt_guest_jobs_free(jobs);
}

/* The task was started again and counts from 0: both jobs of each number are there. */
static void test_again(void)
{
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, true, 1e9);

    for (int64_t at = 0; at < 2000; at += 1000) {
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_RELEASE, at);
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_START, at + 10);
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_COMPLETION, at + 20);
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_DEADLINE, at + 100);
    }
    struct xt_guest_jobs *jobs = xt_job_log_place(log, 0, 1000000000, NULL, -1);
    g_assert_cmpuint(jobs->jobs->len, ==, 2);
    g_assert_cmpint(nth(jobs, 0)->completion, ==, 20);
    g_assert_cmpint(nth(jobs, 1)->start, ==, 1010);
    g_assert_cmpint(nth(jobs, 1)->completion, ==, 1020);
    xt_guest_jobs_free(jobs);
    xt_job_log_free(log);
}

/* What is not logged may have happened while the tracer lost events. */
static void test_loss(void)
{
    static const struct {
        int64_t from, to, log_end;
    } losses[] = {
        { 10, 99, 1001 },  /* before the release */
        { 90, 150, 90 },   /* over the release */
        { 150, 160, 150 }, /* before the deadline */
        { 250, 260, 250 }, /* after it: it was late by then */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(losses); i++) {
        struct xt_job_log *log = xt_job_log_new();
        unsigned clock = xt_job_log_clock(log, true, 1e9);
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_RELEASE, 100);
        xt_job_log_moment(log, clock, "a", 0, XT_JOB_DEADLINE, 200);
        xt_job_log_reach(log, clock, 1000);
        xt_job_log_loss(log, clock, losses[i].from, losses[i].to, 3);
        struct xt_guest_jobs *jobs = xt_job_log_place(log, 0, 1000000000, NULL, -1);
        g_assert_cmpint(nth(jobs, 0)->log_end, ==, losses[i].log_end);
        g_assert_cmpuint(jobs->lost, ==, 3);
        xt_guest_jobs_free(jobs);
        xt_job_log_free(log);
    }
}

/* Times at the ends of their range, and marks in two heaps with ages between them, end in a refusal. */
static void test_absurd(void)
{
    struct xt_supply *s = new_supply(1000 * MS);
    struct xt_job_log *log = xt_job_log_new();
    unsigned clock = xt_job_log_clock(log, false, 1e3);

    dispatch(s, 0, 0, 10 * MS, 500 * MS);
    for (int64_t i = 0; i < 300; i++)
        xt_job_log_mark(log, clock, -1, i % 2 ? INT64_MAX - i : INT64_MIN + i);
    xt_job_log_moment(log, clock, "a", INT64_MAX, XT_JOB_RELEASE, INT64_MIN);
    xt_job_log_moment(log, clock, "a", INT64_MAX, XT_JOB_DEADLINE, INT64_MAX);
    for (int anchored = 0; anchored < 2; anchored++) {
        struct xt_guest_jobs *jobs = xt_job_log_place(log, UINT64_MAX, 1000000000, s, 1);
        g_assert_false(jobs->fit.evidence);
        g_assert_nonnull(jobs->fit.why);
        xt_guest_jobs_free(jobs);
        xt_job_log_anchor(log, INT64_MIN, UINT64_MAX);
        xt_job_log_anchor(log, INT64_MAX, 0);
    }
    xt_job_log_free(log);
    xt_supply_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/jobs/supply", test_supply);
    g_test_add_func("/jobs/busy", test_busy);
    g_test_add_func("/jobs/causes", test_causes);
    g_test_add_func("/jobs/tsc", test_tsc);
    g_test_add_func("/jobs/anchors", test_anchors);
    g_test_add_func("/jobs/fit", test_fit);
    g_test_add_func("/jobs/torn-anchor", test_torn_anchor);
    g_test_add_func("/jobs/wander", test_wander);
    g_test_add_func("/jobs/rate", test_rate);
    g_test_add_func("/jobs/again", test_again);
    g_test_add_func("/jobs/loss", test_loss);
    g_test_add_func("/jobs/absurd", test_absurd);
    return g_test_run();
}
