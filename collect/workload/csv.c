/* The same jobs as a table: "job,TASK,NUMBER,release,start,completion,deadline,missed" in ns of
 * CLOCK_MONOTONIC, and one line that ties that clock to the TSC. For spreadsheets and awk. */
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>

static void put_time(FILE *f, const struct clock_map *clock, uint64_t tsc)
{
    if (tsc)
        fprintf(f, ",%" PRIu64, clock_map_mono_ns(clock, tsc));
    else
        putc(',', f);
}

int csv_write(const char *path, const struct task *tasks, size_t n_tasks, const struct clock_map *clock)
{
    const struct anchor *last = &clock->anchors[clock->n - 1];
    FILE *f = fopen(path, "w");
    int failed;

    if (!f)
        return -1;
    fprintf(f, "#tpu %.6f\n", (double)clock_map_hz(clock) / 1e6);
    fprintf(f, "#clock mono %" PRIu64 " tsc %" PRIu64 "\n", last->mono_ns, last->tsc);
    for (size_t i = 0; i < n_tasks; i++) {
        for (size_t k = 0; k < tasks[i].n_jobs; k++) {
            const struct job *job = &tasks[i].jobs[k];
            fprintf(f, "job,%u,%zu,%" PRIu64, tasks[i].id, k, job->release_ns);
            put_time(f, clock, job->start_tsc);
            put_time(f, clock, job->completion_tsc);
            fprintf(f, ",%" PRIu64 ",%d\n", job->release_ns + tasks[i].deadline_ns,
                    job_missed(&tasks[i], job, clock));
        }
    }
    failed = ferror(f);
    return fclose(f) || failed ? -1 : 0;
}
