/* xentrail dump: every record of a trace in time order, one line each. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "parse/clock.h"
#include "parse/error.h"
#include "parse/survey.h"

#define BUFFER_BYTES (128u << 10)
#define PIPE_BYTES (1 << 20) /* so that reader and writer of a pipe seldom wait for each other */
#define MAX_LINE_BYTES 1024u

struct selection {
    int64_t from_ns, to_ns; /* -1: open */
    GArray *pcpus;          /* of uint32_t; empty: all */
    GArray *vcpus;          /* of uint32_t, domain << 16 | vcpu, vcpu ANY_VCPU: the whole domain; empty: all */
    GPtrArray *patterns;    /* of GPatternSpec; empty: all */
    bool *layouts;          /* by layout number: wanted by the patterns */
};
#define ANY_VCPU 0xffffu

struct dump {
    struct xt_trace *trace;
    const struct xt_survey *survey;
    const struct xt_layout_index *layouts;
    struct selection selection;
    struct xt_clock clock;
    bool have_hz, json, raw;
    uint64_t last_tsc; /* where --to ends */
    char *buffer;
    size_t n;
    int error; /* errno of a failed write */
};

static void flush(struct dump *d)
{
    for (size_t done = 0; done < d->n && !d->error;) {
        ssize_t put = write(STDOUT_FILENO, d->buffer + done, d->n - done);
        if (put < 0 && errno != EINTR)
            d->error = errno;
        else if (put > 0)
            done += (size_t)put;
    }
    d->n = 0;
}

static void put_char(struct dump *d, char c)
{
    d->buffer[d->n++] = c;
}

static void put_text(struct dump *d, const char *text)
{
    size_t n = strlen(text);

    memcpy(d->buffer + d->n, text, n);
    d->n += n;
}

/* The digits of value, ending before end; returns where they begin. */
static char *digits_before(char *end, uint64_t value)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";

    for (; value >= 100; value /= 100)
        memcpy(end -= 2, pairs + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(end -= 2, pairs + 2 * value, 2);
    else
        *--end = (char)('0' + value);
    return end;
}

static void put_unsigned(struct dump *d, uint64_t value)
{
    char digits[20], *end = digits + sizeof(digits), *begin = digits_before(end, value);

    memcpy(d->buffer + d->n, begin, (size_t)(end - begin));
    d->n += (size_t)(end - begin);
}

static void put_signed(struct dump *d, int64_t value)
{
    if (value < 0)
        put_char(d, '-');
    put_unsigned(d, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void put_hex(struct dump *d, uint64_t value)
{
    char digits[16];
    unsigned n = 0;

    put_text(d, "0x");
    do
        digits[n++] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    while (n)
        d->buffer[d->n++] = digits[--n];
}

static void put_padded(struct dump *d, uint64_t value, unsigned width, char pad)
{
    char digits[20], *end = digits + sizeof(digits), *begin = digits_before(end, value);

    while (end - begin < width)
        *--begin = pad;
    memcpy(d->buffer + d->n, begin, (size_t)(end - begin));
    d->n += (size_t)(end - begin);
}

static void put_seconds(struct dump *d, int64_t ns)
{
    put_padded(d, (uint64_t)ns / 1000000000u, 4, ' ');
    put_char(d, '.');
    put_padded(d, (uint64_t)ns % 1000000000u, 9, '0');
}

static void put_vcpu(struct dump *d, int64_t domid, int64_t vcpu)
{
    put_char(d, 'd');
    put_signed(d, domid);
    put_char(d, 'v');
    put_signed(d, vcpu);
}

/* Two fields that are full words, domain and VCPU, are shown as one. */
static bool is_pair(const struct xt_layout *layout, unsigned f, unsigned n_words)
{
    const struct xt_field *field = &layout->fields[f];

    return (field->slot == XT_SLOT_DOMID || field->slot == XT_SLOT_NEXT_DOMID) &&
           (field->type == XT_FIELD_UINT || field->type == XT_FIELD_SINT) && f + 1 < layout->n_fields &&
           field[1].slot == field->slot + 1 && field[1].word < n_words;
}

static bool is_present(const struct xt_field *field, unsigned n_words)
{
    bool wide = field->type == XT_FIELD_U64 || field->type == XT_FIELD_X64;

    return field->type == XT_FIELD_STATE || field->word + (wide ? 2u : 1u) <= n_words;
}

static void put_name(struct dump *d, const char *name, bool *first)
{
    if (d->json) {
        if (!*first)
            put_char(d, ',');
        put_char(d, '"');
        put_text(d, name);
        put_text(d, "\":");
    } else {
        put_char(d, ' ');
        if (name[0] != 'v' || strcmp(name, "vcpu")) {
            put_text(d, name);
            put_char(d, '=');
        }
    }
    *first = false;
}

static void put_field(struct dump *d, const struct xt_layout *layout, unsigned f, const struct xt_record *record,
                      bool *first)
{
    const struct xt_field *field = &layout->fields[f];
    int64_t value = xt_field_value(field, record, d->survey->vd);

    put_name(d, field->name, first);
    switch ((enum xt_field_type)field->type) {
    case XT_FIELD_VCPU:
    case XT_FIELD_DV:
    case XT_FIELD_VD:
        if (d->json)
            put_char(d, '"');
        put_vcpu(d, value >> 16 & 0xffff, value & 0xffff);
        if (d->json)
            put_char(d, '"');
        break;
    case XT_FIELD_HEX:
    case XT_FIELD_X64:
        d->json ? put_unsigned(d, (uint64_t)value) : put_hex(d, (uint64_t)value);
        break;
    case XT_FIELD_STATE:
        if (d->json)
            put_char(d, '"');
        put_text(d, xt_state_name((enum xt_state)value));
        if (d->json)
            put_char(d, '"');
        break;
    case XT_FIELD_U64:
        put_unsigned(d, (uint64_t)value);
        break;
    case XT_FIELD_UINT:
    case XT_FIELD_SINT:
        put_signed(d, value);
        break;
    }
    if (!d->json && field->unit && field->unit[0] == 'n' && !strcmp(field->unit, "ns"))
        put_text(d, "ns");
}

static void put_pair(struct dump *d, const struct xt_layout *layout, unsigned f, const struct xt_record *record,
                     bool *first)
{
    const struct xt_field *field = &layout->fields[f];

    put_name(d, field->slot == XT_SLOT_DOMID ? "vcpu" : "next_vcpu", first);
    if (d->json)
        put_char(d, '"');
    put_vcpu(d, xt_field_value(field, record, false), xt_field_value(field + 1, record, false));
    if (d->json)
        put_char(d, '"');
}

static void put_words(struct dump *d, const struct xt_record *record, bool *first)
{
    put_name(d, "words", first);
    put_char(d, '[');
    for (unsigned i = 0; i < record->n_words; i++) {
        if (i)
            put_char(d, d->json ? ',' : ' ');
        d->json ? put_unsigned(d, record->words[i]) : put_hex(d, record->words[i]);
    }
    put_char(d, ']');
}

static void put_fields(struct dump *d, const struct xt_layout *layout, const struct xt_record *record)
{
    bool first = true;

    for (unsigned f = 0; layout && f < layout->n_fields; f++) {
        if (!is_present(&layout->fields[f], record->n_words))
            continue;
        if (is_pair(layout, f, record->n_words))
            put_pair(d, layout, f++, record, &first);
        else
            put_field(d, layout, f, record, &first);
    }
    /* the payload of wrap records is stale memory */
    if ((!layout || d->raw) && record->event != 0x1f002)
        put_words(d, record, &first);
}

/* The name of an event whose word count fits no layout, or of one that no table knows. Free with g_free. */
static char *odd_name(const struct dump *d, const struct xt_record *record, bool known)
{
    const struct xt_layout *row;

    for (unsigned i = 0; known && (row = xt_layout_nth(d->layouts, i)); i++)
        if (row->event == record->event)
            return g_strconcat("malformed:", row->name, NULL);
    return xt_event_unknown_name(record->event);
}

static void put_record(struct dump *d, const struct xt_record *record, const struct xt_layout *layout, const char *name)
{
    if (d->json) {
        put_text(d, "{\"ts\":");
        d->have_hz ? put_signed(d, xt_clock_ts(&d->clock, record->tsc)) : put_text(d, "null");
        put_text(d, ",\"tsc\":");
        record->has_tsc ? put_unsigned(d, record->tsc) : put_text(d, "null");
        put_text(d, ",\"pcpu\":");
        put_signed(d, record->pcpu);
        put_text(d, ",\"offset\":");
        put_unsigned(d, record->offset);
        put_text(d, ",\"id\":\"");
        put_hex(d, record->event);
        put_text(d, "\",\"event\":\"");
        put_text(d, name);
        put_text(d, "\",\"fields\":{");
        put_fields(d, layout, record);
        put_text(d, "}}\n");
        return;
    }
    if (d->have_hz)
        put_seconds(d, xt_clock_ts(&d->clock, record->tsc));
    else
        put_padded(d, record->tsc, 20, ' ');
    put_text(d, record->has_tsc ? " p" : "~p");
    put_signed(d, record->pcpu);
    put_char(d, ' ');
    if (d->raw) {
        put_padded(d, record->tsc, 16, ' ');
        put_text(d, " @");
        put_unsigned(d, record->offset);
        put_char(d, ' ');
        put_hex(d, record->event);
        put_char(d, ' ');
    }
    put_text(d, name);
    put_fields(d, layout, record);
    put_char(d, '\n');
}

static bool vcpu_wanted(const struct selection *s, int64_t domid, int64_t vcpu)
{
    for (guint i = 0; i < s->vcpus->len; i++) {
        uint32_t wanted = g_array_index(s->vcpus, uint32_t, i);
        if (domid == wanted >> 16 && ((wanted & 0xffff) == ANY_VCPU || vcpu < 0 || vcpu == (wanted & 0xffff)))
            return true;
    }
    return false;
}

static bool names_wanted_vcpu(const struct dump *d, const struct xt_record *record, const struct xt_layout *layout)
{
    int64_t slots[XT_N_SLOTS];

    if (!d->selection.vcpus->len)
        return true;
    if (!layout)
        return false;
    for (int i = 0; i < XT_N_SLOTS; i++)
        slots[i] = -1;
    xt_decode(layout, record, d->survey->vd, slots);
    return vcpu_wanted(&d->selection, slots[XT_SLOT_DOMID], slots[XT_SLOT_VCPU]) ||
           vcpu_wanted(&d->selection, slots[XT_SLOT_NEXT_DOMID], slots[XT_SLOT_NEXT_VCPU]);
}

static bool pcpu_wanted(const struct selection *s, int32_t pcpu)
{
    for (guint i = 0; i < s->pcpus->len; i++)
        if (g_array_index(s->pcpus, uint32_t, i) == (uint32_t)pcpu)
            return true;
    return s->pcpus->len == 0;
}

static bool name_wanted(const struct selection *s, const char *name)
{
    for (guint i = 0; i < s->patterns->len; i++)
        if (g_pattern_spec_match_string(g_ptr_array_index(s->patterns, i), name))
            return true;
    return s->patterns->len == 0;
}

static void dump_record(struct dump *d, const struct xt_record *record)
{
    bool known;
    const struct xt_layout *layout = xt_layout_find(d->layouts, record->event, record->n_words, &known);

    if (!pcpu_wanted(&d->selection, record->pcpu) || !names_wanted_vcpu(d, record, layout))
        return;
    if (layout && !d->selection.layouts[xt_layout_number(d->layouts, layout)])
        return;
    char *odd = layout ? NULL : odd_name(d, record, known);
    if (layout || name_wanted(&d->selection, odd))
        put_record(d, record, layout, layout ? layout->name : odd);
    g_free(odd);
}

static uint64_t tsc_of(const struct dump *d, int64_t ns)
{
    unsigned __int128 ticks = ((unsigned __int128)(uint64_t)ns * d->clock.hz + 999999999u) / 1000000000u;

    return ticks > UINT64_MAX - d->clock.start_tsc ? UINT64_MAX : d->clock.start_tsc + (uint64_t)ticks;
}

static bool dump_all(struct dump *d, GError **error)
{
    struct xt_record record;
    GError *read_error = NULL;
    unsigned n_layouts = 0;

    while (xt_layout_nth(d->layouts, n_layouts))
        n_layouts++;
    d->selection.layouts = g_new0(bool, n_layouts + 1);
    for (unsigned i = 0; i < n_layouts; i++)
        d->selection.layouts[i] = name_wanted(&d->selection, xt_layout_nth(d->layouts, i)->name);
    if (d->selection.from_ns >= 0 && !xt_trace_seek(d->trace, tsc_of(d, d->selection.from_ns), error))
        return false;
    d->last_tsc = d->selection.to_ns >= 0 ? tsc_of(d, d->selection.to_ns) : UINT64_MAX;
    while (!d->error && xt_trace_next(d->trace, &record, &read_error)) {
        if (record.tsc > d->last_tsc)
            break;
        dump_record(d, &record);
        if (d->n > BUFFER_BYTES - MAX_LINE_BYTES)
            flush(d);
    }
    flush(d);
    if (read_error) {
        g_propagate_error(error, read_error);
        return false;
    }
    if (d->error && d->error != EPIPE) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "cannot write: %s", g_strerror(d->error));
        return false;
    }
    return true;
}

/* d1v0, d1, 1.0 or "idle" */
static bool parse_vcpu(const char *text, GArray *vcpus)
{
    unsigned domid, vcpu = ANY_VCPU;
    int n = 0;

    if (!strcmp(text, "idle"))
        domid = XT_IDLE_DOMID;
    else if (sscanf(text, "d%5uv%5u%n", &domid, &vcpu, &n) == 2 && !text[n])
        ;
    else if (sscanf(text, "d%5u%n", &domid, &n) == 1 && !text[n])
        vcpu = ANY_VCPU;
    else
        return false;
    if (domid > 0xffff || vcpu > 0xffff)
        return false;
    uint32_t key = domid << 16 | vcpu;
    g_array_append_val(vcpus, key);
    return true;
}

/* An empty list holds one empty name, which is an error or matches nothing: it must not select everything. */
static char **split(const char *list)
{
    char *empty[] = { (char *)"", NULL };

    return list && !*list ? g_strdupv(empty) : g_strsplit(list ? list : "", ",", -1);
}

static bool parse_selection(struct dump *d, const char *from, const char *to, const char *pcpus, const char *vcpus,
                            const char *events, GError **error)
{
    struct selection *s = &d->selection;
    char **parts;
    bool ok = true;

    s->from_ns = s->to_ns = -1;
    if ((from || to) && !d->have_hz) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--from and --to need a TSC frequency: give it with --tsc-hz");
        return false;
    }
    if ((from && !xt_parse_time_ns(from, &s->from_ns, error)) || (to && !xt_parse_time_ns(to, &s->to_ns, error)))
        return false;
    parts = split(pcpus);
    for (char **p = parts; ok && *p && pcpus; p++) {
        guint64 value;
        ok = g_ascii_string_to_unsigned(*p, 10, 0, UINT32_MAX, &value, NULL);
        uint32_t pcpu = (uint32_t)value;
        if (ok)
            g_array_append_val(s->pcpus, pcpu);
        else
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--pcpu %s: expects pCPU numbers, e.g. 0,2", pcpus);
    }
    g_strfreev(parts);
    parts = split(vcpus);
    for (char **p = parts; ok && *p && vcpus; p++) {
        ok = parse_vcpu(*p, s->vcpus);
        if (!ok)
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--vcpu %s: expects VCPUs or domains, e.g. d1v0,d2,idle", vcpus);
    }
    g_strfreev(parts);
    parts = split(events);
    for (char **p = parts; *p && events; p++)
        g_ptr_array_add(s->patterns, g_pattern_spec_new(*p));
    g_strfreev(parts);
    return ok;
}

int xt_cmd_dump(int argc, char **argv)
{
    struct xt_input_options input_options = { 0 };
    char *from = NULL, *to = NULL, *pcpus = NULL, *vcpus = NULL, *events = NULL;
    gboolean json = FALSE, raw = FALSE;
    const GOptionEntry entries[] = {
        { "from", 0, 0, G_OPTION_ARG_STRING, &from, "Begin at this time after the first record, e.g. 1.5s", "TIME" },
        { "to", 0, 0, G_OPTION_ARG_STRING, &to, "End at this time", "TIME" },
        { "pcpu", 0, 0, G_OPTION_ARG_STRING, &pcpus, "Only records of these pCPUs, e.g. 0,2", "LIST" },
        { "vcpu", 0, 0, G_OPTION_ARG_STRING, &vcpus, "Only records that name these VCPUs, e.g. d1v0,d2,idle", "LIST" },
        { "event", 0, 0, G_OPTION_ARG_STRING, &events, "Only events whose name matches, e.g. rtds:*,switch", "GLOBS" },
        { "raw", 0, 0, G_OPTION_ARG_NONE, &raw, "Add TSC, offset, event id and words", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "One JSON object a line", NULL },
        XT_INPUT_ENTRIES(input_options),
        { 0 },
    };
    int status = xt_parse_options(&argc, &argv, entries, "RECORDING|TRACE",
                                  "Prints every record in time order: seconds since the first record (a ~ marks records "
                                  "without a time stamp of their own), pCPU, event, fields.");
    struct xt_input input = { 0 };
    GError *error = NULL;

    if (status < 0 && argc != 2)
        status = xt_fail_usage("dump", "expects one recording or trace, or - for standard input");
    if (status < 0 && !xt_input_open(&input, "dump", argv[1], &input_options, &error))
        status = xt_fail("dump", error);
    if (status < 0) {
        struct dump d = {
            .trace = input.trace,
            .survey = xt_trace_survey(input.trace),
            .layouts = xt_trace_layouts(input.trace),
            .json = json,
            .raw = raw,
            .buffer = g_malloc(BUFFER_BYTES),
            .selection = {
                .pcpus = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                .vcpus = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
                .patterns = g_ptr_array_new_with_free_func((GDestroyNotify)g_pattern_spec_free),
            },
        };
        struct xt_run run;
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES); /* where it is a pipe, and may be that large */
        d.have_hz = xt_run_init(&run, d.survey, input.recording, &input.options, argv[1], NULL);
        if (d.have_hz) {
            xt_clock_init(&d.clock, run.start_tsc, (uint64_t)run.tsc_hz);
            g_free((struct xt_pcpu *)run.pcpus);
        }
        bool ok = parse_selection(&d, from, to, pcpus, vcpus, events, &error) && dump_all(&d, &error);
        status = ok ? XT_EXIT_OK : xt_fail("dump", error);
        g_free(d.buffer);
        g_free(d.selection.layouts);
        g_array_unref(d.selection.pcpus);
        g_array_unref(d.selection.vcpus);
        g_ptr_array_unref(d.selection.patterns);
    }
    xt_input_close(&input);
    g_free(input_options.tsc_hz);
    g_free(from);
    g_free(to);
    g_free(pcpus);
    g_free(vcpus);
    g_free(events);
    return status;
}
