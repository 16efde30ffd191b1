#include "collect/capture.h"

#include "parse/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    START_TIMEOUT_S = 30,
    STOP_TIMEOUT_S = 20,
    COMMAND_STOP_TIMEOUT_S = 5,
    SILENCE_S = 20, /* a line that says nothing for so long is cut; ssh on this side gives up a little earlier */
    MAX_COMPLAINT = 2000,
    PIPE_BYTES = 1 << 20
};

/* Runs beside xentrace on the host, and holds four promises. xentrace ends when standard input does: that is
 * the collector's lifeline, and it breaks when the collector is killed or the connection closes. A connection can also fall
 * silent without an end (a cable, a laptop's lid): over ssh the collector says a dot every second, and xentrace ends if none
 * comes for $1 seconds. The terminal's signals do not reach it first. And if xentrace did not end well (it was killed, or its
 * reader vanished in the middle of a write, which it answers by leaving at once), a second one turns tracing off. */
static const char guard_script[] =
    "trap '' PIPE INT HUP TERM\n"
    "exec 3<&0 4>&1\n"
    "silence=$1\n"
    "shift\n"
    "lifeline() {\n"
    "    if [ $silence -gt 0 ] && command -v timeout > /dev/null; then\n"
    "        while [ \"$(timeout $silence head -c 1)\" = . ]; do :; done\n"
    "    else\n"
    "        cat > /dev/null\n"
    "    fi\n"
    "}\n"
    "guard() {\n"
    "    \"$@\" < /dev/null 3<&- 4>&- 5>&- &\n"
    "    pid=$!\n"
    "    { lifeline <&3; kill -TERM $pid; } > /dev/null 2>&1 4>&- 5>&- &\n"
    "    watch=$!\n"
    "    wait $pid\n"
    "    status=$?\n"
    "    if [ $status -ne 0 ] && [ $status -ne 126 ] && [ $status -ne 127 ]; then\n"
    "        xentrace -X -T 1 /dev/null > /dev/null 2>&1 < /dev/null 5>&-\n"
    "    fi\n"
    "    kill -KILL $watch 2> /dev/null\n"
    "    return $status\n"
    "}\n"
    /* xentrace opens its output by name, which works for a pipe, but not for the socket that sshd may give.
     */
    "if [ -p /proc/self/fd/1 ]; then\n"
    "    guard \"$@\"\n"
    "    exit $?\n"
    "fi\n"
    "status=$({ { guard \"$@\"; echo $? >&5; } | cat >&4; } 5>&1)\n"
    "exit $status\n";

static const struct {
    const char *name;
    uint32_t mask;
} event_classes[] = {
    { "sched", 0x0002f000 },  { "irq", 0x00802000 }, { "pm", 0x00801000 },    { "gen", 0x0001f000 },
    { "domctl", 0x0004f000 }, { "hvm", 0x0008f000 }, { "mem", 0x0010f000 },   { "pv", 0x0020f000 },
    { "shadow", 0x0040f000 }, { "hw", 0x0080f000 },  { "guest", 0x0800f000 }, { "all", 0x0ffff000 },
};

static bool mask_of_name(const char *name, uint32_t *mask)
{
    char *end;
    for (size_t i = 0; i < G_N_ELEMENTS(event_classes); i++) {
        if (strcmp(name, event_classes[i].name) == 0) {
            *mask = event_classes[i].mask;
            return true;
        }
    }
    errno = 0;
    guint64 number = strtoull(name, &end, 0);
    *mask = (uint32_t)number;
    return g_ascii_isdigit(*name) && !*end && !errno && number > 0 && number <= UINT32_MAX;
}

bool xt_event_mask_parse(const char *text, uint32_t *mask, GError **error)
{
    char **names = g_strsplit(text, "+", -1);
    bool good = names[0] != NULL;
    uint32_t one;

    *mask = 0;
    for (int i = 0; good && names[i]; i++) {
        good = mask_of_name(names[i], &one);
        *mask |= good ? one : 0;
    }
    g_strfreev(names);
    if (good)
        return true;
    GString *list = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(event_classes); i++)
        g_string_append_printf(list, "%s%s", i ? ", " : "", event_classes[i].name);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                "\"%s\" names no events: join %s by +, or give a mask such as 0x2f000", text, list->str);
    g_string_free(list, TRUE);
    return false;
}

struct running {
    const struct xt_capture *capture;
    struct xt_capture_result *result;
    GMainLoop *loop;
    GSubprocess *guard, *command;
    int trace_fd, complaint_fd;
    GPtrArray *sources;                  /* of GSource *, all that hang on the loop */
    GString *complaint;                  /* what xentrace and ssh said */
    gint64 started_us, last_us, stop_us; /* monotonic; started: the first piece, last: the latest */
    bool stopping, guard_ended, trace_ended;
    GError *error; /* the first one */
    guchar *buffer;
};

static GSource *attach(struct running *r, GSource *source, GSourceFunc function)
{
    g_source_set_callback(source, function, r, NULL);
    g_source_attach(source, NULL);
    g_ptr_array_add(r->sources, source);
    return source;
}

static void leave_if_done(struct running *r)
{
    if (r->guard_ended && r->trace_ended)
        g_main_loop_quit(r->loop);
}

static gboolean stop_took_too_long(gpointer data)
{
    struct running *r = data;
    if (!r->error)
        r->error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM,
                               "xentrace on %s did not stop within %d s: tracing may still be on; run "
                               "`xentrace -X -T 1 /dev/null` there",
                               xt_host_name(r->capture->host), STOP_TIMEOUT_S);
    r->result->end = XT_CAPTURE_BROKEN;
    g_subprocess_force_exit(r->guard);
    g_main_loop_quit(r->loop);
    return G_SOURCE_REMOVE;
}

static void let_go(struct running *r)
{
    g_output_stream_close(g_subprocess_get_stdin_pipe(r->guard), NULL, NULL);
}

/* A signal in the middle of a write makes xentrace leave at once, and what was not written yet is lost. It
 * writes in bursts and sleeps between them: the lifeline is let go in such a pause. */
static gboolean let_go_in_a_pause(gpointer data)
{
    const gint64 pause_us = 5000, patience_us = 1000000;
    struct running *r = data;
    gint64 now_us = g_get_monotonic_time();

    if (!r->error && now_us - r->last_us < pause_us && now_us - r->stop_us < patience_us)
        return G_SOURCE_CONTINUE;
    let_go(r);
    return G_SOURCE_REMOVE;
}

/* The loop goes on until xentrace has written its last and is gone. */
static void stop(struct running *r, enum xt_capture_end why)
{
    if (r->stopping)
        return;
    r->stopping = true;
    r->stop_us = g_get_monotonic_time();
    r->result->end = why;
    attach(r, g_timeout_source_new(1), let_go_in_a_pause);
    attach(r, g_timeout_source_new_seconds(STOP_TIMEOUT_S), stop_took_too_long);
}

static void break_off(struct running *r, GError *error)
{
    if (r->error)
        g_error_free(error);
    else
        r->error = error;
    if (r->stopping)
        r->result->end = XT_CAPTURE_BROKEN;
    else
        stop(r, XT_CAPTURE_BROKEN);
}

static void command_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct running *r = data;
    GSubprocess *command = G_SUBPROCESS(source);
    if (!g_subprocess_wait_finish(command, result, NULL))
        return;
    r->result->command_status = g_subprocess_get_if_exited(command)
                                    ? g_subprocess_get_exit_status(command)
                                    : 128 + g_subprocess_get_term_sig(command);
    stop(r, XT_CAPTURE_COMMAND);
}

static void start_command(struct running *r)
{
    GError *failure = NULL;
    r->command = g_subprocess_newv((const char *const *)r->capture->command, G_SUBPROCESS_FLAGS_STDIN_INHERIT,
                                   &failure);
    if (!r->command) {
        break_off(r, g_error_new(XT_ERROR, XT_ERROR_SYSTEM, "cannot run %s: %s", r->capture->command[0],
                                 failure->message));
        g_error_free(failure);
        return;
    }
    g_subprocess_wait_async(r->command, NULL, command_ended, r);
}

static gboolean time_is_over(gpointer data)
{
    stop(data, XT_CAPTURE_TIME);
    return G_SOURCE_REMOVE;
}

static gboolean no_data_yet(gpointer data)
{
    struct running *r = data;
    if (!r->started_us && !r->stopping)
        break_off(
            r,
            g_error_new(
                XT_ERROR, XT_ERROR_SYSTEM,
                "xentrace on %s runs, but wrote nothing within %d s: no event of the chosen kinds happened",
                xt_host_name(r->capture->host), START_TIMEOUT_S));
    return G_SOURCE_REMOVE;
}

/* The first piece proves that tracing is on: time counts from there, and the command starts. */
static void first_piece(struct running *r)
{
    r->started_us = g_get_monotonic_time();
    if (r->capture->duration_s > 0)
        attach(r, g_timeout_source_new((guint)(r->capture->duration_s * 1000 + 0.5)), time_is_over);
    if (r->capture->command && !r->stopping)
        start_command(r);
}

/* Every trace begins with a CPU-change record. What begins otherwise is xentrace's help text, which it prints
 * where a trace belongs if it does not know an option. */
static bool is_trace(const guchar *data, size_t bytes)
{
    const uint32_t cpu_change = 0x0001f003, event_bits = 0x0fffffff;
    uint32_t word;
    if (bytes < sizeof word)
        return false;
    memcpy(&word, data, sizeof word);
    return (GUINT32_FROM_LE(word) & event_bits) == cpu_change;
}

static void refuse(struct running *r, size_t bytes)
{
    if (r->complaint->len == 0)
        g_string_append_len(r->complaint, (const char *)r->buffer, (gssize)MIN(bytes, 200));
    stop(r, XT_CAPTURE_BROKEN);
}

static void take_piece(struct running *r, size_t bytes)
{
    const struct xt_capture *c = r->capture;
    GError *failure = NULL;

    if (!r->started_us && !is_trace(r->buffer, bytes)) {
        refuse(r, bytes);
        return;
    }
    if (!r->started_us)
        first_piece(r);
    r->last_us = g_get_monotonic_time();
    r->result->bytes += bytes;
    if (r->error)
        return; /* the consumer has failed: only drain */
    if (!c->data(c->user, r->buffer, bytes, &failure))
        break_off(r, failure);
    else if (c->max_bytes && r->result->bytes >= c->max_bytes)
        stop(r, XT_CAPTURE_SIZE);
}

static gboolean trace_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct running *r = data;
    ssize_t n = read(fd, r->buffer, PIPE_BYTES);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n > 0) {
        take_piece(r, (size_t)n);
        return G_SOURCE_CONTINUE;
    }
    r->trace_ended = true;
    leave_if_done(r);
    return G_SOURCE_REMOVE;
}

static gboolean complaint_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct running *r = data;
    char text[512];
    ssize_t n;

    while ((n = read(fd, text, sizeof text)) > 0)
        if (r->complaint->len < MAX_COMPLAINT)
            g_string_append_len(r->complaint, text, n);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Nothing is lost if it does not go through: the far side then does what it is there for. */
static void say_dot(struct running *r)
{
    GOutputStream *lifeline = g_subprocess_get_stdin_pipe(r->guard);
    if (xt_host_is_remote(r->capture->host) && !r->guard_ended && !g_output_stream_is_closed(lifeline))
        g_pollable_output_stream_write_nonblocking(G_POLLABLE_OUTPUT_STREAM(lifeline), ".", 1, NULL, NULL);
}

static gboolean every_second(gpointer data)
{
    struct running *r = data;
    GError *failure = NULL;
    double elapsed_s = r->started_us ? (double)(g_get_monotonic_time() - r->started_us) / 1e6 : 0;

    say_dot(r);
    if (r->capture->tick && !r->error && !r->capture->tick(r->capture->user, elapsed_s, &failure))
        break_off(r, failure);
    return G_SOURCE_CONTINUE;
}

static gboolean signalled(gpointer data)
{
    stop(data, XT_CAPTURE_SIGNAL);
    return G_SOURCE_CONTINUE;
}

/* xentrace ends by itself only where something is wrong, or at the limit given to it as a second net. */
static void guard_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct running *r = data;
    r->guard_ended = g_subprocess_wait_finish(r->guard, result, NULL);
    if (r->guard_ended)
        leave_if_done(r);
}

/* A collector that was suspended over its time finds that xentrace's own limit, the second net, has ended it. */
static bool is_over(const struct running *r)
{
    const double duration_s = r->capture->duration_s;
    return duration_s > 0 && (double)(r->last_us - r->started_us) / 1e6 >= duration_s;
}

static void judge_guard(struct running *r)
{
    enum { SSH_FAILED = 255 };
    const char *host = xt_host_name(r->capture->host),
               *said = g_strdelimit(g_strstrip(r->complaint->str), "\n\r", ' ');
    int status = !r->guard_ended                        ? -1
                 : g_subprocess_get_if_exited(r->guard) ? g_subprocess_get_exit_status(r->guard)
                                                        : 128 + g_subprocess_get_term_sig(r->guard);

    if (r->error)
        return;
    if (status == 0 && r->started_us) {
        if (!r->stopping && is_over(r))
            r->result->end = XT_CAPTURE_TIME;
        if (r->stopping || is_over(r))
            return;
    }
    r->result->end = XT_CAPTURE_BROKEN;
    if (xt_host_is_remote(r->capture->host) && status == SSH_FAILED)
        r->error = g_error_new(
            XT_ERROR, XT_ERROR_SYSTEM,
            "the connection to %s broke: %s (over there xentrace ends with it, and tracing is turned off)",
            host, *said ? said : "no reason given");
    else if (!r->started_us)
        r->error = g_error_new(XT_ERROR, XT_ERROR_INPUT, "xentrace on %s could not start (status %d): %s",
                               host, status, *said ? said : "it said nothing");
    else
        r->error = g_error_new(XT_ERROR, XT_ERROR_SYSTEM, "xentrace on %s ended too early (status %d): %s", host, status,
                               *said    ? said
                               : status ? "it said nothing; was it killed?"
                                        : "it was told to end, or heard nothing from here for too long");
}

char **xt_capture_command(const struct xt_capture *c)
{
    enum { SECOND_NET_S = 10 };
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    char **command;

    g_ptr_array_add(words, g_strdup("sh"));
    g_ptr_array_add(words, g_strdup("-c"));
    g_ptr_array_add(words, g_strdup(guard_script));
    g_ptr_array_add(words, g_strdup("xentrail-guard"));
    g_ptr_array_add(words, g_strdup_printf("%d", xt_host_is_remote(c->host) ? SILENCE_S : 0));
    g_ptr_array_add(words, g_strdup("xentrace"));
    g_ptr_array_add(words, g_strdup("-D"));
    g_ptr_array_add(words, g_strdup("-e"));
    g_ptr_array_add(words, g_strdup_printf("0x%08x", c->event_mask));
    g_ptr_array_add(words, g_strdup("-S"));
    g_ptr_array_add(words, g_strdup_printf("%u", c->buffer_pages));
    g_ptr_array_add(words, g_strdup("-s"));
    g_ptr_array_add(words, g_strdup_printf("%u", c->poll_ms));
    if (c->duration_s > 0) {
        g_ptr_array_add(words, g_strdup("-T"));
        g_ptr_array_add(words, g_strdup_printf("%u", (unsigned)c->duration_s + SECOND_NET_S));
    }
    g_ptr_array_add(words, g_strdup("/proc/self/fd/1"));
    g_ptr_array_add(words, NULL);
    command = xt_host_command(c->host, (const char *const *)words->pdata);
    g_ptr_array_unref(words);
    return command;
}

/* Away from the terminal's process group: Ctrl-C is for the collector alone, which then ends everything in
 * order. */
static void own_session(gpointer unused)
{
    setsid();
}

static bool start_guard(struct running *r, GError **error)
{
    GSubprocessLauncher *launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    char **words = xt_capture_command(r->capture);
    GError *failure = NULL;

    g_subprocess_launcher_set_child_setup(launcher, own_session, NULL, NULL);
    r->guard = g_subprocess_launcher_spawnv(launcher, (const char *const *)words, &failure);
    g_strfreev(words);
    g_object_unref(launcher);
    if (!r->guard) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot start xentrace: %s", failure->message);
        g_error_free(failure);
        return false;
    }
    r->trace_fd = g_unix_input_stream_get_fd(G_UNIX_INPUT_STREAM(g_subprocess_get_stdout_pipe(r->guard)));
    r->complaint_fd = g_unix_input_stream_get_fd(G_UNIX_INPUT_STREAM(g_subprocess_get_stderr_pipe(r->guard)));
    g_unix_set_fd_nonblocking(r->trace_fd, TRUE, NULL);
    g_unix_set_fd_nonblocking(r->complaint_fd, TRUE, NULL);
    fcntl(r->trace_fd, F_SETPIPE_SZ, PIPE_BYTES); /* xentrace stands still while the pipe is full */
    g_subprocess_wait_async(r->guard, NULL, guard_ended, r);
    return true;
}

/* A command that outlives the capture (the time was over first) is ended. */
static void end_command(struct running *r)
{
    if (!r->command)
        return;
    if (r->result->command_status < 0) {
        g_subprocess_send_signal(r->command, SIGTERM);
        for (int tenths = 0; r->result->command_status < 0 && tenths < 10 * COMMAND_STOP_TIMEOUT_S;
             tenths++) {
            g_main_context_iteration(NULL, FALSE);
            g_usleep(100000);
        }
        if (r->result->command_status < 0)
            g_subprocess_force_exit(r->command);
    }
    while (r->result->command_status < 0)
        g_main_context_iteration(NULL, TRUE);
    g_object_unref(r->command);
}

static void drop_source(gpointer source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

bool xt_capture_run(const struct xt_capture *capture, struct xt_capture_result *result, GError **error)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction before;
    struct running r = { .capture = capture, .result = result };

    *result = (struct xt_capture_result){ .end = XT_CAPTURE_BROKEN, .command_status = -1 };
    if (!start_guard(&r, error))
        return false;
    r.sources = g_ptr_array_new_with_free_func(drop_source);
    r.complaint = g_string_new(NULL);
    r.buffer = g_malloc(PIPE_BYTES);
    r.loop = g_main_loop_new(NULL, FALSE);
    sigaction(SIGPIPE, &ignore, &before); /* the lifeline can break while a dot is said */
    attach(&r, g_unix_fd_source_new(r.trace_fd, G_IO_IN | G_IO_HUP | G_IO_ERR),
           (GSourceFunc)(void (*)(void))trace_readable);
    attach(&r, g_unix_fd_source_new(r.complaint_fd, G_IO_IN | G_IO_HUP | G_IO_ERR),
           (GSourceFunc)(void (*)(void))complaint_readable);
    attach(&r, g_timeout_source_new_seconds(1), every_second);
    attach(&r, g_timeout_source_new_seconds(START_TIMEOUT_S), no_data_yet);
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        attach(&r, g_unix_signal_source_new(signals[i]), signalled);

    g_main_loop_run(r.loop);
    end_command(&r);
    complaint_readable(r.complaint_fd, G_IO_IN, &r);
    judge_guard(&r);
    sigaction(SIGPIPE, &before, NULL);
    if (r.started_us)
        result->elapsed_s = (double)(r.last_us - r.started_us) / 1e6;

    g_ptr_array_unref(r.sources);
    g_main_loop_unref(r.loop);
    g_object_unref(r.guard);
    g_string_free(r.complaint, TRUE);
    g_free(r.buffer);
    if (!r.error)
        return true;
    g_propagate_error(error, r.error);
    return false;
}
