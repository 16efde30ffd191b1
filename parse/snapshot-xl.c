/* What `xl` printed. Its tables are columns of which the first is a name without bounds: it may be wider than its
 * column, hold spaces or look like a row itself. So every row is read from the right, where all columns are plain words. */
#include "parse/snapshot.h"

#include <stdio.h>
#include <string.h>

#define MAX_LINE 4096   /* no line of xl comes near */
#define MAX_DOMID 32751 /* DOMID_FIRST_RESERVED - 1 */
#define MAX_COLUMNS 8
#define MAX_CPUPOOLS 1024

struct xt_snapshot {
    struct xt_recording *recording;
    GHashTable *vcpus, *domains; /* indices of the recording's arrays */
    GHashTable *sched_rows;      /* domid -> struct sched_row, for all VCPUs of the domain */
    GHashTable *pool_by_config;  /* domain name -> pool, from NAME.cfg */
    bool have_before; /* a row of xl-vcpu-list-before.txt was read */
    bool saw_rtds_vcpus;
    bool saw_rtds_domains;
};

/* One text being read line by line. */
struct lines {
    struct xt_snapshot *snapshot;
    const char *file, *at, *end;
    unsigned number, bad, first_bad;
    char line[MAX_LINE];
};

static void bad_line(struct lines *lines)
{
    if (lines->bad++ == 0)
        lines->first_bad = lines->number;
}

/* Next line without its end and trailing blanks; NULL at the end of the text. */
static char *next_line(struct lines *lines)
{
    while (lines->at < lines->end) {
        const char *start = lines->at;
        const char *stop = memchr(start, '\n', (size_t)(lines->end - start));
        if (!stop)
            stop = lines->end;
        lines->at = stop < lines->end ? stop + 1 : stop;
        lines->number++;
        size_t length = (size_t)(stop - start);
        if (length >= sizeof(lines->line)) {
            bad_line(lines);
            continue;
        }
        memcpy(lines->line, start, length);
        lines->line[length] = '\0';
        return g_strchomp(lines->line);
    }
    return NULL;
}

static void end_lines(struct lines *lines)
{
    if (lines->bad == 1)
        xt_recording_note(lines->snapshot->recording, "host/%s: line %u makes no sense here and was skipped", lines->file,
                          lines->first_bad);
    else if (lines->bad > 1)
        xt_recording_note(lines->snapshot->recording, "host/%s: %u lines make no sense here and were skipped, the first is line %u",
                          lines->file, lines->bad, lines->first_bad);
}

/* Cuts the last word off and returns it; "" if no blank stands before it: the first word of a row is its name. */
static char *pop_word(char *line)
{
    g_strchomp(line);
    size_t length = strlen(line), at = length;
    while (at > 0 && !g_ascii_isspace(line[at - 1]))
        at--;
    if (at == 0)
        return line + length;
    line[at - 1] = '\0';
    return line + at;
}

static bool parse_u(const char *word, guint64 max, guint64 *value)
{
    return g_ascii_string_to_unsigned(word, 10, 0, max, value, NULL);
}

static bool parse_seconds(const char *word, double *seconds)
{
    if (!g_ascii_isdigit(word[0]) || strspn(word, "0123456789.") != strlen(word))
        return false;
    *seconds = g_ascii_strtod(word, NULL);
    return true;
}

static void set_once(char **field, const char *value)
{
    if (!*field && value && value[0])
        *field = g_strdup(value);
}

static struct xt_host_vcpu *get_vcpu(struct xt_snapshot *s, guint64 domid, guint64 vcpu, char *name)
{
    struct xt_host_domain *domain = xt_recording_add_domain(s->recording, s->domains, (uint16_t)domid);
    set_once(&domain->name, g_strstrip(name));
    return xt_recording_add_vcpu(s->recording, s->vcpus, (uint16_t)domid, (uint16_t)vcpu);
}

/* xl info */

static void parse_info(struct xt_snapshot *s, struct lines *lines)
{
    struct xt_recording *r = s->recording;
    char *line;
    while ((line = next_line(lines))) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        const char *key = g_strstrip(line), *value = g_strstrip(colon + 1);
        if (!strcmp(key, "xen_version")) {
            set_once(&r->xen_version, value);
        } else if (!strcmp(key, "xen_scheduler")) {
            set_once(&r->xen_scheduler, value);
        } else if (!strcmp(key, "cpu_mhz") && r->cpu_mhz == 0) {
            if (!parse_seconds(value, &r->cpu_mhz) || r->cpu_mhz < 1 || r->cpu_mhz > 1e6) {
                r->cpu_mhz = 0;
                bad_line(lines);
            }
        } else if (!strcmp(key, "nr_cpus") && r->nr_cpus == 0) {
            guint64 n;
            if (parse_u(value, XT_MAX_PCPUS, &n))
                r->nr_cpus = (int)n;
            else
                bad_line(lines);
        } else if (!strcmp(key, "xen_commandline")) {
            const char *option = strstr(value, "sched-gran=");
            if (option) {
                char *word = g_strndup(option + 11, strcspn(option + 11, " \t"));
                set_once(&r->granularity, word);
                g_free(word);
            }
        }
    }
}

/* xl dmesg. Its line wins over the command line, which Xen may have refused; it comes first in reading order. */

static void parse_dmesg(struct xt_snapshot *s, struct lines *lines)
{
    static const char mark[] = "Scheduling granularity: ";
    char *line;
    while ((line = next_line(lines))) {
        const char *at = strstr(line, mark);
        if (!at)
            continue;
        at += strlen(mark);
        char *word = g_strndup(at, strcspn(at, ", \t"));
        set_once(&s->recording->granularity, word);
        g_free(word);
    }
    lines->bad = 0; /* a console log: anything may stand in it */
}

/* xl list, with or without -v, -c, -n */

/* Six letters or dashes: running, blocked, paused, shut down, why, dying. */
static bool is_domain_state(const char *word)
{
    static const char *const letters[] = {"r-", "b-", "p-", "s-", "-rscwS?", "d-"};
    if (strlen(word) != G_N_ELEMENTS(letters))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(letters); i++)
        if (!strchr(letters[i], word[i]))
            return false;
    return true;
}

struct list_columns {
    int n_before_pool; /* words between the time and the pool */
    bool pool, node;
};

static struct list_columns read_list_header(const char *line)
{
    struct list_columns c = {.pool = strstr(line, "Cpupool") != NULL, .node = strstr(line, "NODE Affinity") != NULL};
    c.n_before_pool = (strstr(line, "UUID") ? 2 : 0) + (strstr(line, "Security Label") ? 1 : 0) +
                      (strstr(line, "Claimed") ? 1 : 0);
    return c;
}

/* Cuts a row where the domain's state stands: the last word that looks like one behind three numbers. Returns what
 * stands behind it and leaves the name in row. */
static char *cut_list_row(char *row, guint64 *domid)
{
    char *cut = g_strdup(row), *tail = NULL, *word;
    while (!tail && (word = pop_word(cut))[0]) {
        guint64 vcpus, memory;
        char *left = is_domain_state(word) ? g_strdup(cut) : NULL;
        if (left && parse_u(pop_word(left), 65535, &vcpus) && parse_u(pop_word(left), G_MAXUINT32, &memory) &&
            parse_u(pop_word(left), MAX_DOMID, domid)) {
            tail = row + (word - cut) + strlen(word);
            row[strlen(left)] = '\0';
        }
        g_free(left);
    }
    g_free(cut);
    return tail;
}

/* The time has one decimal, and a long pool's name stands against it without a blank. */
static char *cut_list_time(char *tail)
{
    tail += strspn(tail, " \t");
    size_t whole = strspn(tail, "0123456789");
    return whole > 0 && tail[whole] == '.' && g_ascii_isdigit(tail[whole + 1]) ? tail + whole + 2 : NULL;
}

static bool parse_list_row(struct xt_snapshot *s, const struct list_columns *c, char *row)
{
    guint64 domid;
    char *tail = cut_list_row(row, &domid);
    if (!tail || !(tail = cut_list_time(tail)))
        return false;
    struct xt_host_domain *domain = xt_recording_add_domain(s->recording, s->domains, (uint16_t)domid);
    set_once(&domain->name, g_strstrip(row));
    if (!c->pool)
        return true;
    if (c->node)
        pop_word(tail);
    g_strstrip(tail);
    for (int skip = c->n_before_pool; skip > 0; skip--) {
        tail += strcspn(tail, " \t");
        tail += strspn(tail, " \t");
    }
    set_once(&domain->cpupool, tail);
    return true;
}

static void parse_list(struct xt_snapshot *s, struct lines *lines)
{
    struct list_columns columns = {0};
    char *line;
    while ((line = next_line(lines))) {
        if (g_str_has_prefix(line, "Name ") && strstr(line, "VCPUs"))
            columns = read_list_header(line);
        else if (line[0] && !parse_list_row(s, &columns, line))
            bad_line(lines);
    }
}

/* xl vcpu-list */

/* Cuts "HARD / SOFT" off, or what older Xen prints: one affinity, which may be "any cpu". */
static char *pop_affinity(char *line, bool has_soft)
{
    char *word = pop_word(line);
    if (has_soft) {
        if (strcmp(pop_word(line), "/"))
            return NULL;
        return pop_word(line);
    }
    if (!strcmp(word, "cpu")) {
        if (strcmp(pop_word(line), "any"))
            return NULL;
        strcpy(word, "all");
    }
    return word;
}

static bool is_vcpu_state(const char *word)
{
    return strlen(word) == 3 && strchr("r-", word[0]) && strchr("b-", word[1]) && strchr("p-", word[2]);
}

static void parse_vcpu_list(struct xt_snapshot *s, struct lines *lines, bool after)
{
    bool has_soft = true;
    char *line;
    while ((line = next_line(lines))) {
        if (g_str_has_prefix(line, "Name ") && strstr(line, "Affinity")) {
            has_soft = strstr(line, "Hard / Soft") != NULL;
            continue;
        }
        if (!line[0])
            continue;
        struct xt_pcpu_set set;
        double seconds;
        guint64 vcpu, domid, pcpu;
        const char *hard = pop_affinity(line, has_soft), *state = "";
        bool ok = hard && xt_pcpu_set_parse(&set, hard) && parse_seconds(pop_word(line), &seconds) &&
                  is_vcpu_state(state = pop_word(line));
        const char *word = ok ? pop_word(line) : "";
        ok = ok && (!strcmp(word, "-") || parse_u(word, XT_MAX_PCPUS, &pcpu)) &&
             parse_u(pop_word(line), 65535, &vcpu) && parse_u(pop_word(line), MAX_DOMID, &domid);
        if (!ok) {
            bad_line(lines);
            continue;
        }
        struct xt_host_vcpu *v = get_vcpu(s, domid, vcpu, line);
        if (v->hard_affinity && strcmp(v->hard_affinity, hard))
            v->affinity_changed = true;
        v->affinity_late |= after && s->have_before && !v->hard_affinity;
        s->have_before |= !after;
        set_once(&v->hard_affinity, hard);
        v->online |= state[2] != 'p';
        *(after ? &v->cpu_time_after_s : &v->cpu_time_before_s) = seconds;
    }
}

static void parse_vcpu_list_before(struct xt_snapshot *s, struct lines *lines)
{
    parse_vcpu_list(s, lines, false);
}

static void parse_vcpu_list_after(struct xt_snapshot *s, struct lines *lines)
{
    parse_vcpu_list(s, lines, true);
}

/* xl cpupool-list, plain and -c, in one file or two */

static void set_pool_pcpus(struct lines *lines, struct xt_host_cpupool *pool, char *list)
{
    struct xt_pcpu_set set;
    if (pool->pcpus->len > 0)
        return; /* the first list counts: it was taken before the recording */
    if (!list[0] || (xt_pcpu_set_parse(&set, list) && g_ascii_isdigit(list[0]))) {
        for (int32_t pcpu = 0; list[0] && pcpu < (int32_t)XT_MAX_PCPUS; pcpu++)
            if (xt_pcpu_set_has(&set, pcpu))
                g_array_append_val(pool->pcpus, pcpu);
    } else {
        bad_line(lines);
    }
}

/* A name as wide as its column or wider runs straight into the list, so known names are tried first. */
static void parse_pool_pcpus(struct xt_snapshot *s, struct lines *lines, char *line)
{
    struct xt_host_cpupool *best = NULL;
    for (guint i = 0; i < s->recording->cpupools->len; i++) {
        struct xt_host_cpupool *pool = s->recording->cpupools->pdata[i];
        char *padded = g_strdup_printf("%-19s", pool->name);
        if (g_str_has_prefix(line, padded) && (!best || strlen(pool->name) > strlen(best->name)))
            best = pool;
        g_free(padded);
    }
    if (best) {
        set_pool_pcpus(lines, best, g_strstrip(line + MAX(strlen(best->name), 19)));
        return;
    }
    char *list = pop_word(line);
    if (!g_strstrip(line)[0])
        bad_line(lines);
    else
        set_pool_pcpus(lines, xt_recording_add_cpupool(s->recording, line), list);
}

static void parse_pool_row(struct xt_snapshot *s, struct lines *lines, char *line)
{
    guint64 n;
    bool ok = parse_u(pop_word(line), G_MAXUINT32, &n);
    const char *active = pop_word(line);
    ok = ok && strlen(active) == 1 && strchr("yn", active[0]);
    const char *scheduler = pop_word(line);
    ok = ok && scheduler[0] && parse_u(pop_word(line), XT_MAX_PCPUS, &n) && g_strstrip(line)[0];
    if (!ok)
        bad_line(lines);
    else
        set_once(&xt_recording_add_cpupool(s->recording, line)->scheduler, scheduler);
}

static void parse_cpupools(struct xt_snapshot *s, struct lines *lines)
{
    struct lines again = *lines;
    /* The table with the lists needs the names of the other one, wherever each stands. */
    for (int pass = 0; pass < 2; pass++) {
        struct lines *pass_lines = pass ? &again : lines;
        bool in_lists = false;
        char *line;
        while ((line = next_line(pass_lines))) {
            if (g_str_has_prefix(line, "Name ") && (strstr(line, "CPU list") || strstr(line, "Domain count"))) {
                in_lists = strstr(line, "CPU list") != NULL;
                continue;
            }
            if (!line[0] || in_lists != (pass == 1))
                continue;
            if (s->recording->cpupools->len >= MAX_CPUPOOLS || pass_lines->number > 4 * MAX_CPUPOOLS)
                bad_line(pass_lines); /* not a host's list */
            else
                (in_lists ? parse_pool_pcpus : parse_pool_row)(s, pass_lines, line);
        }
    }
    end_lines(&again);
}

/* xl sched-*: sections "Cpupool NAME: …", each with a header that names its columns */

enum column { COL_ID, COL_VCPU, COL_PERIOD, COL_BUDGET, COL_EXTRATIME, COL_WEIGHT, COL_CAP, N_COL, COL_OTHER = N_COL };
static const char *const column_names[N_COL] = {"ID", "VCPU", "Period", "Budget", "Extratime", "Weight", "Cap"};

/* What one row says; kept per domain until all VCPUs are known. */
struct sched_row {
    guint64 cells[N_COL];
    bool have[N_COL];
};

struct sched_table {
    enum column columns[MAX_COLUMNS];
    unsigned n;
    char *pool;
};

static void read_sched_header(struct sched_table *table, char *line)
{
    char *spaced = strstr(line, "Extra time"); /* so in Xen 4.10 and 4.11: one column of two words */
    if (spaced)
        memmove(spaced + 5, spaced + 6, strlen(spaced + 6) + 1);
    table->n = 0;
    char **words = g_strsplit_set(line, " \t", -1);
    for (unsigned i = 1; words[i] && table->n < MAX_COLUMNS; i++) {
        if (!words[i][0])
            continue;
        enum column c = 0;
        while (c < N_COL && strcmp(words[i], column_names[c]))
            c++;
        table->columns[table->n++] = c;
    }
    g_strfreev(words);
}

static bool read_sched_row(const struct sched_table *table, char *line, struct sched_row *row)
{
    for (unsigned i = table->n; i-- > 0;) {
        const char *word = pop_word(line);
        enum column c = table->columns[i];
        if (c == COL_OTHER)
            continue;
        guint64 max = c == COL_ID ? MAX_DOMID : c == COL_VCPU ? 65535 : G_MAXINT32;
        if (c == COL_EXTRATIME && (!strcmp(word, "yes") || !strcmp(word, "no")))
            row->cells[c] = word[0] == 'y';
        else if (c == COL_EXTRATIME || !parse_u(word, max, &row->cells[c]))
            return false;
        row->have[c] = true;
    }
    return row->have[COL_ID];
}

/* What is known stays: files from before the recording come first, and VCPU rows come before their domain's. */
static void apply_sched_row(struct xt_host_vcpu *v, const struct sched_row *row)
{
    if (v->period_ns > 0 || v->weight > 0)
        return;
    if (row->have[COL_PERIOD])
        v->period_ns = (int64_t)row->cells[COL_PERIOD] * 1000; /* xl prints us */
    if (row->have[COL_BUDGET])
        v->budget_ns = (int64_t)row->cells[COL_BUDGET] * 1000;
    if (row->have[COL_EXTRATIME])
        v->extratime = (int)row->cells[COL_EXTRATIME];
    if (row->have[COL_WEIGHT])
        v->weight = (int)row->cells[COL_WEIGHT];
    if (row->have[COL_CAP])
        v->cap = (int)row->cells[COL_CAP];
}

/* Since Xen 4.7 `xl sched-rtds` without -v prints the defaults of a new VCPU, whatever the domain's VCPUs have. */
static bool domain_row_is_true(const struct xt_recording *r)
{
    int minor = 0;
    return r->xen_version && sscanf(r->xen_version, "4.%d", &minor) == 1 && minor < 7;
}

static void parse_sched_row(struct xt_snapshot *s, const struct sched_table *table, struct lines *lines, char *line)
{
    struct sched_row row = {0};
    if (!read_sched_row(table, line, &row)) {
        bad_line(lines);
        return;
    }
    guint64 domid = row.cells[COL_ID];
    struct xt_host_domain *domain = xt_recording_add_domain(s->recording, s->domains, (uint16_t)domid);
    set_once(&domain->name, g_strstrip(line));
    set_once(&domain->cpupool, table->pool);
    if (row.have[COL_VCPU]) {
        s->saw_rtds_vcpus |= row.have[COL_PERIOD];
        apply_sched_row(get_vcpu(s, domid, row.cells[COL_VCPU], line), &row);
        return;
    }
    s->saw_rtds_domains |= row.have[COL_PERIOD];
    if ((!row.have[COL_PERIOD] || domain_row_is_true(s->recording)) &&
        !g_hash_table_contains(s->sched_rows, GUINT_TO_POINTER(domid)))
        g_hash_table_insert(s->sched_rows, GUINT_TO_POINTER(domid), g_memdup2(&row, sizeof(row)));
}

static void parse_sched(struct xt_snapshot *s, struct lines *lines)
{
    struct sched_table table = {.n = 0};
    char *line;
    while ((line = next_line(lines))) {
        if (g_str_has_prefix(line, "Cpupool ") && strstr(line, ": ")) {
            g_free(table.pool);
            const char *stop = g_strrstr(line, ": ");
            table.pool = g_strndup(line + 8, (gsize)(stop - line - 8));
        } else if (g_str_has_prefix(line, "Name ") && strstr(line, " ID ")) {
            read_sched_header(&table, line);
        } else if (line[0] && table.n > 0) {
            parse_sched_row(s, &table, lines, line);
        } else if (line[0]) {
            bad_line(lines);
        }
    }
    g_free(table.pool);
}

/* NAME.cfg: only the domain's pool, which nothing else may tell */

static char *config_string(const char *line, const char *key)
{
    if (!g_str_has_prefix(line, key))
        return NULL;
    line += strlen(key);
    line += strspn(line, " \t");
    if (*line++ != '=')
        return NULL;
    line += strspn(line, " \t");
    char quote = *line++;
    const char *stop = quote == '"' || quote == '\'' ? strchr(line, quote) : NULL;
    return stop ? g_strndup(line, (gsize)(stop - line)) : NULL;
}

static void parse_config(struct xt_snapshot *s, struct lines *lines)
{
    char *name = NULL, *pool = NULL, *line;
    while ((line = next_line(lines))) {
        if (!name)
            name = config_string(line, "name");
        if (!pool)
            pool = config_string(line, "pool");
    }
    lines->bad = 0; /* xl read it, whatever else stands in it */
    if (name && pool)
        g_hash_table_insert(s->pool_by_config, g_steal_pointer(&name), g_steal_pointer(&pool));
    g_free(name);
    g_free(pool);
}

/* Reading order: what Xen did before what it was asked to do, names before what refers to them. */
static const struct snapshot_file {
    const char *prefix, *suffix;
    void (*parse)(struct xt_snapshot *snapshot, struct lines *lines);
} snapshot_files[] = {
    {"xl-dmesg", ".txt", parse_dmesg},
    {"xl-info", ".txt", parse_info},
    {"xl-list", ".txt", parse_list},
    {"xl-vcpu-list-before", ".txt", parse_vcpu_list_before},
    {"xl-vcpu-list-after", ".txt", parse_vcpu_list_after},
    {"xl-vcpu-list", ".txt", parse_vcpu_list_before},
    {"xl-cpupool-list", ".txt", parse_cpupools},
    {"xl-sched", ".txt", parse_sched},
    {"", ".cfg", parse_config},
};

int xt_snapshot_rank(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(snapshot_files); i++)
        if (g_str_has_prefix(name, snapshot_files[i].prefix) && g_str_has_suffix(name, snapshot_files[i].suffix))
            return (int)i;
    return -1;
}

struct xt_snapshot *xt_snapshot_begin(struct xt_recording *recording)
{
    struct xt_snapshot *s = g_new0(struct xt_snapshot, 1);
    s->recording = recording;
    s->vcpus = g_hash_table_new(NULL, NULL);
    s->domains = g_hash_table_new(NULL, NULL);
    s->sched_rows = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    s->pool_by_config = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return s;
}

void xt_snapshot_file(struct xt_snapshot *s, const char *name, const char *text, size_t length)
{
    int rank = xt_snapshot_rank(name);
    if (rank < 0)
        return;
    const char *nul = memchr(text, '\0', length);
    if (nul) {
        xt_recording_note(s->recording, "host/%s: not a text (NUL byte at offset %zu), ignored", name,
                          (size_t)(nul - text));
        return;
    }
    char *valid = NULL;
    if (!g_utf8_validate(text, (gssize)length, NULL)) {
        xt_recording_note(s->recording, "host/%s: not UTF-8; other bytes read as U+FFFD", name);
        valid = g_utf8_make_valid(text, (gssize)length);
        text = valid;
        length = strlen(valid);
    }
    struct lines *lines = g_new0(struct lines, 1);
    lines->snapshot = s;
    lines->file = name;
    lines->at = text;
    lines->end = text + length;
    snapshot_files[rank].parse(s, lines);
    end_lines(lines);
    g_free(lines);
    g_free(valid);
}

static void join_domains(struct xt_snapshot *s)
{
    struct xt_recording *r = s->recording;
    const struct xt_host_cpupool *only = r->cpupools->len == 1 ? r->cpupools->pdata[0] : NULL;
    for (guint i = 0; i < r->domains->len; i++) {
        struct xt_host_domain *d = r->domains->pdata[i];
        if (d->name)
            set_once(&d->cpupool, g_hash_table_lookup(s->pool_by_config, d->name));
        if (only)
            set_once(&d->cpupool, only->name);
    }
    for (guint i = 0; i < r->vcpus->len; i++) {
        struct xt_host_vcpu *v = r->vcpus->pdata[i];
        const struct xt_host_domain *d = g_hash_table_lookup(s->domains, GUINT_TO_POINTER(v->domid));
        set_once(&v->domain, d->name);
        set_once(&v->cpupool, d->cpupool);
        const struct sched_row *row = g_hash_table_lookup(s->sched_rows, GUINT_TO_POINTER(v->domid));
        if (row)
            apply_sched_row(v, row);
    }
}

void xt_snapshot_end(struct xt_snapshot *s)
{
    join_domains(s);
    if (s->saw_rtds_domains && !s->saw_rtds_vcpus && !domain_row_is_true(s->recording))
        xt_recording_note(s->recording, "host/: no `xl sched-rtds -v all` in the recording; `xl sched-rtds` alone prints "
                                        "defaults, so periods and budgets are unknown");
    if (s->recording->granularity && strcmp(s->recording->granularity, "cpu"))
        xt_recording_note(s->recording, "scheduling granularity is not cpu: with core scheduling pCPUs, migrations and "
                                        "overheads are undefined");
    xt_recording_sort(s->recording);
    g_hash_table_unref(s->vcpus);
    g_hash_table_unref(s->domains);
    g_hash_table_unref(s->sched_rows);
    g_hash_table_unref(s->pool_by_config);
    g_free(s);
}
