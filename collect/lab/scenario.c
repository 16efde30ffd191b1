#include "collect/lab/scenario.h"

#include "collect/workload/workload.h"
#include "parse/error.h"
#include "parse/recording.h"

#include <gio/gio.h>
#include <string.h>

#define RESOURCES "/xentrail/lab/scenarios/"

enum { MAX_PCPUS = 16, MAX_DOMAINS = 16, MAX_VCPUS = 16, DOM0_MEMORY_MIB = 1024, GUEST_MEMORY_MIB = 128 };

/* What is wrong is found deep down, and says itself where. The first complaint is kept. */
struct reader {
    GKeyFile *file;
    const char *name;
    GHashTable *lines; /* "GROUP" and "GROUP\nKEY" -> number of its line, from 1 */
    GError *error;
};

/* Of a key that is missing, its group's line; 0 if there is none. */
static unsigned line_of(const struct reader *r, const char *group, const char *key)
{
    char *name = g_strconcat(group, "\n", key, NULL);
    gpointer line = g_hash_table_lookup(r->lines, name);
    g_free(name);
    return GPOINTER_TO_UINT(line ? line : g_hash_table_lookup(r->lines, group));
}

static void complain_at(struct reader *r, unsigned line, const char *text)
{
    if (r->error)
        return;
    if (line)
        r->error = g_error_new(XT_ERROR, XT_ERROR_INPUT, "%s:%u: %s", r->name, line, text);
    else
        r->error = g_error_new(XT_ERROR, XT_ERROR_INPUT, "%s: %s", r->name, text);
}

static void complain(struct reader *r, const char *group, const char *key, const char *what)
{
    char *text = g_strdup_printf("[%s] %s: %s", group, key, what);
    complain_at(r, line_of(r, group, key), text);
    g_free(text);
}

/* GLib would take the last of two, and the experiment would silently be another one. */
static void note_line(struct reader *r, const char *group, const char *key, unsigned number)
{
    char *name = key ? g_strconcat(group, "\n", key, NULL) : g_strdup(group);
    unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(r->lines, name));

    if (before) {
        char *text = key ? g_strdup_printf("[%s] %s stands in line %u already", group, key, before)
                         : g_strdup_printf("[%s] stands in line %u already", group, before);
        complain_at(r, number, text);
        g_free(text);
    }
    g_hash_table_insert(r->lines, name, GUINT_TO_POINTER(number));
}

/* GLib's reader of such files names no lines. */
static void index_lines(struct reader *r, const char *text)
{
    char **lines = g_strsplit(text, "\n", -1), *group = g_strdup("");

    for (unsigned i = 0; lines[i] && !r->error; i++) {
        char *line = g_strstrip(lines[i]), *equals = strchr(line, '=');
        if (!*line || *line == '#')
            continue;
        if (!g_utf8_validate(line, -1, NULL)) {
            complain_at(r, i + 1, "this is not UTF-8");
        } else if (*line == '[' && line[strlen(line) - 1] == ']') {
            g_free(group);
            group = g_strndup(line + 1, strlen(line) - 2);
            note_line(r, group, NULL, i + 1);
        } else if (!*group) {
            complain_at(r, i + 1, "a scenario begins with a group, [scenario]");
        } else if (equals && equals > line) {
            *equals = 0;
            note_line(r, group, g_strchomp(line), i + 1);
        } else {
            complain_at(r, i + 1, "write KEY = VALUE, [GROUP], or # and a comment");
        }
    }
    g_free(group);
    g_strfreev(lines);
}

/* A value with a broken escape is not the same as none. Takes failure. */
static void check_value(struct reader *r, const char *group, const char *key, GError *failure)
{
    if (failure && !g_error_matches(failure, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND) &&
        !g_error_matches(failure, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND))
        complain(r, group, key, failure->message);
    g_clear_error(&failure);
}

static char *read_text(struct reader *r, const char *group, const char *key, const char *otherwise)
{
    GError *failure = NULL;
    char *text = g_key_file_get_string(r->file, group, key, &failure);
    check_value(r, group, key, failure);
    return text ? g_strstrip(text) : g_strdup(otherwise);
}

static gint64 read_int(struct reader *r, const char *group, const char *key, gint64 least, gint64 most,
                       gint64 otherwise)
{
    char *text = read_text(r, group, key, NULL);
    gint64 number = otherwise;
    if (text && !g_ascii_string_to_signed(text, 10, least, most, &number, NULL)) {
        char *what = g_strdup_printf("\"%s\" is no number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                                     text, least, most);
        complain(r, group, key, what);
        g_free(what);
        number = least;
    }
    g_free(text);
    return number;
}

static int64_t read_time(struct reader *r, const char *group, const char *key)
{
    char *text = read_text(r, group, key, NULL);
    GError *error = NULL;
    int64_t ns = 0;
    if (text && !xt_parse_time_ns(text, &ns, &error))
        complain(r, group, key, error->message);
    else if (text && ns == 0)
        complain(r, group, key, "it must be above 0");
    g_clear_error(&error);
    g_free(text);
    return ns;
}

static bool read_flag(struct reader *r, const char *group, const char *key)
{
    char *text = read_text(r, group, key, "no");
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0)
        complain(r, group, key, "write yes or no");
    g_free(text);
    return yes;
}

static char **read_list(struct reader *r, const char *group, const char *key)
{
    GError *failure = NULL;
    char **list = g_key_file_get_string_list(r->file, group, key, NULL, &failure);
    GPtrArray *kept = g_ptr_array_new();
    check_value(r, group, key, failure);
    for (int i = 0; list && list[i]; i++) {
        g_strstrip(list[i]);
        if (*list[i])
            g_ptr_array_add(kept, g_strdup(list[i]));
    }
    g_strfreev(list);
    g_ptr_array_add(kept, NULL);
    return (char **)g_ptr_array_free(kept, FALSE);
}

/* A key that nobody reads is a misspelt one, which would silently change the experiment. */
static void check_keys(struct reader *r, const char *group, const char *const *known)
{
    char **keys = g_key_file_get_keys(r->file, group, NULL, NULL);
    for (int i = 0; keys && keys[i]; i++)
        if (!g_strv_contains(known, keys[i]))
            complain(r, group, keys[i], "no such key here");
    g_strfreev(keys);
}

static void free_policy(gpointer data)
{
    struct xt_lab_policy *policy = data;
    g_free(policy->name);
    g_free(policy);
}

static void free_domain(gpointer data)
{
    struct xt_lab_domain *domain = data;
    g_free(domain->name);
    g_free(domain->guest_policy);
    g_strfreev(domain->tasks);
    if (domain->pins)
        g_array_unref(domain->pins);
    g_free(domain);
}

static guint index_of_policy(const struct xt_scenario *s, const char *name)
{
    for (guint i = 0; i < s->policies->len; i++) {
        const struct xt_lab_policy *policy = g_ptr_array_index(s->policies, i);
        if (strcmp(policy->name, name) == 0)
            return i;
    }
    return G_MAXUINT;
}

static void read_policy(struct reader *r, struct xt_scenario *s, const char *text)
{
    struct xt_lab_policy *policy = g_new0(struct xt_lab_policy, 1);
    char *base;

    policy->name = g_strdup(text);
    if (index_of_policy(s, text) != G_MAXUINT)
        complain(r, "scenario", "policies", "one of them stands there twice");
    xt_policy_split(text, &base, &policy->periodic);
    policy->policy = xt_policy_find(base);
    /* arinc653 runs what a schedule set from dom0 says, which no scenario can hold. */
    if (!policy->policy || strcmp(policy->policy->scheduler, "arinc653") == 0)
        complain(r, "scenario", "policies",
                 "a policy is gEDF, pEDF, credit, credit2 or null, each with +periodic if all servers shall "
                 "be so");
    g_ptr_array_add(s->policies, policy);
    g_free(base);
}

static bool is_plain_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return *name && *name != '-' && strlen(name) < 32 && strspn(name, allowed) == strlen(name);
}

static void read_pins(struct reader *r, const char *group, struct xt_lab_domain *domain, unsigned pcpus)
{
    char **pins = read_list(r, group, "pins");
    guint n = g_strv_length(pins);

    domain->pins = g_array_new(FALSE, FALSE, sizeof(unsigned));
    if (n > 0 && n != domain->vcpus)
        complain(r, group, "pins", "give one pCPU for each VCPU");
    for (guint i = 0; i < n; i++) {
        gint64 pcpu = 1;
        if (!g_ascii_string_to_signed(pins[i], 10, 1, pcpus - 1, &pcpu, NULL))
            complain(r, group, "pins", "a pin is a pCPU of the host other than 0, which is dom0's");
        unsigned number = (unsigned)pcpu;
        g_array_append_val(domain->pins, number);
    }
    g_strfreev(pins);
}

static void check_tasks(struct reader *r, const char *group, const struct xt_lab_domain *domain)
{
    static const char *const policies[] = { "rm", "dm", "edf", "partitioned", NULL };
    const char *why;

    if (!g_strv_contains(policies, domain->guest_policy))
        complain(r, group, "guest_policy", "it is rm, dm, edf or partitioned");
    for (int i = 0; domain->tasks[i]; i++) {
        struct task task = { 0 };
        if (!parse_task(domain->tasks[i], &task, &why))
            complain(r, group, "tasks", why);
        else if (task.cpu >= (int)domain->vcpus)
            complain(r, group, "tasks", "a task's cpu is one of the domain's VCPUs");
    }
    if (!domain->tasks[0] && !domain->periodic)
        complain(r, group, "tasks", "without tasks a domain needs server = periodic, or it would do nothing");
}

/* xl takes them so, and Xen's RTDS no shorter ones. */
static void check_server_time(struct reader *r, const char *group, const char *key, int64_t ns)
{
    const int64_t least_ns = 10000, most_ns = 4000000000000;
    if (ns && (ns % 1000 != 0 || ns < least_ns || ns > most_ns))
        complain(r, group, key, "RTDS takes whole microseconds, from 10us to 4000s");
}

static void read_domain(struct reader *r, struct xt_scenario *s, const char *group)
{
    static const char *const keys[] = { "vcpus",        "memory_mib", "period", "budget", "extratime",
                                        "weight",       "cap",        "pins",   "server", "noise",
                                        "guest_policy", "tasks",      NULL };
    struct xt_lab_domain *domain = g_new0(struct xt_lab_domain, 1);
    char *server;

    g_ptr_array_add(s->domains, domain);
    check_keys(r, group, keys);
    domain->name = g_strdup(group + strlen("domain "));
    if (!is_plain_name(domain->name) || strcmp(domain->name, "Domain-0") == 0)
        complain(r, group, "name", "a domain's name has up to 31 letters, digits, - and _");
    domain->vcpus = (unsigned)read_int(r, group, "vcpus", 1, MAX_VCPUS, 1);
    domain->memory_mib = (unsigned)read_int(r, group, "memory_mib", 96, 4096, GUEST_MEMORY_MIB);
    domain->period_ns = read_time(r, group, "period");
    domain->budget_ns = read_time(r, group, "budget");
    if (!domain->period_ns != !domain->budget_ns || domain->budget_ns > domain->period_ns)
        complain(r, group, "budget", "period and budget go together, and the budget is at most the period");
    check_server_time(r, group, "period", domain->period_ns);
    check_server_time(r, group, "budget", domain->budget_ns);
    domain->extratime = read_flag(r, group, "extratime");
    domain->noise = read_flag(r, group, "noise");
    domain->weight = (int)read_int(r, group, "weight", 1, 65535, 0);
    domain->cap = (int)read_int(r, group, "cap", 0, 100 * MAX_VCPUS, 0);
    read_pins(r, group, domain, s->pcpus);
    server = read_text(r, group, "server", "deferrable");
    domain->periodic = strcmp(server, "periodic") == 0;
    if (!domain->periodic && strcmp(server, "deferrable") != 0)
        complain(r, group, "server", "it is deferrable or periodic");
    g_free(server);
    domain->guest_policy = read_text(r, group, "guest_policy", "rm");
    domain->tasks = read_list(r, group, "tasks");
    check_tasks(r, group, domain);
}

static void check_policies(struct reader *r, const struct xt_scenario *s)
{
    unsigned load[MAX_PCPUS] = { 0 };
    bool all_pinned = true, crowded = false;

    for (guint i = 0; i < s->domains->len; i++) {
        const struct xt_lab_domain *domain = g_ptr_array_index(s->domains, i);
        all_pinned = all_pinned && domain->pins->len == domain->vcpus;
        for (guint k = 0; k < domain->pins->len; k++)
            crowded = ++load[g_array_index(domain->pins, unsigned, k)] > 1 || crowded;
    }
    for (guint i = 0; i < s->policies->len; i++) {
        const struct xt_lab_policy *policy = g_ptr_array_index(s->policies, i);
        if (!policy->policy)
            continue;
        if (policy->policy->bound && !all_pinned)
            complain(r, "scenario", "policies", "pEDF and null need pins for every VCPU of every domain");
        else if (strcmp(policy->policy->name, "null") == 0 && crowded)
            complain(r, "scenario", "policies",
                     "null gives each pCPU to one VCPU: no two VCPUs may have the same pin");
    }
}

static void read_all(struct reader *r, struct xt_scenario *s)
{
    static const char *const scenario_keys[] = { "name", "description", "policies", "duration", NULL };
    static const char *const host_keys[] = { "pcpus", "dom0_memory_mib", "xen_options", NULL };
    char **policies = read_list(r, "scenario", "policies"), **groups = g_key_file_get_groups(r->file, NULL);

    check_keys(r, "scenario", scenario_keys);
    check_keys(r, "host", host_keys);
    s->name = read_text(r, "scenario", "name", "");
    if (!is_plain_name(s->name))
        complain(r, "scenario", "name", "it has up to 31 letters, digits, - and _");
    s->description = read_text(r, "scenario", "description", "");
    s->duration_s = (double)read_time(r, "scenario", "duration") / 1e9;
    if (s->duration_s < 0.1 || s->duration_s > 600)
        complain(r, "scenario", "duration", "it must be given, from 100ms to 600s");
    s->pcpus = (unsigned)read_int(r, "host", "pcpus", 2, MAX_PCPUS, 3);
    s->dom0_memory_mib = (unsigned)read_int(r, "host", "dom0_memory_mib", 512, 8192, DOM0_MEMORY_MIB);
    s->xen_options = read_text(r, "host", "xen_options", "");
    for (int i = 0; policies[i]; i++)
        read_policy(r, s, policies[i]);
    if (s->policies->len == 0)
        complain(r, "scenario", "policies", "name at least one");
    for (int i = 0; groups[i]; i++) {
        if (g_str_has_prefix(groups[i], "domain "))
            read_domain(r, s, groups[i]);
        else if (strcmp(groups[i], "scenario") != 0 && strcmp(groups[i], "host") != 0)
            complain(r, groups[i], "group", "the groups are scenario, host and domain NAME");
    }
    if (s->domains->len == 0 || s->domains->len > MAX_DOMAINS)
        complain_at(r, 0, "a scenario has 1 to 16 groups [domain NAME]");
    check_policies(r, s);
    g_strfreev(policies);
    g_strfreev(groups);
}

static char *text_of(const char *file_or_name, GError **error)
{
    char *text = NULL, *resource;
    gsize length;
    GBytes *bytes;
    GError *failure = NULL;

    if (is_plain_name(file_or_name)) {
        resource = g_strconcat(RESOURCES, file_or_name, ".ini", NULL);
        bytes = g_resources_lookup_data(resource, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
        g_free(resource);
        if (bytes) {
            text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
            g_bytes_unref(bytes);
            return text;
        }
    }
    if (!g_file_get_contents(file_or_name, &text, &length, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s is no scenario file (%s) and none that comes with xentrail: see `xentrail lab list`",
                    file_or_name, failure->message);
        g_error_free(failure);
    } else if (strlen(text) != length) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s is no scenario file: it holds a NUL byte", file_or_name);
        g_clear_pointer(&text, g_free);
    }
    return text;
}

struct xt_scenario *xt_scenario_load(const char *file_or_name, GError **error)
{
    struct reader r = { .name = file_or_name, .lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) };
    struct xt_scenario *s;
    char *text = text_of(file_or_name, error);

    if (!text) {
        g_hash_table_unref(r.lines);
        return NULL;
    }
    s = g_new0(struct xt_scenario, 1);
    s->text = text;
    s->policies = g_ptr_array_new_with_free_func(free_policy);
    s->domains = g_ptr_array_new_with_free_func(free_domain);
    r.file = g_key_file_new();
    GError *failure = NULL;
    index_lines(&r, text);
    if (g_key_file_load_from_data(r.file, text, (gsize)-1, G_KEY_FILE_NONE, &failure))
        read_all(&r, s);
    else
        complain_at(&r, 0, failure->message);
    g_clear_error(&failure);
    g_key_file_unref(r.file);
    g_hash_table_unref(r.lines);
    if (!r.error)
        return s;
    g_propagate_error(error, r.error);
    xt_scenario_free(s);
    return NULL;
}

void xt_scenario_free(struct xt_scenario *s)
{
    if (!s)
        return;
    g_free(s->name);
    g_free(s->description);
    g_free(s->text);
    g_free(s->xen_options);
    g_ptr_array_unref(s->policies);
    g_ptr_array_unref(s->domains);
    g_free(s);
}

bool xt_scenario_select(struct xt_scenario *s, const char *const *names, GError **error)
{
    GPtrArray *kept = g_ptr_array_new_with_free_func(free_policy);

    for (int i = 0; names[i]; i++) {
        guint found = index_of_policy(s, names[i]);
        if (found == G_MAXUINT) {
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                        "scenario %s has no policy \"%s\" (or it is named twice)", s->name, names[i]);
            g_ptr_array_unref(kept);
            return false;
        }
        g_ptr_array_add(kept, g_ptr_array_steal_index(s->policies, found));
    }
    g_ptr_array_unref(s->policies);
    s->policies = kept;
    return true;
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **xt_scenario_names(void)
{
    char **names = g_resources_enumerate_children(RESOURCES, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    for (int i = 0; names && names[i]; i++)
        names[i][strlen(names[i]) - strlen(".ini")] = 0;
    if (names)
        qsort(names, g_strv_length(names), sizeof *names, by_text);
    return names;
}
