/* Job logs of guests. See jobs-csv.h. */
#include "parse/jobs-csv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse/error.h"

#define MAX_LINE 4096

struct reader {
    const char *path;
    unsigned line;
    struct xt_csv_jobs *out;
    int64_t clock_mono_ns; /* of the clock line */
    uint64_t clock_tsc;
    bool has_clock;
};

static bool damaged(struct reader *r, const char *what, GError **error)
{
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s:%u: %s", r->path, r->line, what);
    return false;
}

static bool to_time(const char *text, int64_t *value)
{
    return g_ascii_string_to_signed(text, 10, 0, INT64_MAX / 2, value, NULL);
}

static bool to_time_or_none(const char *text, int64_t *value)
{
    *value = INT64_MIN;
    return *text == '\0' || to_time(text, value);
}

static bool read_job(struct reader *r, char *line, GError **error)
{
    char **field = g_strsplit(line, ",", 9);
    struct xt_csv_job job;
    bool ok = g_strv_length(field) >= 7 && to_time(field[2], &job.number) && to_time(field[3], &job.release) &&
              to_time_or_none(field[4], &job.start) && to_time_or_none(field[5], &job.completion) &&
              to_time(field[6], &job.deadline);

    if (ok) {
        job.task = g_string_chunk_insert_const(r->out->names, field[1]);
        g_array_append_val(r->out->jobs, job);
    }
    g_strfreev(field);
    return ok || damaged(r, "no job: job,TASK,NUMBER,release,start,completion,deadline,… is expected", error);
}

static bool read_clock(struct reader *r, const char *line, GError **error)
{
    if (sscanf(line, "#clock mono %" SCNi64 " tsc %" SCNu64, &r->clock_mono_ns, &r->clock_tsc) != 2 ||
        r->clock_mono_ns < 0 || r->clock_mono_ns > INT64_MAX / 2)
        return damaged(r, "no clock: #clock mono NS tsc TICKS is expected", error);
    r->has_clock = true;
    return true;
}

static bool read_line(struct reader *r, char *line, GError **error)
{
    if (g_str_has_prefix(line, "job,"))
        return read_job(r, line, error);
    if (g_str_has_prefix(line, "#clock "))
        return read_clock(r, line, error);
    if (g_str_has_prefix(line, "#tpu "))
        r->out->tpu = g_ascii_strtod(line + 5, NULL);
    else if (*line && *line != '#')
        return damaged(r, "neither a job nor a comment", error);
    return true;
}

static bool read_lines(struct reader *r, FILE *file, GError **error)
{
    char line[MAX_LINE];

    while (fgets(line, sizeof(line), file)) {
        r->line++;
        if (!strchr(line, '\n') && !feof(file))
            return damaged(r, "line too long", error);
        g_strchomp(line);
        if (!read_line(r, line, error))
            return false;
    }
    if (ferror(file)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s", r->path, g_strerror(errno));
        return false;
    }
    return true;
}

/* (tsc - start) in ns; negative before the run. */
static int64_t tsc_to_ts(uint64_t tsc, uint64_t start_tsc, int64_t tsc_hz)
{
    bool before = tsc < start_tsc;
    uint64_t cycles = before ? start_tsc - tsc : tsc - start_tsc;
    int64_t ns = (int64_t)((unsigned __int128)cycles * 1000000000 / (uint64_t)tsc_hz);

    return before ? -ns : ns;
}

static void shift(int64_t *time, int64_t by)
{
    if (*time != INT64_MIN)
        *time += by;
}

static bool map_times(struct reader *r, uint64_t start_tsc, int64_t tsc_hz, GError **error)
{
    struct xt_csv_jobs *out = r->out;
    int64_t by, max_shift = INT64_MAX / 4;

    if (!r->has_clock)
        return damaged(r, "no #clock line ties the guest's clock to the TSC", error);
    if (out->tpu > 0 && (out->tpu * 1e6 / (double)tsc_hz < 0.99 || out->tpu * 1e6 / (double)tsc_hz > 1.01)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: the guest counted %.3f TSC ticks per us, the host has %.3f: not the same TSC, so the job times "
                    "cannot be placed in the run", r->path, out->tpu, (double)tsc_hz / 1e6);
        return false;
    }
    by = tsc_to_ts(r->clock_tsc, start_tsc, tsc_hz);
    if (by > max_shift || by < -max_shift)
        return damaged(r, "the clock line's TSC is absurdly far from the run", error);
    by -= r->clock_mono_ns;
    for (guint i = 0; i < out->jobs->len; i++) {
        struct xt_csv_job *job = &g_array_index(out->jobs, struct xt_csv_job, i);

        shift(&job->release, by);
        shift(&job->start, by);
        shift(&job->completion, by);
        shift(&job->deadline, by);
    }
    out->log_end = r->clock_mono_ns + by;
    return true;
}

struct xt_csv_jobs *xt_csv_jobs_read(const char *path, uint64_t start_tsc, int64_t tsc_hz, GError **error)
{
    struct xt_csv_jobs *out = g_new0(struct xt_csv_jobs, 1);
    struct reader r = { .path = path, .out = out };
    FILE *file = fopen(path, "re");
    bool ok;

    out->jobs = g_array_new(FALSE, FALSE, sizeof(struct xt_csv_job));
    out->names = g_string_chunk_new(256);
    if (!file)
        g_set_error(error, XT_ERROR, errno == ENOENT ? XT_ERROR_INPUT : XT_ERROR_SYSTEM, "%s: %s", path,
                    g_strerror(errno));
    ok = file && read_lines(&r, file, error) && map_times(&r, start_tsc, tsc_hz, error);
    if (file)
        fclose(file);
    if (ok)
        return out;
    xt_csv_jobs_free(out);
    return NULL;
}

void xt_csv_jobs_free(struct xt_csv_jobs *jobs)
{
    if (!jobs)
        return;
    g_array_free(jobs->jobs, TRUE);
    g_string_chunk_free(jobs->names);
    g_free(jobs);
}
