/* libFuzzer: any bytes as what a guest logged. The first byte chooses the form (sched_trace, events of a CTF trace as LTTng
 * makes them, a table), the rest is the file. Whatever it says is laid over a run, or refused with a message. */
#include <sanitizer/lsan_interface.h>
#include <unistd.h>

#include "parse/babeltrace/guest.h"
#include "parse/jobs-csv.h"

#define MAX_BYTES (1u << 16)
#define MS 1000000
#define HZ 1000000000

/* What each event of the stream below may be; bytes choose everything else. */
static const char metadata[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
    "typealias integer { size = 32; align = 8; signed = true; } := int32_t;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
    "typealias integer { size = 64; align = 8; signed = true; } := int64_t;\n"
    "trace { major = 1; minor = 8; byte_order = le; };\n"
    "clock { name = \"monotonic\"; freq = 1000000000; offset = 1700000000123456789; };\n"
    "stream { event.header := struct { uint8_t id; integer { size = 64; align = 8; map = clock.monotonic.value; } timestamp; };\n"
    "  event.context := struct { uint8_t cpu; }; };\n"
    "event { name = \"sched_switch\"; id = 0; fields := struct { int32_t prev_tid; int32_t next_tid; }; };\n"
    "event { name = \"sched_wakeup\"; id = 1; fields := struct { int32_t tid; }; };\n"
    "event { name = \"job_begin\"; id = 2; fields := struct { string task; int64_t job; uint64_t release; uint64_t deadline; }; };\n"
    "event { name = \"job_begin\"; id = 3; fields := struct { uint8_t task; int64_t job; int64_t relative_deadline; }; };\n"
    "event { name = \"job_end\"; id = 4; fields := struct { string task; int64_t job; }; };\n"
    "event { name = \"lttng_logger\"; id = 5; fields := struct { string msg; }; };\n"
    "event { name = \"job_release\"; id = 6; fields := struct { uint8_t task; uint8_t job; }; };\n"
    "event { name = \"job_start\"; id = 7; fields := struct { uint8_t task; uint8_t job; }; };\n"
    "event { name = \"job_completion\"; id = 8; fields := struct { uint8_t task; uint8_t job; }; };\n"
    "event { name = \"job_deadline\"; id = 9; fields := struct { uint8_t task; uint8_t job; }; };\n"
    "event { name = \"clock\"; id = 10; fields := struct { int64_t monotonic_ns; }; };\n";

static void write_file(const char *folder, const char *name, const void *bytes, size_t n)
{
    char *path = g_build_filename(folder, name, NULL);
    char *parent = g_path_get_dirname(path);

    g_assert_true(g_mkdir_with_parents(parent, 0700) == 0 && g_file_set_contents(path, bytes, (gssize)n, NULL));
    g_free(parent);
    g_free(path);
}

static void remove_file(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);

    unlink(path);
    g_free(path);
}

static struct xt_supply *new_supply(void)
{
    static const struct xt_vcpu vcpus[] = { { 0, 1, 0 }, { 1, 1, 1 } };
    const uint16_t domid = 1;
    struct xt_supply *supply = xt_supply_new(&domid, 1);
    const struct xt_sink *sink = xt_supply_sink(supply);
    const struct xt_run run = { .duration_ns = 1000 * (int64_t)MS };

    g_assert_true(sink->begin(sink->self, &run, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(vcpus); i++)
        g_assert_true(sink->vcpu(sink->self, &vcpus[i], NULL));
    for (int64_t i = 0; i < 100; i++) {
        struct xt_dispatch d = {
            .vcpu = &vcpus[i % 2], .ready_ts = i * 10 * MS, .run_ts = i * 10 * MS + i * 1000, .end_ts = i * 10 * MS + 4 * MS,
        };
        struct xt_period p = {
            .vcpu = &vcpus[i % 2], .release = i * 10 * MS, .deadline = (i + 1) * 10 * MS, .judged = true, .missed = i % 7 == 0,
        };
        g_assert_true(sink->dispatch(sink->self, &d, NULL) && sink->period(sink->self, &p, NULL));
    }
    return supply;
}

static void check_jobs(const struct xt_guest_jobs *jobs, const struct xt_supply *supply)
{
    const struct xt_fit *fit = &jobs->fit;

    g_assert_true(fit->evidence == !fit->why && fit->running <= fit->marks && fit->share >= 0 && fit->share <= 1);
    for (guint i = 0; i < jobs->jobs->len; i++) {
        const struct xt_job *job = &g_array_index(jobs->jobs, struct xt_job, i);
        g_assert_true(i == 0 || job[-1].release <= job->release);
        g_assert_true(job->release != INT64_MIN && job->deadline != INT64_MIN && job->busy_since <= job->release);
        struct xt_job_miss miss = xt_job_explain(job, fit, supply, 1);
        g_assert_true(fit->evidence || miss.cause == XT_CAUSE_UNKNOWN);
        g_assert_true(miss.supplied_ns >= 0 && miss.waited_ns >= 0 && miss.period_misses <= miss.periods_judged);
    }
}

static void check_log(struct xt_job_log *log, GError *error, const struct xt_supply *supply)
{
    g_assert_true(!error || (!log && *error->message));
    if (log) {
        struct xt_guest_jobs *jobs = xt_job_log_place(log, 1000, HZ, supply, 1);
        check_jobs(jobs, supply);
        xt_guest_jobs_free(jobs);
        xt_job_log_free(log);
    }
    g_clear_error(&error);
}

static void read_traces(const char *folder, const struct xt_supply *supply)
{
    const struct xt_recording recording = { .path = (char *)folder, .is_folder = true };
    GError *error = NULL;
    struct xt_job_log *log = xt_guest_read(&recording, "vm", &error);

    check_log(log, error, supply);
}

static void read_table(const char *folder, const struct xt_supply *supply)
{
    char *path = g_build_filename(folder, "guests/vm.jobs.csv", NULL);
    GError *error = NULL;
    struct xt_job_log *log = xt_jobs_csv_read(path, &error);

    g_assert_true(!log == !!error);
    check_log(log, error, supply);
    g_free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "guests/vm/st-vm-0.bin", "guests/vm/lttng/events", "guests/vm.jobs.csv" };
    static char *folder;
    static struct xt_supply *supply;

    if (!folder) {
        g_assert_true((folder = g_dir_make_tmp("fuzz-guest-XXXXXX", NULL)) != NULL);
        supply = new_supply();
    }
    if (size < 1 || size > MAX_BYTES)
        return 0;
    unsigned form = data[0] % G_N_ELEMENTS(names);
    write_file(folder, names[form], data + 1, size - 1);
    if (form == 1)
        write_file(folder, "guests/vm/lttng/metadata", metadata, sizeof(metadata) - 1);
    if (form == 1) /* libbabeltrace2 loses messages of its own where a stream is damaged */
        __lsan_disable();
    read_traces(folder, supply);
    if (form == 1)
        __lsan_enable();
    if (form == 2)
        read_table(folder, supply);
    remove_file(folder, names[form]);
    remove_file(folder, "guests/vm/lttng/metadata");
    return 0;
}
