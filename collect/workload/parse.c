#include "workload.h"

#include "parse/time-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Eleven days: sums of a few of them still fit. */
#define MAX_NS 1000000000000000

bool parse_time_ns(const char *text, uint64_t *ns)
{
    int64_t value;
    if (xt_time_parse(text, &value) || value > MAX_NS)
        return false;
    *ns = (uint64_t)value;
    return true;
}

bool parse_size(const char *text, size_t *bytes)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = { { "", 1 }, { "k", 1024 }, { "M", 1048576 } };
    const double max = 1e9;
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || errno || !(number >= 0))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].name) == 0 && number * units[i].factor <= max) {
            *bytes = (size_t)(number * units[i].factor);
            return true;
        }
    }
    return false;
}

static bool set_field(struct task *task, const char *key, const char *value, const char **why)
{
    static const struct {
        const char *key;
        size_t offset;
    } times[] = {
        { "wcet", offsetof(struct task, wcet_ns) },
        { "period", offsetof(struct task, period_ns) },
        { "deadline", offsetof(struct task, deadline_ns) },
        { "phase", offsetof(struct task, phase_ns) },
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (strcmp(key, times[i].key) == 0) {
            *why = "a time is a number with ns, us, ms or s";
            return parse_time_ns(value, (uint64_t *)((char *)task + times[i].offset));
        }
    }
    if (strcmp(key, "cache") == 0) {
        *why = "cache is a size such as 256k or 2M";
        return parse_size(value, &task->cache_bytes);
    }
    if (strcmp(key, "cpu") == 0) {
        char *end;
        long cpu = strtol(value, &end, 10);
        *why = "cpu is a number from 0 to 1023";
        task->cpu = (int)cpu;
        return end != value && !*end && cpu >= 0 && cpu < 1024;
    }
    *why = "the keys are wcet, period, deadline, phase, cpu, cache";
    return false;
}

bool parse_task(const char *text, struct task *task, const char **why)
{
    char copy[256];
    char *rest = copy;

    *why = "too long";
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    task->cpu = -1;
    for (char *field; (field = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(field, '=');
        *why = "write KEY=VALUE, separated by commas";
        if (!equals)
            return false;
        *equals = 0;
        if (!set_field(task, field, equals + 1, why))
            return false;
    }
    if (!task->deadline_ns)
        task->deadline_ns = task->period_ns;
    *why = "wcet and period must be given and more than 0";
    if (!task->wcet_ns || !task->period_ns)
        return false;
    *why = "a period is at least 100us";
    return task->period_ns >= 100000;
}
