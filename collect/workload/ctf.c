/* Job traces as CTF 1.8: one stream, one packet, little endian, every field byte-aligned. */
#include "workload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum event_id { EVENT_TASK, EVENT_CLOCK, EVENT_RELEASE, EVENT_START, EVENT_COMPLETION, EVENT_DEADLINE };

/* One event before it is written. At equal times they go in the order of their ids: a job that completes just
 * at its deadline has met it. */
struct event {
    uint64_t tsc;
    enum event_id id;
    const struct task *task; /* NULL for EVENT_CLOCK */
    uint64_t job;            /* EVENT_CLOCK: CLOCK_MONOTONIC in ns */
};

static const char metadata_format[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 8; align = 8; signed = false; base = hex; } := uint8_t;\n"
    "typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
    "typealias integer { size = 32; align = 8; signed = true; } := int32_t;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
    "\n"
    "trace {\n"
    "    major = 1;\n"
    "    minor = 8;\n"
    "    uuid = \"%s\";\n"
    "    byte_order = le;\n"
    "    packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; };\n"
    "};\n"
    "\n"
    "env {\n"
    "    domain = \"xentrail-jobs\";\n"
    "    tracer_name = \"xentrail-workload\";\n"
    "    tracer_version = \"" XT_VERSION "\";\n"
    "    vm = \"%s\";\n"
    "    policy = \"%s\";\n"
    "    tasks = %zu;\n"
    "};\n"
    "\n"
    "clock {\n"
    "    name = \"tsc\";\n"
    "    description = \"Time stamp counter of the pCPU, as xentrace records have it\";\n"
    "    freq = %llu;\n"
    "    offset = 0;\n"
    "};\n"
    "typealias integer { size = 64; align = 8; signed = false; map = clock.tsc.value; } := tsc_t;\n"
    "\n"
    "stream {\n"
    "    id = 0;\n"
    "    packet.context := struct { tsc_t timestamp_begin; tsc_t timestamp_end; uint64_t content_size;\n"
    "                               uint64_t packet_size; uint64_t events_discarded; };\n"
    "    event.header := struct { uint16_t id; tsc_t timestamp; };\n"
    "};\n"
    "\n"
    "event { id = 0; name = \"task\"; stream_id = 0; fields := struct { uint32_t task; uint64_t wcet_ns; "
    "uint64_t period_ns;\n"
    "    uint64_t deadline_ns; uint64_t phase_ns; int32_t cpu; int32_t priority; uint64_t cache_bytes; }; "
    "};\n"
    "event { id = 1; name = \"clock\"; stream_id = 0; fields := struct { uint64_t monotonic_ns; }; };\n"
    "event { id = 2; name = \"job_release\"; stream_id = 0; fields := struct { uint32_t task; uint64_t job; "
    "}; };\n"
    "event { id = 3; name = \"job_start\"; stream_id = 0; fields := struct { uint32_t task; uint64_t job; }; "
    "};\n"
    "event { id = 4; name = \"job_completion\"; stream_id = 0; fields := struct { uint32_t task; uint64_t "
    "job; }; };\n"
    "event { id = 5; name = \"job_deadline\"; stream_id = 0; fields := struct { uint32_t task; uint64_t job; "
    "}; };\n";

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->tsc != y->tsc)
        return x->tsc < y->tsc ? -1 : 1;
    return (int)x->id - (int)y->id;
}

static size_t add_job(struct event *to, const struct clock_map *clock, const struct task *task, size_t number)
{
    const struct job *job = &task->jobs[number];
    size_t n = 0;
    to[n++] = (struct event){ clock_map_tsc(clock, job->release_ns), EVENT_RELEASE, task, number };
    if (job->start_tsc)
        to[n++] = (struct event){ job->start_tsc, EVENT_START, task, number };
    if (job->completion_tsc)
        to[n++] = (struct event){ job->completion_tsc, EVENT_COMPLETION, task, number };
    to[n++] = (struct event){ clock_map_tsc(clock, job->release_ns + task->deadline_ns), EVENT_DEADLINE, task,
                              number };
    return n;
}

static struct event *collect_events(const struct ctf_description *d, size_t *n)
{
    size_t max = d->n_tasks + d->clock->n;
    for (size_t i = 0; i < d->n_tasks; i++)
        max += 4 * d->tasks[i].n_jobs;
    struct event *events = calloc(max, sizeof *events);
    if (!events)
        return NULL;

    *n = 0;
    for (size_t i = 0; i < d->n_tasks; i++)
        events[(*n)++] = (struct event){ d->clock->anchors[0].tsc, EVENT_TASK, &d->tasks[i], 0 };
    for (size_t i = 0; i < d->clock->n; i++)
        events[(*n)++] =
            (struct event){ d->clock->anchors[i].tsc, EVENT_CLOCK, NULL, d->clock->anchors[i].mono_ns };
    for (size_t i = 0; i < d->n_tasks; i++)
        for (size_t k = 0; k < d->tasks[i].n_jobs; k++)
            *n += add_job(events + *n, d->clock, &d->tasks[i], k);
    qsort(events, *n, sizeof *events, by_time);
    return events;
}

static void put(FILE *f, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        putc((int)(value >> (8 * i)) & 0xff, f);
}

static void put_event(FILE *f, const struct event *e)
{
    put(f, e->id, 2);
    put(f, e->tsc, 8);
    if (e->id == EVENT_CLOCK) {
        put(f, e->job, 8);
        return;
    }
    put(f, e->task->id, 4);
    if (e->id != EVENT_TASK) {
        put(f, e->job, 8);
        return;
    }
    put(f, e->task->wcet_ns, 8);
    put(f, e->task->period_ns, 8);
    put(f, e->task->deadline_ns, 8);
    put(f, e->task->phase_ns, 8);
    put(f, (uint32_t)e->task->cpu, 4);
    put(f, (uint32_t)e->task->priority, 4);
    put(f, e->task->cache_bytes, 8);
}

static void put_stream(FILE *f, const unsigned char uuid[16], const struct event *events, size_t n)
{
    static const uint64_t event_bytes[] = {
        [EVENT_TASK] = 62,  [EVENT_CLOCK] = 18,      [EVENT_RELEASE] = 22,
        [EVENT_START] = 22, [EVENT_COMPLETION] = 22, [EVENT_DEADLINE] = 22,
    };
    uint64_t bytes = 4 + 16 + 4 + 5 * 8;
    for (size_t i = 0; i < n; i++)
        bytes += event_bytes[events[i].id];

    put(f, 0xc1fc1fc1, 4);
    fwrite(uuid, 1, 16, f);
    put(f, 0, 4);
    put(f, n ? events[0].tsc : 0, 8);
    put(f, n ? events[n - 1].tsc : 0, 8);
    put(f, bytes * 8, 8);
    put(f, bytes * 8, 8);
    put(f, 0, 8);
    for (size_t i = 0; i < n; i++)
        put_event(f, &events[i]);
}

static FILE *create(const char *directory, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(path, "wb");
}

static int close_checked(FILE *f)
{
    int failed = ferror(f);
    return fclose(f) || failed ? -1 : 0;
}

/* A name that stands in a TSDL string must not end it. */
static void copy_name(char *to, size_t size, const char *from)
{
    size_t n = 0;
    for (; *from && n + 1 < size; from++)
        to[n++] = (*from == '"' || *from == '\\' || (unsigned char)*from < 0x20) ? '_' : *from;
    to[n] = 0;
}

static void new_uuid(unsigned char uuid[16], char text[37])
{
    if (getrandom(uuid, 16, GRND_NONBLOCK) != 16) { /* a guest that has just booted may have no entropy yet */
        uint64_t a = tsc_now(), b = mono_ns() * 0x9e3779b97f4a7c15u;
        memcpy(uuid, &a, 8);
        memcpy(uuid + 8, &b, 8);
    }
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++)
        text += sprintf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

int ctf_write(const struct ctf_description *d)
{
    unsigned char uuid[16];
    char uuid_text[37], domain[64];
    size_t n;

    if (mkdir(d->directory, 0777) && errno != EEXIST)
        return -1;
    new_uuid(uuid, uuid_text);
    copy_name(domain, sizeof domain, d->domain);

    FILE *metadata = create(d->directory, "metadata");
    if (!metadata)
        return -1;
    fprintf(metadata, metadata_format, uuid_text, domain, d->policy, d->n_tasks,
            (unsigned long long)clock_map_hz(d->clock));
    if (close_checked(metadata))
        return -1;

    struct event *events = collect_events(d, &n);
    FILE *stream = events ? create(d->directory, "jobs") : NULL;
    if (stream)
        put_stream(stream, uuid, events, n);
    free(events);
    return stream ? close_checked(stream) : -1;
}
