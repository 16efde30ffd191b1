#include "collect/lab/lab.h"

#include "collect/files.h"
#include "collect/lab/image.h"
#include "collect/lab/seal.h"
#include "collect/process.h"
#include "parse/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define QEMU "qemu-system-x86_64"

enum {
    BASE_TIMEOUT_S = 600,
    TIMEOUT_PER_S = 90,
    UNPACK_TIMEOUT_S = 120,
    XEN_MEMORY_MIB = 384,
    OUT_MIB = 2048
};

/* One policy's machine, from its images to its recording. */
struct machine {
    struct lab *lab;
    const struct xt_lab_policy *policy;
    char *name;       /* SCENARIO-POLICY */
    char *work;       /* its folder in the lab's work folder */
    char *log_folder; /* FOLDER/logs/NAME */
    GSubprocess *qemu;
    GDataInputStream *console;
    FILE *log;
    guint timeout;
    bool done, timed_out;
    char *failure;   /* what dom0 said */
    char *last_line; /* of its console that is not empty */
};

struct lab {
    const struct xt_scenario *scenario;
    const struct xt_lab_run_options *options;
    char *cache, *work;
    GMainLoop *loop;
    GPtrArray *machines; /* of struct machine */
    guint next, running, jobs;
    bool interrupted;
    GError *error; /* the first */
};

static void say(struct machine *m, const char *step)
{
    const struct xt_lab_run_options *o = m->lab->options;
    if (o->say)
        o->say(o->user, m->name, step);
}

static void take_error(struct machine *m, GError *error)
{
    g_prefix_error(&error, "%s: ", m->name);
    say(m, "failed");
    if (m->lab->error)
        g_error_free(error);
    else
        m->lab->error = error;
}

/* A plus sign means nothing to a shell, but reads badly in a file's name. */
static char *recording_name(const struct xt_scenario *s, const struct xt_lab_policy *policy)
{
    char *name = g_strdup_printf("%s-%s", s->name, policy->name);
    return g_strdelimit(name, "+", '-');
}

static bool write_archives(const char *path, GBytes *first, GBytes *second, GError **error)
{
    FILE *f = g_fopen(path, "wb");
    GBytes *parts[] = { first, second };
    bool good = f != NULL;

    for (size_t i = 0; good && i < G_N_ELEMENTS(parts); i++) {
        gsize n;
        const void *data = g_bytes_get_data(parts[i], &n);
        good = fwrite(data, 1, n, f) == n;
    }
    good = (!f || fclose(f) == 0) && good;
    if (!good)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write %s: %s", path, g_strerror(errno));
    return good;
}

/* QEMU splits the list of boot modules at commas, so they are named without folders, from within the work
 * folder. */
static bool prepare(struct machine *m, GBytes *dom0, GError **error)
{
    GBytes *experiment = xt_image_experiment(m->lab->scenario, m->policy, m->lab->options->live, error);
    char *image = g_build_filename(m->work, "dom0.cpio", NULL),
         *out = g_build_filename(m->work, "out.img", NULL);
    char *cached = g_build_filename(m->lab->cache, "vmlinux", NULL),
         *kernel = g_build_filename(m->work, "vmlinux", NULL);
    char *log = g_build_filename(m->log_folder, "console.log", NULL);
    bool good = experiment && g_mkdir_with_parents(m->work, 0700) == 0 &&
                g_mkdir_with_parents(m->log_folder, 0777) == 0 &&
                write_archives(image, dom0, experiment, error);
    int fd = good ? open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

    good = fd >= 0 && ftruncate(fd, (off_t)OUT_MIB << 20) == 0 && symlink(cached, kernel) == 0;
    m->log = good ? g_fopen(log, "w") : NULL;
    if (!m->log && error && !*error)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot prepare %s: %s", m->work, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    g_clear_pointer(&experiment, g_bytes_unref);
    g_free(image);
    g_free(out);
    g_free(cached);
    g_free(kernel);
    g_free(log);
    return m->log != NULL;
}

static unsigned memory_mib(const struct xt_scenario *s)
{
    unsigned sum = s->dom0_memory_mib + XEN_MEMORY_MIB;
    for (guint i = 0; i < s->domains->len; i++)
        sum += ((const struct xt_lab_domain *)g_ptr_array_index(s->domains, i))->memory_mib + 16;
    return sum;
}

/* One thread runs the pCPUs in turn, each until the next timer is due, which can be milliseconds away: to the others, time would
 * jump by as much, and a job would take that for time not run. This filter of a network without members has a timer of 50 us
 * that does nothing but end the turns. (A pCPU gets nothing if the one before used its turn to the end, so the workload gives it
 * up earlier: take_turns() in collect/workload/work.c.) */
static void add_turn_timer(GPtrArray *words)
{
    g_ptr_array_add(words, g_strdup("-netdev"));
    g_ptr_array_add(words, g_strdup("hubport,id=turns,hubid=0"));
    g_ptr_array_add(words, g_strdup("-object"));
    g_ptr_array_add(words, g_strdup("filter-buffer,id=turn,netdev=turns,queue=rx,interval=50"));
}

/* Virtual time: the clock counts instructions, two nanoseconds each, and jumps over idle time. Every clock of
 * the machine is then exact, whatever else the machine underneath does. */
static GPtrArray *qemu_words(const struct machine *m)
{
    const struct xt_scenario *s = m->lab->scenario;
    char *xen = g_build_filename(m->lab->cache, "xen", NULL);
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    const char *const fixed[] = {
        QEMU,
        "-nodefaults",
        "-no-user-config",
        "-nographic",
        "-no-reboot",
        "-serial",
        "stdio",
        "-monitor",
        "none",
        /* With a richer CPU, dom0 dies at its first page fault. */
        "-cpu",
        "qemu64,smap=off,smep=off",
        "-drive",
        "file=out.img,format=raw,if=virtio",
        "-kernel",
        xen,
        "-initrd",
        "vmlinux console=hvc0 panic=1 quiet,dom0.cpio",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
        g_ptr_array_add(words, g_strdup(fixed[i]));
    /* The clock on the wall must not make two runs differ. */
    g_ptr_array_add(words, g_strdup("-rtc"));
    g_ptr_array_add(words, g_strdup("base=2026-01-01,clock=vm"));
    g_ptr_array_add(words, g_strdup("-accel"));
    if (m->lab->options->real_time) {
        g_ptr_array_add(words, g_strdup("tcg,thread=multi"));
    } else {
        g_ptr_array_add(words, g_strdup("tcg,thread=single"));
        g_ptr_array_add(words, g_strdup("-icount"));
        g_ptr_array_add(words, g_strdup("shift=1,sleep=off"));
        add_turn_timer(words);
    }
    g_ptr_array_add(words, g_strdup("-smp"));
    g_ptr_array_add(words, g_strdup_printf("%u", s->pcpus));
    g_ptr_array_add(words, g_strdup("-m"));
    g_ptr_array_add(words, g_strdup_printf("%u", memory_mib(s)));
    g_ptr_array_add(words, g_strdup("-append"));
    g_ptr_array_add(
        words, g_strdup_printf(
                   "console=com1 com1=115200,8n1 dom0_mem=%uM dom0_max_vcpus=1 dom0_vcpus_pin sched=%s %s %s",
                   s->dom0_memory_mib, m->policy->policy->scheduler,
                   m->lab->options->real_time ? "" : "tsc=reliable clocksource=tsc", s->xen_options));
    g_ptr_array_add(words, NULL);
    g_free(xen);
    return words;
}

/* Whatever becomes of this program, no machine stays behind. */
static void die_with_parent(gpointer unused)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
}

static gboolean out_of_time(gpointer data)
{
    struct machine *m = data;
    m->timeout = 0;
    m->timed_out = true;
    g_subprocess_force_exit(m->qemu);
    return G_SOURCE_REMOVE;
}

static void read_on(struct machine *m);

static void take_line(struct machine *m, const char *line)
{
    static const char mark[] = "XENTRAIL ", failed[] = "failed: ";
    const char *step = strstr(line, mark);

    fprintf(m->log, "%s\n", line);
    fflush(m->log);
    if (*line && *line != '\r') {
        g_free(m->last_line);
        m->last_line = g_strchomp(g_utf8_make_valid(line, -1));
    }
    if (!step)
        return;
    char *text = g_utf8_make_valid(step + strlen(mark), -1);
    g_strstrip(text);
    if (strcmp(text, "done") == 0)
        m->done = true;
    else if (g_str_has_prefix(text, failed) && !m->failure)
        m->failure = g_strdup(text + strlen(failed));
    else
        say(m, text);
    g_free(text);
}

static void line_read(GObject *source, GAsyncResult *result, gpointer data)
{
    struct machine *m = data;
    char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, NULL);
    if (!line)
        return;
    take_line(m, line);
    g_free(line);
    read_on(m);
}

static void read_on(struct machine *m)
{
    g_data_input_stream_read_line_async(m->console, G_PRIORITY_HIGH, NULL, line_read, m);
}

/* tar keeps to the folder itself, but a link in it would lead whoever moves or reads its files out of it. */
static bool check_unpacked(const char *folder, GError **error)
{
    char *odd = xt_files_find_odd(folder);

    if (!odd)
        return true;
    char *shown = g_strescape(odd + strlen(folder), NULL);
    g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM,
                "what dom0 brought home is not used: it holds a link, a device or the like, which the lab never makes: %s", shown);
    g_free(shown);
    g_free(odd);
    xt_files_remove(folder, NULL);
    return false;
}

static bool unpack(const struct machine *m, const char *to, GError **error)
{
    char *disk = g_build_filename(m->work, "out.img", NULL);
    const char *const tar[] = {
        "tar", "--no-same-owner", "--no-same-permissions", "-C", to, "-xf", disk, NULL
    };
    struct xt_output output;
    bool good = g_mkdir_with_parents(to, 0777) == 0 && xt_process_run(tar, UNPACK_TIMEOUT_S, &output, error);

    if (good) {
        good = output.status == 0;
        if (!good)
            g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "what dom0 brought home cannot be unpacked: %s",
                        output.err);
        xt_output_clear(&output);
    }
    g_free(disk);
    return good && check_unpacked(to, error);
}

static void keep_logs(const struct machine *m, const char *out)
{
    char *from = g_build_filename(out, "logs", NULL);
    GDir *dir = g_dir_open(from, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        char *source = g_build_filename(from, name, NULL),
             *target = g_build_filename(m->log_folder, name, NULL);
        g_rename(source, target);
        g_free(source);
        g_free(target);
    }
    if (dir)
        g_dir_close(dir);
    g_free(from);
}

/* out lies beside the recordings, so that a finished one gets its name by a mere rename. */
static bool bring_home(struct machine *m, GError **error)
{
    const struct lab *lab = m->lab;
    char *hidden = g_strconcat(".", m->name, ".unpacking", NULL);
    char *out = g_build_filename(lab->options->folder, hidden, NULL);
    char *folder = g_build_filename(lab->options->folder, m->name, NULL);
    bool good;

    xt_files_remove(out, NULL);
    good = unpack(m, out, error);
    if (good || m->failure)
        keep_logs(m, out);
    if (good && m->done) {
        if (lab->options->overwrite)
            xt_files_remove(folder, NULL);
        good = xt_lab_seal(out, folder, lab->scenario, m->policy, lab->options->real_time, error);
    }
    xt_files_remove(out, NULL);
    g_free(hidden);
    g_free(out);
    g_free(folder);
    return good;
}

/* QEMU's own end, or that of what ran in it. */
static GError *ended_too_early(const struct machine *m)
{
    const char *last = m->last_line ? m->last_line : "nothing";
    char *how;
    GError *error;

    if (g_subprocess_get_if_signaled(m->qemu))
        how = g_strdup_printf("QEMU was killed by signal %d", g_subprocess_get_term_sig(m->qemu));
    else if (g_subprocess_get_exit_status(m->qemu) != 0)
        how = g_strdup_printf("QEMU ended with status %d", g_subprocess_get_exit_status(m->qemu));
    else
        how = g_strdup("it turned itself off");
    error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM,
                        "the machine ended before the experiment did: %s; the last that its console said: %s; the rest is in %s",
                        how, last, m->log_folder);
    g_free(how);
    return error;
}

static void judge(struct machine *m)
{
    GError *error = NULL;

    if (m->done) {
        if (bring_home(m, &error))
            say(m, "recorded");
        else
            take_error(m, error);
        return;
    }
    if (m->failure && !bring_home(m, &error))
        g_clear_error(&error);
    if (m->lab->interrupted)
        error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM, "interrupted");
    else if (m->timed_out)
        error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM,
                            "not finished in time (see --timeout); its console is in %s", m->log_folder);
    else if (m->failure)
        error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM, "%s; logs are in %s", m->failure, m->log_folder);
    else
        error = ended_too_early(m);
    take_error(m, error);
}

static void start_more(struct lab *lab);

static void machine_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct machine *m = data;
    struct lab *lab = m->lab;

    g_subprocess_wait_finish(m->qemu, result, NULL);
    while (g_main_context_iteration(NULL, FALSE))
        ; /* the console's last lines */
    if (m->timeout)
        g_source_remove(m->timeout);
    m->timeout = 0;
    fclose(m->log);
    m->log = NULL;
    judge(m);
    xt_files_remove(m->work, NULL);
    lab->running--;
    start_more(lab);
}

static unsigned timeout_s(const struct lab *lab)
{
    if (lab->options->timeout_s)
        return lab->options->timeout_s;
    return BASE_TIMEOUT_S + (unsigned)(lab->scenario->duration_s * TIMEOUT_PER_S);
}

static bool start_machine(struct machine *m, GBytes *dom0, GError **error)
{
    GSubprocessLauncher *launcher;
    GPtrArray *words;
    GError *failure = NULL;

    if (!prepare(m, dom0, error))
        return false;
    launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    words = qemu_words(m);
    g_subprocess_launcher_set_cwd(launcher, m->work);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    m->qemu = g_subprocess_launcher_spawnv(launcher, (const char *const *)words->pdata, &failure);
    g_ptr_array_unref(words);
    g_object_unref(launcher);
    if (!m->qemu) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot start " QEMU ": %s (install qemu-system-x86)",
                    failure->message);
        g_error_free(failure);
        return false;
    }
    m->console = g_data_input_stream_new(g_subprocess_get_stdout_pipe(m->qemu));
    m->timeout = g_timeout_add_seconds(timeout_s(m->lab), out_of_time, m);
    read_on(m);
    g_subprocess_wait_async(m->qemu, NULL, machine_ended, m);
    say(m, m->lab->options->real_time ? "booting" : "booting, in virtual time");
    return true;
}

static void start_more(struct lab *lab)
{
    GError *error = NULL;
    GBytes *dom0 = NULL;

    while (!lab->interrupted && lab->running < lab->jobs && lab->next < lab->machines->len) {
        struct machine *m = g_ptr_array_index(lab->machines, lab->next++);
        if (!dom0)
            dom0 = xt_image_dom0(lab->cache, &error);
        if (dom0 && start_machine(m, dom0, &error))
            lab->running++;
        else
            take_error(m, g_steal_pointer(&error));
    }
    g_clear_pointer(&dom0, g_bytes_unref);
    if (lab->running == 0)
        g_main_loop_quit(lab->loop);
}

static gboolean begin(gpointer data)
{
    start_more(data);
    return G_SOURCE_REMOVE;
}

static gboolean interrupted(gpointer data)
{
    struct lab *lab = data;
    lab->interrupted = true;
    for (guint i = 0; i < lab->machines->len; i++) {
        struct machine *m = g_ptr_array_index(lab->machines, i);
        if (m->qemu && m->log)
            g_subprocess_force_exit(m->qemu);
    }
    return G_SOURCE_CONTINUE;
}

static void free_machine(gpointer data)
{
    struct machine *m = data;
    if (m->log)
        fclose(m->log);
    g_clear_object(&m->console);
    g_clear_object(&m->qemu);
    g_free(m->failure);
    g_free(m->last_line);
    g_free(m->log_folder);
    g_free(m->work);
    g_free(m->name);
    g_free(m);
}

static bool add_machines(struct lab *lab, GError **error)
{
    for (guint i = 0; i < lab->scenario->policies->len; i++) {
        struct machine *m = g_new0(struct machine, 1);
        char *folder;
        bool taken;

        m->lab = lab;
        m->policy = g_ptr_array_index(lab->scenario->policies, i);
        m->name = recording_name(lab->scenario, m->policy);
        m->work = g_build_filename(lab->work, m->name, NULL);
        m->log_folder = g_build_filename(lab->options->folder, "logs", m->name, NULL);
        g_ptr_array_add(lab->machines, m);
        folder = g_build_filename(lab->options->folder, m->name, NULL);
        taken = g_file_test(folder, G_FILE_TEST_EXISTS) && !lab->options->overwrite;
        if (taken)
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                        "%s exists already: choose another folder with -o, or --overwrite", folder);
        g_free(folder);
        if (taken)
            return false;
    }
    return true;
}

/* A lab that was killed could not tidy up. Its work folder is called run-PID-…. */
static void remove_stale_work(const char *cache)
{
    GDir *dir = g_dir_open(cache, 0, NULL);
    const char *name;
    int pid;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        if (sscanf(name, "run-%d-", &pid) != 1 || pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        char *path = g_build_filename(cache, name, NULL);
        xt_files_remove(path, NULL);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
}

static bool open_lab(struct lab *lab, GError **error)
{
    unsigned cores = g_get_num_processors(), threads = lab->options->real_time ? lab->scenario->pcpus : 1;
    char *qemu = g_find_program_in_path(QEMU), *pattern;

    g_free(qemu);
    if (!qemu) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    QEMU " is not installed: apt-get install qemu-system-x86");
        return false;
    }
    if (!xt_lab_is_built()) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "the lab is not built yet: run `xentrail lab build` (about three minutes, once)");
        return false;
    }
    lab->jobs = lab->options->jobs ? lab->options->jobs : MAX(cores / threads, 1);
    remove_stale_work(lab->cache);
    pattern = g_strdup_printf("%s/run-%d-XXXXXX", lab->cache, (int)getpid());
    if (g_mkdir_with_parents(lab->options->folder, 0777) == 0 && g_mkdtemp(pattern))
        lab->work = pattern;
    else
        g_free(pattern);
    if (!lab->work)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot make %s or a folder in %s: %s",
                    lab->options->folder, lab->cache, g_strerror(errno));
    return lab->work != NULL;
}

bool xt_lab_run(const struct xt_scenario *scenario, const struct xt_lab_run_options *options, GError **error)
{
    struct lab lab = { .scenario = scenario, .options = options };
    guint signals[2];

    lab.cache = xt_lab_cache();
    lab.machines = g_ptr_array_new_with_free_func(free_machine);
    if (open_lab(&lab, &lab.error) && add_machines(&lab, &lab.error)) {
        lab.loop = g_main_loop_new(NULL, FALSE);
        signals[0] = g_unix_signal_add(SIGINT, interrupted, &lab);
        signals[1] = g_unix_signal_add(SIGTERM, interrupted, &lab);
        g_idle_add(begin, &lab);
        g_main_loop_run(lab.loop);
        g_source_remove(signals[0]);
        g_source_remove(signals[1]);
        g_main_loop_unref(lab.loop);
    }
    if (lab.work)
        xt_files_remove(lab.work, NULL);
    g_ptr_array_unref(lab.machines);
    g_free(lab.work);
    g_free(lab.cache);
    if (!lab.error)
        return true;
    g_propagate_error(error, lab.error);
    return false;
}
