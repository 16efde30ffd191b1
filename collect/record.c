#include "collect/record.h"

#include "collect/files.h"
#include "collect/snapshot.h"
#include "collect/trace-file.h"
#include "parse/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
    PAGE_BYTES = 4096,
    MIN_PAGES = 64,
    MAX_PAGES = 2048,  /* 8 MiB per pCPU */
    MEMORY_SHARE = 20, /* at most a twentieth of Xen's free memory for all pCPUs together */
    MAX_POLL_MS = 100, /* xentrace's own default */
    HEADROOM = 8,      /* a burst may be this many times denser than what was measured */
    PROBE_S = 1,
};

struct recording {
    const struct xt_record_options *options;
    struct xt_host *host;
    struct xt_host_facts facts;
    struct xt_trace_file *trace;
    struct xt_tally tally;
    JsonObject *manifest;
    GPtrArray *notes;
    unsigned buffer_pages, poll_ms;
};

static void say(const struct xt_record_options *o, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(const struct xt_record_options *o, const char *format, ...)
{
    va_list args;
    char *text;
    if (!o->say)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    o->say(o->user, text);
    g_free(text);
}

/* Xen takes the size with the first tracer after boot and keeps it, so this errs on the large side. */
static unsigned default_pages(const struct xt_host_facts *facts)
{
    uint64_t pages = facts->free_memory_mib * 256 / MEMORY_SHARE / MAX(facts->pcpus, 1);
    return (unsigned)CLAMP(pages, MIN_PAGES, MAX_PAGES);
}

static unsigned poll_for(double bytes_per_s, unsigned buffer_pages)
{
    double fills_in_ms = (double)buffer_pages * PAGE_BYTES / MAX(bytes_per_s, 1.0) * 1000;
    return (unsigned)CLAMP(fills_in_ms / HEADROOM, 1, MAX_POLL_MS);
}

static struct xt_capture capture_of(const struct recording *r)
{
    return (struct xt_capture){
        .host = r->host,
        .event_mask = r->options->event_mask,
        .buffer_pages = r->buffer_pages,
        .poll_ms = r->poll_ms ? r->poll_ms : MAX_POLL_MS,
        .duration_s = r->options->duration_s,
        .max_bytes = r->options->max_bytes,
        .command = r->options->command,
    };
}

static bool discard(void *user, const void *data, size_t bytes, GError **error)
{
    return true;
}

/* How many bytes a second the events make; one pCPU may make them all. */
static bool measure_rate(struct recording *r, GError **error)
{
    struct xt_capture probe = capture_of(r);
    struct xt_capture_result result;
    double rate;

    say(r->options, "measuring the event rate for %d s", PROBE_S);
    probe.duration_s = PROBE_S;
    probe.max_bytes = 0;
    probe.command = NULL;
    probe.data = discard;
    if (!xt_capture_run(&probe, &result, error))
        return false;
    if (result.end == XT_CAPTURE_SIGNAL) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "interrupted before the recording began");
        return false;
    }
    rate = (double)result.bytes / MAX(result.elapsed_s, 0.1);
    r->poll_ms = poll_for(rate, r->buffer_pages);
    say(r->options, "%.2f MB/s: buffers of %u pages per pCPU, emptied every %u ms", rate / 1e6,
        r->buffer_pages, r->poll_ms);
    return true;
}

static bool check_policy(const struct recording *r, GError **error)
{
    const struct xt_policy *policy = r->options->policy;
    const char *scheduler = r->facts.scheduler, *needed = policy ? policy->scheduler : NULL;

    if (!needed || strcmp(needed, scheduler) == 0)
        return true;
    g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                "%s: --policy %s needs the scheduler %s, but Xen runs %s: boot it with sched=%s%s",
                xt_host_name(r->host), policy->name, needed, scheduler, needed,
                strcmp(needed, "rtds") == 0
                    ? " (distributions' packages are built without RTDS; `xentrail lab` builds one with it)"
                    : "");
    return false;
}

/* What each VCPU is judged by, in words of the user, so that a reader needs no host snapshot. */
static bool add_reservations(struct recording *r, struct xt_recording *host, GError **error)
{
    const char *const *texts = r->options->reservations;
    JsonArray *array;

    for (int i = 0; texts && texts[i]; i++) {
        const guint known = host->vcpus->len;
        if (!xt_recording_set_reservation(host, texts[i], error))
            return false;
        if (host->vcpus->len > known) {
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "reservation \"%s\": %s has no such VCPU (see `xl vcpu-list`)",
                        texts[i], xt_host_name(r->host));
            return false;
        }
    }
    if (!texts || !texts[0])
        return true;
    array = json_array_new();
    json_object_set_array_member(r->manifest, "reservations", array);
    for (guint i = 0; i < host->vcpus->len; i++) {
        const struct xt_host_vcpu *v = host->vcpus->pdata[i];
        JsonObject *one;
        if (!v->ref_period_ns)
            continue;
        one = json_object_new();
        json_object_set_string_member(one, "domain", v->domain);
        json_object_set_int_member(one, "vcpu", v->vcpu);
        json_object_set_int_member(one, "period_ns", v->ref_period_ns);
        json_object_set_int_member(one, "budget_ns", v->ref_budget_ns);
        json_array_add_object_element(array, one);
    }
    return true;
}

static bool copy_file(const char *from, const char *to, GError **error)
{
    GFile *source = g_file_new_for_path(from), *target = g_file_new_for_path(to);
    GError *failure = NULL;

    if (!g_file_copy(source, target, G_FILE_COPY_NONE, NULL, NULL, NULL, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "cannot copy the guest's trace %s: %s", from,
                    failure->message);
        g_error_free(failure);
    }
    g_object_unref(source);
    g_object_unref(target);
    return failure == NULL;
}

/* A CTF trace is a flat folder: metadata and its streams. */
static bool copy_folder(const char *from, const char *to, GError **error)
{
    GError *failure = NULL;
    GDir *dir = g_dir_open(from, 0, &failure);
    const char *name;
    bool good = dir && g_mkdir_with_parents(to, 0777) == 0;

    if (!good) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "cannot copy the guest's trace %s: %s", from,
                    failure ? failure->message : g_strerror(errno));
        g_clear_error(&failure);
    }
    while (good && (name = g_dir_read_name(dir)) != NULL) {
        char *source = g_build_filename(from, name, NULL), *target = g_build_filename(to, name, NULL);
        if (g_file_test(source, G_FILE_TEST_IS_REGULAR))
            good = copy_file(source, target, error);
        g_free(source);
        g_free(target);
    }
    if (dir)
        g_dir_close(dir);
    return good;
}

static bool check_guest(const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    /* The folder itself may come into being only while the command runs. */
    bool good = equals && equals > text && *text != '.' && !memchr(text, '/', (size_t)(equals - text));

    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "guest \"%s\": write NAME=FOLDER, with the domain's name and the folder of its job trace",
                    text);
    return good;
}

static bool add_guests(struct recording *r, GError **error)
{
    const char *const *texts = r->options->guests;
    JsonObject *guests;

    if (!texts || !texts[0])
        return true;
    guests = json_object_new();
    json_object_set_object_member(r->manifest, "guests", guests);
    for (int i = 0; texts[i]; i++) {
        char **sides = g_strsplit(texts[i], "=", 2);
        char *to = g_build_filename(r->options->folder, "guests", sides[0], NULL);
        bool good = copy_folder(sides[1], to, error);
        if (good)
            json_object_set_string_member(guests, sides[0], "ctf-1.8");
        g_free(to);
        g_strfreev(sides);
        if (!good)
            return false;
    }
    return true;
}

static bool write_piece(void *user, const void *data, size_t bytes, GError **error)
{
    struct recording *r = user;
    xt_tally_add(&r->tally, data, bytes);
    if (r->options->observe)
        r->options->observe(r->options->user, data, bytes, &r->tally);
    return xt_trace_file_write(r->trace, data, bytes, error);
}

static bool flush_and_tell(void *user, double elapsed_s, GError **error)
{
    struct recording *r = user;
    struct xt_record_progress progress = { elapsed_s, &r->tally, xt_trace_file_stored(r->trace) };
    if (r->options->progress)
        r->options->progress(r->options->user, &progress);
    return xt_trace_file_flush(r->trace, error);
}

static const char *end_name(enum xt_capture_end end)
{
    static const char *const names[] = { "time", "size", "signal", "command", "failure" };
    return names[end];
}

static JsonArray *strings(const GPtrArray *texts)
{
    JsonArray *array = json_array_new();
    for (guint i = 0; i < texts->len; i++) {
        char *valid = g_utf8_make_valid(g_ptr_array_index(texts, i), -1);
        json_array_add_string_element(array, valid);
        g_free(valid);
    }
    return array;
}

static JsonObject *describe_trace(const struct recording *r, const struct xt_record_result *result,
                                  const char *name)
{
    JsonObject *trace = json_object_new();
    char *mask = g_strdup_printf("0x%08x", r->options->event_mask);

    json_object_set_string_member(trace, "file", name);
    json_object_set_int_member(trace, "bytes", (gint64)result->capture.bytes);
    json_object_set_int_member(trace, "records", (gint64)result->records);
    json_object_set_int_member(trace, "lost_records", (gint64)result->lost_records);
    json_object_set_string_member(trace, "mask", mask);
    json_object_set_string_member(trace, "events", r->options->event_names ? r->options->event_names : mask);
    json_object_set_int_member(trace, "buffer_pages", r->buffer_pages);
    json_object_set_int_member(trace, "poll_ms", r->poll_ms);
    json_object_set_double_member(trace, "elapsed_s", result->capture.elapsed_s);
    json_object_set_string_member(trace, "ended_by", end_name(result->capture.end));
    g_free(mask);
    return trace;
}

static void set_optional(JsonObject *object, const char *key, const char *text)
{
    if (text && g_utf8_validate(text, -1, NULL))
        json_object_set_string_member(object, key, text);
}

static void finish_manifest(struct recording *r, const struct xt_record_result *result,
                            const char *trace_name, bool complete, GError **error)
{
    json_object_set_object_member(r->manifest, "trace", describe_trace(r, result, trace_name));
    json_object_set_array_member(r->manifest, "notes", strings(r->notes));
    json_object_set_boolean_member(r->manifest, "complete", complete);
    xt_manifest_finish(r->manifest, r->options->folder, error);
}

/* Takes the trace and all that belongs after it. Errors go to *error, the first one stays. */
static void capture_into_folder(struct recording *r, struct xt_record_result *result, GError **error)
{
    struct xt_capture capture = capture_of(r);
    char *trace_name = g_strdup(xt_trace_file_name(r->trace));
    GError *first = NULL, *later = NULL;

    capture.data = write_piece;
    capture.tick = flush_and_tell;
    capture.user = r;
    xt_capture_run(&capture, &result->capture, &first);
    if (!xt_trace_file_flush(r->trace, first ? NULL : &first))
        result->capture.end = XT_CAPTURE_BROKEN;
    result->capture.bytes = xt_trace_file_bytes(r->trace);
    result->stored_bytes = xt_trace_file_stored(r->trace);
    result->records = r->tally.records;
    result->lost_records = r->tally.lost_records;
    if (!xt_trace_file_close(r->trace, first ? NULL : &first))
        result->capture.end = XT_CAPTURE_BROKEN;
    r->trace = NULL;
    result->kept = result->capture.bytes > 0;
    if (result->kept) {
        if (!xt_snapshot_take(r->host, XT_SNAPSHOT_AFTER, r->facts.scheduler, r->options->folder, r->notes,
                              &later) &&
            first)
            g_clear_error(&later);
        if (!later)
            add_guests(r, &later);
        if (!first)
            first = g_steal_pointer(&later);
        g_clear_error(&later);
        finish_manifest(r, result, trace_name, first == NULL, first ? NULL : &first);
    }
    g_free(trace_name);
    if (first)
        g_propagate_error(error, first);
}

static bool make_folder(const char *folder, GError **error)
{
    if (g_mkdir(folder, 0777) == 0)
        return true;
    if (errno == EEXIST)
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "%s exists already: name a new folder with -o", folder);
    else
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot make the folder %s: %s", folder,
                    g_strerror(errno));
    return false;
}

/* Deadlines are judged by servers' reservations. Schedulers that know none leave that to the user. */
static void note_missing_reservations(struct recording *r)
{
    const char *scheduler = r->facts.scheduler;
    if (strcmp(scheduler, "rtds") != 0 && !xt_manifest_array(r->manifest, "reservations"))
        g_ptr_array_add(r->notes, g_strdup_printf("Xen runs %s, which reserves nothing, so no period can be judged: give "
                                                  "reservations to judge by (--reservation vm1=10ms/4ms)",
                                                  scheduler));
}

static bool describe(struct recording *r, GError **error)
{
    struct xt_recording *host = xt_recording_read_host(r->options->folder);
    bool good;

    xt_snapshot_describe(r->manifest, &r->facts, host);
    good = add_reservations(r, host, error);
    note_missing_reservations(r);
    xt_recording_free(host);
    return good;
}

/* Everything before the first event: snapshot, and a first recording.json, by which the folder is a recording
 * from now on. */
static bool prepare(struct recording *r, GError **error)
{
    const struct xt_record_options *o = r->options;

    r->manifest = xt_manifest_new();
    if (o->policy)
        json_object_set_string_member(r->manifest, "policy", o->policy->name);
    if (o->periodic)
        json_object_set_string_member(r->manifest, "server", "periodic");
    set_optional(r->manifest, "comment", o->comment);
    set_optional(r->manifest, "host", xt_host_name(r->host));
    if (!o->poll_ms && !measure_rate(r, error))
        return false;
    if (!xt_snapshot_take(r->host, XT_SNAPSHOT_BEFORE, r->facts.scheduler, o->folder, r->notes, error))
        return false;
    if (!describe(r, error) || !xt_manifest_save(r->manifest, o->folder, error))
        return false;
    r->trace = xt_trace_file_create(o->folder, o->compression, error);
    return r->trace != NULL;
}

/* What is wrong in the words themselves is said before the host is touched. */
static bool check_words(const struct xt_record_options *o, GError **error)
{
    for (int i = 0; o->guests && o->guests[i]; i++)
        if (!check_guest(o->guests[i], error))
            return false;
    for (int i = 0; o->reservations && o->reservations[i]; i++)
        if (!xt_reservation_check(o->reservations[i], error))
            return false;
    return true;
}

static bool open_host(struct recording *r, const struct xt_record_options *o, GError **error)
{
    if (!check_words(o, error))
        return false;
    r->options = o;
    r->host = xt_host_new(o->target, error);
    if (!r->host || !xt_host_check(r->host, &r->facts, error) || !check_policy(r, error))
        return false;
    r->buffer_pages = o->buffer_pages ? o->buffer_pages : default_pages(&r->facts);
    r->poll_ms = o->poll_ms;
    return true;
}

static void close_host(struct recording *r)
{
    xt_host_facts_clear(&r->facts);
    xt_host_free(r->host);
}

bool xt_record(const struct xt_record_options *options, struct xt_record_result *result, GError **error)
{
    struct recording r = { 0 };
    GError *failure = NULL;

    *result = (struct xt_record_result){ .capture = { .end = XT_CAPTURE_BROKEN, .command_status = -1 } };
    if (!open_host(&r, options, error) || !make_folder(options->folder, error)) {
        close_host(&r);
        return false;
    }
    r.notes = g_ptr_array_new_with_free_func(g_free);
    if (prepare(&r, &failure))
        capture_into_folder(&r, result, &failure);
    if (!result->kept)
        xt_files_remove(options->folder, NULL);
    for (guint i = 0; i < r.notes->len; i++)
        say(options, "note: %s", (const char *)g_ptr_array_index(r.notes, i));
    result->buffer_pages = r.buffer_pages;
    result->poll_ms = r.poll_ms;
    g_ptr_array_unref(r.notes);
    g_clear_pointer(&r.manifest, json_object_unref);
    close_host(&r);
    if (!failure && !result->kept)
        g_set_error(&failure, XT_ERROR, XT_ERROR_SYSTEM, "nothing was captured");
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

char *xt_record_plan(const struct xt_record_options *options, GError **error)
{
    struct recording r = { 0 };
    struct xt_capture capture;
    struct statvfs disk;
    GString *plan;
    char **words, *parent;

    if (!open_host(&r, options, error)) {
        close_host(&r);
        return NULL;
    }
    plan = g_string_new(NULL);
    parent = g_path_get_dirname(options->folder);
    capture = capture_of(&r);
    words = xt_capture_command(&capture);
    g_string_append_printf(plan, "host        %s, Xen %s, scheduler %s, %u pCPUs\n", xt_host_name(r.host),
                           r.facts.xen_version ? r.facts.xen_version : "?", r.facts.scheduler, r.facts.pcpus);
    g_string_append_printf(plan, "folder      %s%s", options->folder,
                           g_file_test(options->folder, G_FILE_TEST_EXISTS) ? " (exists already!)" : "");
    if (statvfs(parent, &disk) == 0)
        g_string_append_printf(plan, " (%.1f GB free)", (double)disk.f_bavail * (double)disk.f_frsize / 1e9);
    g_string_append_printf(plan, "\nevents      %s (0x%08x)\n",
                           options->event_names ? options->event_names : "", options->event_mask);
    g_string_append_printf(plan, "buffers     %u pages (%.1f MiB) on each of %u pCPUs\n", r.buffer_pages,
                           r.buffer_pages / 256.0, r.facts.pcpus);
    if (r.poll_ms)
        g_string_append_printf(plan, "emptied     every %u ms\n", r.poll_ms);
    else
        g_string_append_printf(
            plan, "emptied     as often as a measurement of %d s before the recording says\n", PROBE_S);
    g_string_append_printf(plan,
                           "snapshots   xl info, list -v, vcpu-list, cpupool-list -c, sched-%s, dmesg, CPU "
                           "model, command lines\n",
                           r.facts.scheduler);
    g_string_append(plan, "ends by     ");
    if (options->duration_s > 0)
        g_string_append_printf(plan, "time (%g s), ", options->duration_s);
    if (options->max_bytes)
        g_string_append_printf(plan, "size (%" G_GUINT64_FORMAT " bytes), ", options->max_bytes);
    if (options->command)
        g_string_append_printf(plan, "the end of %s, ", options->command[0]);
    g_string_append(plan, "Ctrl-C\nwould run  ");
    for (int i = 0; words[i]; i++) {
        char *quoted = g_shell_quote(words[i]);
        g_string_append_printf(plan, " %s", strpbrk(words[i], " \n'\"$") ? quoted : words[i]);
        g_free(quoted);
    }
    g_string_append_c(plan, '\n');
    g_free(parent);
    g_strfreev(words);
    close_host(&r);
    return g_string_free(plan, FALSE);
}
