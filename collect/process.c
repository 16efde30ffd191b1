#include "collect/process.h"

#include "parse/error.h"

#include <sys/wait.h>

struct waiting {
    GMainLoop *loop;
    GSubprocess *process;
    GBytes *out, *err;
    GError *error;
    bool timed_out;
};

static void ended(GObject *source, GAsyncResult *result, gpointer data)
{
    struct waiting *w = data;
    g_subprocess_communicate_finish(G_SUBPROCESS(source), result, &w->out, &w->err, &w->error);
    g_main_loop_quit(w->loop);
}

static gboolean out_of_time(gpointer data)
{
    struct waiting *w = data;
    w->timed_out = true;
    g_subprocess_force_exit(w->process);
    return G_SOURCE_REMOVE;
}

static char *text_of(GBytes *bytes, gsize *size)
{
    gsize n;
    const void *data = g_bytes_get_data(bytes, &n);
    char *text = g_malloc(n + 1);
    if (n)
        memcpy(text, data, n);
    text[n] = 0;
    if (size)
        *size = n;
    return text;
}

static int exit_status(GSubprocess *process)
{
    if (g_subprocess_get_if_exited(process))
        return g_subprocess_get_exit_status(process);
    return 128 + g_subprocess_get_term_sig(process);
}

void xt_output_clear(struct xt_output *output)
{
    g_clear_pointer(&output->out, g_free);
    g_clear_pointer(&output->err, g_free);
}

bool xt_process_run(const char *const *argv, unsigned timeout_s, struct xt_output *output, GError **error)
{
    struct waiting w = { 0 };
    GError *failure = NULL;
    GSource *timeout;
    GMainContext *context;

    *output = (struct xt_output){ 0 };
    w.process =
        g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &failure);
    if (!w.process) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot run %s: %s", argv[0], failure->message);
        g_error_free(failure);
        return false;
    }
    /* A context of its own: the caller's loop must not turn meanwhile. */
    context = g_main_context_new();
    g_main_context_push_thread_default(context);
    w.loop = g_main_loop_new(context, FALSE);
    timeout = g_timeout_source_new_seconds(timeout_s);
    g_source_set_callback(timeout, out_of_time, &w, NULL);
    g_source_attach(timeout, context);
    g_subprocess_communicate_async(w.process, NULL, NULL, ended, &w);
    g_main_loop_run(w.loop);
    g_source_destroy(timeout);
    g_source_unref(timeout);
    g_main_loop_unref(w.loop);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);

    output->timed_out = w.timed_out;
    if (w.error) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s", argv[0], w.error->message);
        g_error_free(w.error);
    } else {
        output->out = text_of(w.out, &output->out_bytes);
        output->err = text_of(w.err, NULL);
        output->status = exit_status(w.process);
    }
    g_clear_pointer(&w.out, g_bytes_unref);
    g_clear_pointer(&w.err, g_bytes_unref);
    g_object_unref(w.process);
    return output->out != NULL;
}
