#include "parse/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parse/error.h"
#include "parse/untrusted.h"

#define MAX_NOTES 100
#define MAX_ENTRIES 100000 /* files in host/ and guests/ together */
#define MAX_DEPTH 16       /* of folders in guests/ */

/* What a recording is made of */

static void free_vcpu(gpointer data)
{
    struct xt_host_vcpu *v = data;
    g_free(v->domain);
    g_free(v->hard_affinity);
    g_free(v->cpupool);
    g_free(v);
}

static void free_domain(gpointer data)
{
    struct xt_host_domain *d = data;
    g_free(d->name);
    g_free(d->cpupool);
    g_free(d);
}

static void free_cpupool(gpointer data)
{
    struct xt_host_cpupool *p = data;
    g_free(p->name);
    g_free(p->scheduler);
    g_array_unref(p->pcpus);
    g_free(p);
}

struct xt_recording *xt_recording_new(void)
{
    struct xt_recording *r = g_new0(struct xt_recording, 1);
    r->vcpus = g_ptr_array_new_with_free_func(free_vcpu);
    r->domains = g_ptr_array_new_with_free_func(free_domain);
    r->cpupools = g_ptr_array_new_with_free_func(free_cpupool);
    r->guests = g_ptr_array_new_with_free_func(g_free);
    r->notes = g_ptr_array_new_with_free_func(g_free);
    return r;
}

void xt_recording_free(struct xt_recording *r)
{
    if (!r)
        return;
    g_free(r->path);
    g_free(r->trace_path);
    g_free(r->name);
    g_free(r->xen_version);
    g_free(r->xen_scheduler);
    g_free(r->granularity);
    g_free(r->policy);
    g_free(r->policy_why);
    g_free(r->server);
    g_ptr_array_unref(r->vcpus);
    g_ptr_array_unref(r->domains);
    g_ptr_array_unref(r->cpupools);
    g_ptr_array_unref(r->guests);
    g_ptr_array_unref(r->notes);
    g_free(r);
}

void xt_recording_note(struct xt_recording *r, const char *format, ...)
{
    if (r->notes->len > MAX_NOTES)
        return;
    if (r->notes->len == MAX_NOTES) {
        g_ptr_array_add(r->notes, g_strdup("more notes of this kind were dropped"));
        return;
    }
    va_list args;
    va_start(args, format);
    g_ptr_array_add(r->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

static struct xt_host_vcpu *new_vcpu(uint16_t domid, uint16_t vcpu)
{
    struct xt_host_vcpu *v = g_new0(struct xt_host_vcpu, 1);
    v->domid = domid;
    v->vcpu = vcpu;
    v->extratime = -1;
    v->cpu_time_before_s = v->cpu_time_after_s = -1;
    return v;
}

struct xt_host_vcpu *xt_recording_add_vcpu(struct xt_recording *r, GHashTable *index, uint16_t domid, uint16_t vcpu)
{
    struct xt_host_vcpu *v = g_hash_table_lookup(index, XT_VCPU_KEY(domid, vcpu));
    if (v)
        return v;
    v = new_vcpu(domid, vcpu);
    g_ptr_array_add(r->vcpus, v);
    g_hash_table_insert(index, XT_VCPU_KEY(domid, vcpu), v);
    return v;
}

struct xt_host_domain *xt_recording_add_domain(struct xt_recording *r, GHashTable *index, uint16_t domid)
{
    struct xt_host_domain *d = g_hash_table_lookup(index, GUINT_TO_POINTER(domid));
    if (d)
        return d;
    d = g_new0(struct xt_host_domain, 1);
    d->domid = domid;
    g_ptr_array_add(r->domains, d);
    g_hash_table_insert(index, GUINT_TO_POINTER(domid), d);
    return d;
}

struct xt_host_cpupool *xt_recording_add_cpupool(struct xt_recording *r, const char *name)
{
    for (guint i = 0; i < r->cpupools->len; i++) {
        struct xt_host_cpupool *pool = r->cpupools->pdata[i];
        if (!strcmp(pool->name, name))
            return pool;
    }
    struct xt_host_cpupool *pool = g_new0(struct xt_host_cpupool, 1);
    pool->name = g_strdup(name);
    pool->pcpus = g_array_new(FALSE, FALSE, sizeof(int32_t));
    g_ptr_array_add(r->cpupools, pool);
    return pool;
}

static guint vcpu_key(const struct xt_host_vcpu *v)
{
    return (guint)v->domid << 16 | v->vcpu;
}

static gint compare_vcpus(gconstpointer a, gconstpointer b)
{
    guint x = vcpu_key(*(struct xt_host_vcpu *const *)a), y = vcpu_key(*(struct xt_host_vcpu *const *)b);
    return (x > y) - (x < y);
}

static gint compare_domains(gconstpointer a, gconstpointer b)
{
    return (*(struct xt_host_domain *const *)a)->domid - (*(struct xt_host_domain *const *)b)->domid;
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void xt_recording_sort(struct xt_recording *r)
{
    g_ptr_array_sort(r->vcpus, compare_vcpus);
    g_ptr_array_sort(r->domains, compare_domains);
}

/* Place of the first VCPU that is not before (domid, vcpu). */
static guint lower_bound(const struct xt_recording *r, uint16_t domid, uint16_t vcpu)
{
    guint low = 0, high = r->vcpus->len, key = (guint)domid << 16 | vcpu;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (vcpu_key(r->vcpus->pdata[middle]) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct xt_host_vcpu *xt_recording_insert_vcpu(struct xt_recording *r, uint16_t domid, uint16_t vcpu)
{
    struct xt_host_vcpu *v = new_vcpu(domid, vcpu);
    v->domain = g_strdup(xt_recording_domain_name(r, domid));
    g_ptr_array_insert(r->vcpus, (gint)lower_bound(r, domid, vcpu), v);
    return v;
}

const struct xt_host_vcpu *xt_recording_vcpu(const struct xt_recording *r, uint16_t domid, uint16_t vcpu)
{
    guint at = lower_bound(r, domid, vcpu);
    const struct xt_host_vcpu *v = at < r->vcpus->len ? r->vcpus->pdata[at] : NULL;
    return v && v->domid == domid && v->vcpu == vcpu ? v : NULL;
}

const char *xt_recording_domain_name(const struct xt_recording *r, uint16_t domid)
{
    guint low = 0, high = r->domains->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct xt_host_domain *d = r->domains->pdata[middle];
        if (d->domid == domid)
            return d->name;
        if (d->domid < domid)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Reading files that others wrote */

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t n;
    do
        n = read(fd, buffer, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Whole text of folder/name with a NUL behind it, or NULL and a note (no note if there is no such file). */
static char *read_text(struct xt_recording *r, const char *name, size_t max, size_t *length)
{
    GError *error = NULL;
    char *path = g_build_filename(r->path, name, NULL);
    char *text = xt_untrusted_text(path, max, length, &error);

    g_free(path);
    if (!text && !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        xt_recording_note(r, "%s: %s; ignored", name, error->message);
    g_clear_error(&error);
    return text;
}

/* Names in a folder inside the recording, sorted bytewise; none if it is missing, no folder or a symbolic link. */
static GPtrArray *list_folder(const struct xt_recording *r, const char *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    char *path = g_build_filename(r->path, folder, NULL);
    struct stat st;
    GDir *dir = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;
    while (dir && names->len <= MAX_ENTRIES && (name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    if (dir)
        g_dir_close(dir);
    g_free(path);
    g_ptr_array_sort(names, compare_strings);
    return names;
}

/* Snapshots taken before the recording count; those from after it (NAME-after.txt) only add what is new. */
static gint compare_ranks(gconstpointer a, gconstpointer b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int rank_x = xt_snapshot_rank(x), rank_y = xt_snapshot_rank(y);
    int after_x = g_str_has_suffix(x, "-after.txt"), after_y = g_str_has_suffix(y, "-after.txt");
    if (rank_x != rank_y)
        return rank_x - rank_y;
    return after_x != after_y ? after_x - after_y : strcmp(x, y);
}

static void read_host(struct xt_recording *r)
{
    GPtrArray *names = list_folder(r, "host");
    g_ptr_array_sort(names, compare_ranks);
    struct xt_snapshot *snapshot = xt_snapshot_begin(r);
    for (guint i = 0; i < names->len; i++) {
        if (xt_snapshot_rank(names->pdata[i]) < 0)
            continue;
        char *name = g_build_filename("host", names->pdata[i], NULL);
        size_t length;
        char *text = read_text(r, name, XT_SNAPSHOT_MAX_TEXT, &length);
        if (text)
            xt_snapshot_file(snapshot, names->pdata[i], text, length);
        g_free(text);
        g_free(name);
    }
    xt_snapshot_end(snapshot);
    g_ptr_array_unref(names);
}

/* "vm1.jobs.csv" and the folder "vm1" are both the guest vm1. */
static void read_guests(struct xt_recording *r)
{
    GPtrArray *names = list_folder(r, "guests");
    for (guint i = 0; i < names->len; i++) {
        char *name = names->pdata[i];
        char *path = g_build_filename(r->path, "guests", name, NULL);
        bool is_dir = g_file_test(path, G_FILE_TEST_IS_DIR);
        g_free(path);
        if (name[0] == '.')
            continue;
        char *dot = is_dir ? NULL : g_str_has_suffix(name, ".jobs.csv") ? name + strlen(name) - 9 : strrchr(name, '.');
        char *guest = g_strndup(name, dot ? (gsize)(dot - name) : strlen(name));
        if (!g_ptr_array_find_with_equal_func(r->guests, guest, g_str_equal, NULL))
            g_ptr_array_add(r->guests, g_utf8_make_valid(guest, -1));
        g_free(guest);
    }
    g_ptr_array_unref(names);
}

static void read_json(struct xt_recording *r)
{
    size_t length;
    char *text = read_text(r, "recording.json", XT_MAX_JSON, &length);
    if (text)
        xt_snapshot_json(r, text, length);
    g_free(text);
}

/* Opening */

static char *name_of(const char *path)
{
    char *real = realpath(path, NULL); /* so that "." and "x/.." have names */
    char *base = g_path_get_basename(real ? real : path);
    if (g_str_has_suffix(base, ".zst"))
        base[strlen(base) - 4] = '\0';
    if (g_str_has_suffix(base, ".xen") && base[4])
        base[strlen(base) - 4] = '\0';
    char *name = g_utf8_make_valid(base, -1);
    g_free(base);
    free(real);
    return name;
}

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_DIR);
}

static bool find_trace(struct xt_recording *r, GError **error)
{
    char *plain = g_build_filename(r->path, "trace.xen", NULL);
    char *packed = g_build_filename(r->path, "trace.xen.zst", NULL);
    bool has_plain = is_file(plain), has_packed = is_file(packed);
    if (has_plain && has_packed)
        xt_recording_note(r, "both trace.xen and trace.xen.zst are there: trace.xen is read");
    if (has_plain)
        r->trace_path = g_steal_pointer(&plain);
    else if (has_packed)
        r->trace_path = g_steal_pointer(&packed);
    else
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: a folder without trace.xen or trace.xen.zst, so no recording: name a recording's folder or a trace "
                    "file", r->path);
    g_free(plain);
    g_free(packed);
    return r->trace_path != NULL;
}

static void note_neighbours(struct xt_recording *r)
{
    char *folder = g_path_get_dirname(r->path);
    char *host = g_build_filename(folder, "host", NULL);
    if (g_file_test(host, G_FILE_TEST_IS_DIR))
        xt_recording_note(r, "a host snapshot lies beside this trace and was not read: name the folder instead of the file "
                             "to use it");
    g_free(host);
    g_free(folder);
}

static bool open_path(struct xt_recording *r, const char *path, GError **error)
{
    r->path = g_strdup(path);
    if (!strcmp(path, "-")) {
        r->trace_path = g_strdup("-");
        r->name = g_strdup("stdin");
        return true;
    }
    GStatBuf st;
    if (g_stat(path, &st)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", path[0] ? path : "\"\"", g_strerror(errno));
        return false;
    }
    r->name = name_of(path);
    r->is_folder = S_ISDIR(st.st_mode);
    if (!r->is_folder) {
        r->trace_path = g_strdup(path);
        note_neighbours(r);
        return true;
    }
    if (!find_trace(r, error))
        return false;
    static const char *const folders[] = {"host", "guests"};
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        char *inside = g_build_filename(path, folders[i], NULL);
        if (g_file_test(inside, G_FILE_TEST_IS_SYMLINK))
            xt_recording_note(r, "%s/ is a symbolic link, which is not followed", folders[i]);
        g_free(inside);
    }
    read_host(r);
    read_guests(r);
    return true;
}

struct xt_recording *xt_recording_read_host(const char *folder)
{
    struct xt_recording *r = xt_recording_new();
    r->path = g_strdup(folder);
    r->name = name_of(folder);
    r->is_folder = true;
    read_host(r);
    xt_snapshot_derive_policy(r);
    return r;
}

struct xt_recording *xt_recording_open(const char *path, GError **error)
{
    struct xt_recording *r = xt_recording_new();
    if (!open_path(r, path, error)) {
        xt_recording_free(r);
        return NULL;
    }
    xt_snapshot_derive_policy(r);
    if (r->is_folder)
        read_json(r);
    return r;
}

/* Content hash */

/* SHA-256; libcrypto's keeps up with reading where the processor helps, GLib's takes four times as long. */
static EVP_MD_CTX *sum_new(void)
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();

    if (!sum || !EVP_DigestInit_ex(sum, EVP_sha256(), NULL))
        g_error("libcrypto has no SHA-256");
    return sum;
}

/* In hex, caller frees; sum is gone. */
static char *sum_end(EVP_MD_CTX *sum)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    GString *hex = g_string_new(NULL);

    EVP_DigestFinal_ex(sum, digest, &n);
    EVP_MD_CTX_free(sum);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(hex, "%02x", digest[i]);
    return g_string_free(hex, FALSE);
}

static bool hash_fd(EVP_MD_CTX *sum, int fd, const char *path, GError **error)
{
    enum { CHUNK = 1 << 16 };
    guchar *buffer = g_malloc(CHUNK);
    ssize_t n;
    while ((n = read_some(fd, buffer, CHUNK)) > 0)
        EVP_DigestUpdate(sum, buffer, (size_t)n);
    if (n < 0)
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s", path, g_strerror(errno));
    g_free(buffer);
    return n == 0;
}

/* Adds "HEX  NAME\0" for one file to total. */
static bool hash_file(EVP_MD_CTX *total, const char *path, const char *name, bool is_trace, GError **error)
{
    EVP_MD_CTX *sum = sum_new();
    char *target = is_trace ? NULL : g_file_read_link(path, NULL);
    bool ok = true;
    if (target) {
        EVP_DigestUpdate(sum, target, strlen(target));
    } else {
        int64_t size;
        int fd = is_trace ? g_open(path, O_RDONLY | O_CLOEXEC, 0) : xt_untrusted_open(path, &size);
        ok = fd >= 0 && hash_fd(sum, fd, path, error);
        if (fd < 0)
            g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", path, g_strerror(errno));
        else
            close(fd);
    }
    char *hex = sum_end(sum);
    if (ok) {
        EVP_DigestUpdate(total, hex, strlen(hex));
        EVP_DigestUpdate(total, "  ", 2);
        EVP_DigestUpdate(total, name, strlen(name) + 1);
    }
    g_free(hex);
    g_free(target);
    return ok;
}

/* Collects the paths inside the recording of all files below folder. */
static bool collect(const struct xt_recording *r, const char *folder, int depth, GPtrArray *files, GError **error)
{
    GPtrArray *names = list_folder(r, folder);
    bool ok = true;
    for (guint i = 0; ok && i < names->len; i++) {
        char *name = g_build_filename(folder, names->pdata[i], NULL);
        char *path = g_build_filename(r->path, name, NULL);
        struct stat st;
        mode_t mode = lstat(path, &st) == 0 ? st.st_mode : 0;
        g_free(path);
        if (S_ISREG(mode) || S_ISLNK(mode)) /* pipes and devices have no content */
            g_ptr_array_add(files, g_strdup(name));
        else if (S_ISDIR(mode) && (ok = depth < MAX_DEPTH))
            ok = collect(r, name, depth + 1, files, error);
        g_free(name);
        if ((!ok || files->len > MAX_ENTRIES) && error && !*error) {
            ok = false;
            g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: no recording has folders that deep or %d files", r->path,
                        MAX_ENTRIES);
        }
    }
    g_ptr_array_unref(names);
    return ok;
}

char *xt_recording_hash(const struct xt_recording *r, GError **error)
{
    GStatBuf st;
    if (!strcmp(r->trace_path, "-") || (g_stat(r->trace_path, &st) == 0 && !S_ISREG(st.st_mode)))
        return NULL;
    GError *own = NULL; /* so that collect() can tell whether one is set */
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    bool ok = !r->is_folder || (collect(r, "guests", 0, files, &own) && collect(r, "host", 0, files, &own));
    g_ptr_array_add(files, g_strdup("trace"));
    g_ptr_array_sort(files, compare_strings);
    EVP_MD_CTX *total = sum_new();
    for (guint i = 0; ok && i < files->len; i++) {
        const char *name = files->pdata[i];
        bool is_trace = !strchr(name, '/');
        char *path = is_trace ? g_strdup(r->trace_path) : g_build_filename(r->path, name, NULL);
        ok = hash_file(total, path, name, is_trace, &own);
        g_free(path);
    }
    char *hex = sum_end(total);
    if (!ok)
        g_clear_pointer(&hex, g_free);
    if (own)
        g_propagate_error(error, own);
    g_ptr_array_unref(files);
    return hex;
}
