#include "db/guests.h"

#include <string.h>

#include "db/bind.h"
#include "db/internal.h"
#include "parse/babeltrace/guest.h"
#include "parse/jobs-csv.h"
#include "parse/jobs.h"

struct xt_guests {
    const struct xt_recording *recording;
    struct xt_supply *supply;
};

struct storing {
    struct xt_guests *guests;
    sqlite3 *sqlite;
    struct xt_store *store;
    const struct xt_run *run;
    void (*note)(void *user, const char *message);
    void *user;
    sqlite3_stmt *add_guest, *add_miss;
};

/* -1: no domain has this name, or several had it. */
static int domid_of(const struct xt_recording *recording, const char *name)
{
    int domid = -1;

    for (guint i = 0; i < recording->domains->len; i++) {
        const struct xt_host_domain *domain = recording->domains->pdata[i];

        if (g_strcmp0(domain->name, name) != 0)
            continue;
        if (domid >= 0)
            return -1;
        domid = domain->domid;
    }
    return domid;
}

struct xt_guests *xt_guests_new(const struct xt_recording *recording)
{
    struct xt_guests *g = g_new0(struct xt_guests, 1);
    GArray *domids = g_array_new(FALSE, FALSE, sizeof(uint16_t));

    g->recording = recording;
    for (guint i = 0; recording->is_folder && recording->guests && i < recording->guests->len; i++) {
        int domid = domid_of(recording, recording->guests->pdata[i]);
        uint16_t narrow = (uint16_t)domid;
        if (domid >= 0)
            g_array_append_val(domids, narrow);
    }
    g->supply = xt_supply_new((const uint16_t *)(const void *)domids->data, domids->len);
    g_array_unref(domids);
    return g;
}

void xt_guests_free(struct xt_guests *g)
{
    if (!g)
        return;
    xt_supply_free(g->supply);
    g_free(g);
}

const struct xt_sink *xt_guests_sink(struct xt_guests *g)
{
    return xt_supply_sink(g->supply);
}

static bool written(const struct storing *s, bool ok, GError **error)
{
    if (!ok)
        xt_db_set_error(s->sqlite, "storing what guests did", error);
    return ok;
}

static bool store_miss(struct storing *s, const struct xt_job *job, const struct xt_fit *fit, int domid, GError **error)
{
    struct xt_job_miss miss = xt_job_explain(job, fit, s->guests->supply, domid);
    struct xt_bind b = { .stmt = s->add_miss };
    bool known = miss.cause != XT_CAUSE_UNKNOWN;

    put_int(&b, sqlite3_last_insert_rowid(s->sqlite));
    put_int_if(&b, known, miss.supplied_ns);
    put_int_if(&b, known, miss.waited_ns);
    put_int_if(&b, known, miss.periods_judged);
    put_int_if(&b, known, miss.period_misses);
    put_text(&b, xt_job_cause_name(miss.cause));
    return written(s, put_row(&b), error);
}

static bool is_missed(const struct xt_job *job)
{
    return job->completion == INT64_MIN ? job->log_end > job->deadline : job->completion > job->deadline;
}

static bool store_job(struct storing *s, const struct xt_job *job, const struct xt_fit *fit, const char *domain, int domid,
                      GError **error)
{
    const struct xt_db_job row = {
        .domid = domid, .domain = domain, .task = job->task, .job = job->number, .release = job->release,
        .deadline = job->deadline, .start = job->start, .completion = job->completion,
    };

    return xt_db_add_job(s->store, &row, job->log_end, error) && (!is_missed(job) || store_miss(s, job, fit, domid, error));
}

static bool store_guest(struct storing *s, const struct xt_guest_jobs *placed, const char *domain, int domid, GError **error)
{
    const struct xt_fit *fit = &placed->fit;
    struct xt_bind b = { .stmt = s->add_guest };

    put_int(&b, xt_store_run(s->store));
    put_text(&b, domain);
    put_int_if(&b, domid >= 0, domid);
    put_text(&b, xt_guest_clock_name(fit->clock));
    put_real_if(&b, fit->tsc_hz > 0, fit->tsc_hz);
    put_int_if(&b, fit->clock == XT_GUEST_FITTED || fit->offset_ns, fit->offset_ns);
    put_int_if(&b, fit->offset_error_ns > 0, fit->offset_error_ns);
    put_int_if(&b, fit->wander_ns > 0, fit->wander_ns);
    put_int(&b, (int64_t)fit->marks);
    put_int(&b, (int64_t)fit->running);
    put_real_if(&b, fit->marks > 0, fit->share);
    put_real_if(&b, fit->marks > 0, fit->chance);
    put_int(&b, fit->evidence);
    put_text(&b, fit->why);
    put_int(&b, (int64_t)placed->incomplete);
    put_int(&b, (int64_t)MIN(placed->lost, (uint64_t)INT64_MAX));
    if (fit->why) {
        char *message = g_strdup_printf("guest %s: %s", domain, fit->why);
        s->note(s->user, message);
        g_free(message);
    }
    return written(s, put_row(&b), error);
}

static bool store_log(struct storing *s, const struct xt_job_log *log, const char *domain, GError **error)
{
    int domid = domid_of(s->guests->recording, domain);
    struct xt_guest_jobs *placed =
        xt_job_log_place(log, s->run->start_tsc, s->run->tsc_hz, s->guests->supply, domid);
    bool ok = true;

    for (guint i = 0; ok && i < placed->jobs->len; i++)
        ok = store_job(s, &g_array_index(placed->jobs, struct xt_job, i), &placed->fit, domain, domid, error);
    ok = ok && store_guest(s, placed, domain, domid, error);
    xt_guest_jobs_free(placed);
    return ok;
}

static void note_unused(struct storing *s, const char *domain, const char *what, GError *bad)
{
    char *message = g_strdup_printf("guest %s: its %s is not used: %s", domain, what, bad->message);

    s->note(s->user, message);
    g_free(message);
    g_error_free(bad);
}

static void note_silent(struct storing *s, const char *domain)
{
    char *message =
        g_strdup_printf("guest %s: no event in its traces says anything of jobs; docs/ctf.md tells which do", domain);

    s->note(s->user, message);
    g_free(message);
}

/* The table that a guest wrote itself; NULL if there is none that can be read. */
static struct xt_job_log *read_table(struct storing *s, const char *domain)
{
    char *file = g_strconcat(domain, ".jobs.csv", NULL);
    char *path = g_build_filename(s->guests->recording->path, "guests", file, NULL);
    GError *bad = NULL;
    struct xt_job_log *log = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? xt_jobs_csv_read(path, &bad) : NULL;

    if (bad)
        note_unused(s, domain, "table", bad);
    g_free(path);
    g_free(file);
    return log;
}

static bool store_one(struct storing *s, const char *domain, GError **error)
{
    GError *bad = NULL;
    struct xt_job_log *log = xt_guest_read(s->guests->recording, domain, &bad);

    if (bad)
        note_unused(s, domain, "trace", bad);
    bool silent = log && !xt_job_log_n_jobs(log);
    if (silent)
        g_clear_pointer(&log, xt_job_log_free);
    if (!log)
        log = read_table(s, domain);
    if (silent && !log)
        note_silent(s, domain);
    bool ok = !log || store_log(s, log, domain, error);
    xt_job_log_free(log);
    return ok;
}

bool xt_guests_store(struct xt_guests *g, struct xt_db *db, struct xt_store *store, const struct xt_run *run,
                     void (*note)(void *user, const char *message), void *user, GError **error)
{
    const GPtrArray *names = g->recording->is_folder ? g->recording->guests : NULL;
    struct storing s = {
        .guests = g, .sqlite = xt_db_sqlite(db), .store = store, .run = run, .note = note, .user = user,
    };
    bool ok = true;

    if (!names || !names->len)
        return true;
    s.add_guest = xt_db_prepare(s.sqlite, "INSERT INTO guest VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", error);
    s.add_miss = s.add_guest ? xt_db_prepare(s.sqlite, "INSERT INTO job_miss VALUES (?,?,?,?,?,?)", error) : NULL;
    ok = s.add_miss != NULL;
    for (guint i = 0; ok && i < names->len; i++)
        ok = store_one(&s, names->pdata[i], error);
    sqlite3_finalize(s.add_guest);
    sqlite3_finalize(s.add_miss);
    return ok;
}
