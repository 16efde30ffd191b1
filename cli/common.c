#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parse/error.h"

#define PROGRESS_MIN_BYTES (64u << 20) /* smaller traces are read before anyone could look */

static volatile int interrupted;

static void on_signal(int signal)
{
    interrupted = signal;
}

const volatile int *xt_catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return &interrupted;
}

static void complain(const char *command, const char *message)
{
    char *printable = xt_printable(message);

    fprintf(stderr, "xentrail %s: %s\n", command, printable);
    g_free(printable);
}

int xt_fail(const char *command, GError *error)
{
    int status = XT_EXIT_SYSTEM;

    if (error->domain == XT_ERROR)
        status = error->code;
    else if (error->domain == G_OPTION_ERROR)
        status = XT_EXIT_USAGE;
    complain(command, error->message);
    if (status == XT_EXIT_USAGE)
        fprintf(stderr, "Try 'xentrail %s --help'.\n", command);
    g_error_free(error);
    return status;
}

int xt_fail_usage(const char *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    GError *error = g_error_new_valist(XT_ERROR, XT_ERROR_USAGE, format, args);
    va_end(args);
    return xt_fail(command, error);
}

int xt_parse_options(int *argc, char ***argv, const GOptionEntry *entries, const char *usage, const char *about)
{
    GError *error = NULL;
    GOptionContext *context = g_option_context_new(usage);
    const char *command = (*argv)[0];
    char *program = g_strdup_printf("xentrail %s", command);
    gboolean help = FALSE;
    const GOptionEntry help_entry[] = { { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL }, { 0 } };
    int status = -1;

    g_set_prgname(program);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_summary(context, about);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, help_entry, NULL);
    if (!g_option_context_parse(context, argc, argv, &error)) {
        status = xt_fail(command, error);
    } else if (help) {
        char *text = g_option_context_get_help(context, TRUE, NULL);
        fputs(text, stdout);
        g_free(text);
        status = XT_EXIT_OK;
    } else if (*argc > 1 && !strcmp((*argv)[1], "--")) {
        memmove(&(*argv)[1], &(*argv)[2], sizeof(char *) * (size_t)(*argc - 1));
        (*argc)--;
    }
    g_option_context_free(context);
    g_free(program);
    return status;
}

enum xt_format xt_format_of(const struct xt_format_options *options)
{
    return options->json ? XT_FORMAT_JSON : options->csv ? XT_FORMAT_CSV : XT_FORMAT_TABLE;
}

static void on_note(void *user, const char *message)
{
    complain(((struct xt_input *)user)->command, message);
}

static void on_progress(void *user, uint64_t done, uint64_t total)
{
    if (total < PROGRESS_MIN_BYTES || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\rsurvey %3.0f %%%s", 100.0 * (double)done / (double)total, done < total ? "" : "\r\033[K");
}

static bool parse_hz(const char *text, int64_t *hz, GError **error)
{
    char *end;
    double value = g_ascii_strtod(text, &end);

    if (end == text || *end || !(value >= 1e3 && value <= 1e12)) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                    "--tsc-hz %s: expects a frequency in Hz from 1e3 to 1e12, e.g. 2596148000 or 2.596148e9", text);
        return false;
    }
    *hz = (int64_t)value;
    return true;
}

bool xt_input_prepare(struct xt_input *input, const char *command, const char *path,
                      const struct xt_input_options *options, GError **error)
{
    memset(input, 0, sizeof(*input));
    input->command = command;
    input->options.tolerance_ns = XT_DEFAULT_TOLERANCE_NS;
    if (options->tsc_hz && !parse_hz(options->tsc_hz, &input->options.tsc_hz, error))
        return false;
    if (options->tolerance && !xt_parse_time_ns(options->tolerance, &input->options.tolerance_ns, error)) {
        g_prefix_error(error, "--tolerance: ");
        return false;
    }
    input->recording = xt_recording_open(path, error);
    if (!input->recording)
        return false;
    for (guint i = 0; i < input->recording->notes->len; i++)
        complain(command, g_ptr_array_index(input->recording->notes, i));
    for (char **r = options->reservations; r && *r; r++) {
        if (!xt_recording_set_reservation(input->recording, *r, error)) {
            xt_input_close(input);
            return false;
        }
    }
    return true;
}

bool xt_input_open(struct xt_input *input, const char *command, const char *path,
                   const struct xt_input_options *options, GError **error)
{
    if (!xt_input_prepare(input, command, path, options, error))
        return false;
    struct xt_trace_options trace_options = {
        .salvage = options->salvage,
        .note = on_note,
        .progress = on_progress,
        .user = input,
    };
    input->trace = xt_trace_open(input->recording->trace_path, &trace_options, error);
    if (!input->trace) {
        xt_input_close(input);
        return false;
    }
    return true;
}

void xt_input_close(struct xt_input *input)
{
    g_clear_pointer(&input->trace, xt_trace_free);
    g_clear_pointer(&input->recording, xt_recording_free);
}
