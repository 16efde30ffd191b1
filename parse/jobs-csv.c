/* Job logs of guests. See jobs-csv.h. */
#include "parse/jobs-csv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "parse/error.h"

#define MAX_LINE 4096

struct reader {
    const char *path;
    unsigned line;
    struct xt_job_log *log;
    unsigned clock;
    bool has_anchor;
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
    static const enum xt_job_moment order[] = { XT_JOB_RELEASE, XT_JOB_START, XT_JOB_COMPLETION, XT_JOB_DEADLINE };
    char **field = g_strsplit(line, ",", 9);
    int64_t number, times[G_N_ELEMENTS(order)];
    bool ok = g_strv_length(field) >= 7 && to_time(field[2], &number) && to_time(field[3], &times[0]) &&
              to_time_or_none(field[4], &times[1]) && to_time_or_none(field[5], &times[2]) && to_time(field[6], &times[3]);

    for (unsigned i = 0; ok && i < G_N_ELEMENTS(order); i++) {
        if (times[i] == INT64_MIN)
            continue;
        xt_job_log_moment(r->log, r->clock, field[1], number, order[i], times[i]);
        if (order[i] == XT_JOB_START || order[i] == XT_JOB_COMPLETION)
            xt_job_log_mark(r->log, r->clock, -1, times[i]);
    }
    g_strfreev(field);
    return ok || damaged(r, "no job: job,TASK,NUMBER,release,start,completion,deadline,… is expected", error);
}

static bool read_clock(struct reader *r, const char *line, GError **error)
{
    int64_t mono_ns;
    uint64_t tsc;

    if (sscanf(line, "#clock mono %" SCNi64 " tsc %" SCNu64, &mono_ns, &tsc) != 2 || mono_ns < 0 || mono_ns > INT64_MAX / 2)
        return damaged(r, "no clock: #clock mono NS tsc TICKS is expected", error);
    xt_job_log_anchor(r->log, mono_ns, tsc);
    xt_job_log_reach(r->log, r->clock, mono_ns);
    r->has_anchor = true;
    return true;
}

static bool read_line(struct reader *r, char *line, GError **error)
{
    if (g_str_has_prefix(line, "job,"))
        return read_job(r, line, error);
    if (g_str_has_prefix(line, "#clock "))
        return read_clock(r, line, error);
    if (g_str_has_prefix(line, "#tpu "))
        xt_job_log_tsc_hz(r->log, g_ascii_strtod(line + 5, NULL) * 1e6);
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

struct xt_job_log *xt_jobs_csv_read(const char *path, GError **error)
{
    struct reader r = { .path = path, .log = xt_job_log_new() };
    FILE *file = fopen(path, "re");

    r.clock = xt_job_log_clock(r.log, false, 1e9);
    if (!file)
        g_set_error(error, XT_ERROR, errno == ENOENT ? XT_ERROR_INPUT : XT_ERROR_SYSTEM, "%s: %s", path,
                    g_strerror(errno));
    bool ok = file && read_lines(&r, file, error) &&
              (r.has_anchor || damaged(&r, "no #clock line ties the guest's clock to the TSC", error));
    if (file)
        fclose(file);
    if (!ok)
        g_clear_pointer(&r.log, xt_job_log_free);
    return r.log;
}
