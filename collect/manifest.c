#include "collect/manifest.h"

#include "parse/error.h"
#include "parse/untrusted.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

void xt_manifest_set_created(JsonObject *manifest)
{
    GDateTime *now = g_date_time_new_now_utc();
    char *created = g_date_time_format_iso8601(now);
    json_object_set_string_member(manifest, "created", created);
    g_free(created);
    g_date_time_unref(now);
}

JsonObject *xt_manifest_new(void)
{
    JsonObject *manifest = json_object_new();
    JsonObject *tool = json_object_new();

    json_object_set_string_member(manifest, "format", "xentrail-recording");
    json_object_set_int_member(manifest, "version", XT_MANIFEST_VERSION);
    json_object_set_boolean_member(manifest, "complete", FALSE);
    xt_manifest_set_created(manifest);
    json_object_set_string_member(tool, "name", "xentrail");
    json_object_set_string_member(tool, "version", XT_VERSION);
    json_object_set_object_member(manifest, "tool", tool);
    return manifest;
}

static JsonNode *member(JsonObject *object, const char *key, JsonNodeType type)
{
    JsonNode *node = object ? json_object_get_member(object, key) : NULL;
    return node && JSON_NODE_TYPE(node) == type ? node : NULL;
}

static JsonNode *value(JsonObject *object, const char *key, GType type)
{
    JsonNode *node = member(object, key, JSON_NODE_VALUE);
    return node && json_node_get_value_type(node) == type ? node : NULL;
}

const char *xt_manifest_string(JsonObject *object, const char *key)
{
    JsonNode *node = value(object, key, G_TYPE_STRING);
    return node ? json_node_get_string(node) : NULL;
}

gint64 xt_manifest_int(JsonObject *object, const char *key)
{
    JsonNode *node = value(object, key, G_TYPE_INT64);
    return node ? json_node_get_int(node) : 0;
}

bool xt_manifest_bool(JsonObject *object, const char *key)
{
    JsonNode *node = value(object, key, G_TYPE_BOOLEAN);
    return node && json_node_get_boolean(node);
}

JsonObject *xt_manifest_object(JsonObject *object, const char *key)
{
    JsonNode *node = member(object, key, JSON_NODE_OBJECT);
    return node ? json_node_get_object(node) : NULL;
}

JsonArray *xt_manifest_array(JsonObject *object, const char *key)
{
    JsonNode *node = member(object, key, JSON_NODE_ARRAY);
    return node ? json_node_get_array(node) : NULL;
}

JsonObject *xt_manifest_load(const char *folder, GError **error)
{
    char *path = g_build_filename(folder, XT_MANIFEST_FILE, NULL);
    JsonObject *manifest = NULL;
    JsonNode *root = NULL;
    GError *failure = NULL;
    size_t length;
    char *text = xt_untrusted_text(path, XT_MAX_JSON, &length, &failure);

    if (text)
        root = xt_untrusted_json(text, length, &failure);
    if (root) {
        manifest = json_object_ref(json_node_get_object(root));
        json_node_unref(root);
    } else if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
               g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOTDIR)) { /* the trace itself was named */
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: there is no " XT_MANIFEST_FILE ", so this is not what `xentrail record` made "
                    "(`xentrail stats` shows what is in any trace)",
                    folder);
    } else {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s: %s", path, failure->message);
    }
    if (manifest && xt_manifest_int(manifest, "version") > XT_MANIFEST_VERSION) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s: version %" G_GINT64_FORMAT " is newer than this program (%d): update xentrail", path,
                    xt_manifest_int(manifest, "version"), XT_MANIFEST_VERSION);
        g_clear_pointer(&manifest, json_object_unref);
    }
    g_clear_error(&failure);
    g_free(text);
    g_free(path);
    return manifest;
}

bool xt_manifest_save(JsonObject *manifest, const char *folder, GError **error)
{
    JsonGenerator *generator = json_generator_new();
    JsonNode *root = json_node_init_object(json_node_alloc(), manifest);
    char *path = g_build_filename(folder, XT_MANIFEST_FILE, NULL);
    GError *failure = NULL;
    char *text;

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    text = json_generator_to_data(generator, NULL);
    if (!g_file_set_contents(path, text, -1, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s", failure->message);
        g_error_free(failure);
    }
    g_free(text);
    g_free(path);
    json_node_free(root);
    g_object_unref(generator);
    return failure == NULL;
}

static char *sha256_of(const char *path, gint64 *bytes, GError **error)
{
    enum { CHUNK = 1 << 16 };
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    guchar *buffer = g_malloc(CHUNK);
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    *bytes = 0;
    while (fd >= 0 && ((n = read(fd, buffer, CHUNK)) > 0 || (n < 0 && errno == EINTR))) {
        if (n < 0)
            continue;
        g_checksum_update(sum, buffer, n);
        *bytes += n;
    }
    if (n == 0)
        text = g_strdup(g_checksum_get_string(sum));
    else
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    g_free(buffer);
    g_checksum_free(sum);
    return text;
}

/* Adds the paths, relative to the folder, of all regular files below it. Symbolic links are not followed. */
static void walk(const char *folder, const char *relative, GPtrArray *paths)
{
    char *directory = g_build_filename(folder, relative, NULL);
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        char *path = *relative ? g_strconcat(relative, "/", name, NULL) : g_strdup(name);
        char *full = g_build_filename(folder, path, NULL);
        bool hidden = name[0] == '.' || (!*relative && strcmp(name, XT_MANIFEST_FILE) == 0);

        if (!hidden && !g_file_test(full, G_FILE_TEST_IS_SYMLINK)) {
            if (g_file_test(full, G_FILE_TEST_IS_DIR))
                walk(folder, path, paths);
            else if (g_file_test(full, G_FILE_TEST_IS_REGULAR))
                g_ptr_array_add(paths, g_strdup(path));
        }
        g_free(full);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
    g_free(directory);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *files_of(const char *folder)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    walk(folder, "", paths);
    g_ptr_array_sort(paths, by_text);
    return paths;
}

static bool list_files(JsonObject *manifest, const char *folder, GError **error)
{
    GPtrArray *paths = files_of(folder);
    JsonArray *files = json_array_new();
    bool good = true;

    for (guint i = 0; good && i < paths->len; i++) {
        const char *path = g_ptr_array_index(paths, i);
        char *full = g_build_filename(folder, path, NULL);
        gint64 bytes;
        char *sum = sha256_of(full, &bytes, error);
        good = sum != NULL;
        if (good) {
            JsonObject *file = json_object_new();
            json_object_set_string_member(file, "path", path);
            json_object_set_int_member(file, "bytes", bytes);
            json_object_set_string_member(file, "sha256", sum);
            json_array_add_object_element(files, file);
        }
        g_free(sum);
        g_free(full);
    }
    if (good)
        json_object_set_array_member(manifest, "files", files);
    else
        json_array_unref(files);
    g_ptr_array_unref(paths);
    return good;
}

bool xt_manifest_finish(JsonObject *manifest, const char *folder, GError **error)
{
    JsonObject *trace = xt_manifest_object(manifest, "trace");
    const char *name = xt_manifest_string(trace, "file");
    JsonArray *files;

    if (!list_files(manifest, folder, error))
        return false;
    files = xt_manifest_array(manifest, "files");
    for (guint i = 0; trace && i < json_array_get_length(files); i++) {
        JsonObject *file = json_array_get_object_element(files, i);
        if (g_strcmp0(xt_manifest_string(file, "path"), name) == 0)
            json_object_set_string_member(trace, "sha256", xt_manifest_string(file, "sha256"));
    }
    return xt_manifest_save(manifest, folder, error);
}

/* A path from recording.json must stay inside the folder. */
static bool is_inside(const char *path)
{
    char **parts = g_strsplit(path, "/", -1);
    bool inside = *path && *path != '/' && !g_strv_contains((const char *const *)parts, "..");
    g_strfreev(parts);
    return inside;
}

static bool verify_file(const char *folder, JsonObject *file, GHashTable *present, GPtrArray *problems,
                        GError **error)
{
    const char *path = xt_manifest_string(file, "path"), *sum = xt_manifest_string(file, "sha256");
    char *full, *found;
    gint64 bytes;

    if (!path || !sum || !is_inside(path)) {
        g_ptr_array_add(problems, g_strdup("recording.json lists a file without a usable path and hash"));
        return true;
    }
    if (!g_hash_table_remove(present, path)) {
        g_ptr_array_add(problems, g_strdup_printf("%s is missing", path));
        return true;
    }
    full = g_build_filename(folder, path, NULL);
    found = sha256_of(full, &bytes, error);
    g_free(full);
    if (!found)
        return false;
    if (bytes != xt_manifest_int(file, "bytes"))
        g_ptr_array_add(problems,
                        g_strdup_printf("%s has %" G_GINT64_FORMAT " bytes, recorded were %" G_GINT64_FORMAT,
                                        path, bytes, xt_manifest_int(file, "bytes")));
    else if (strcmp(found, sum) != 0)
        g_ptr_array_add(problems,
                        g_strdup_printf("%s has changed: its SHA-256 is not the recorded one", path));
    g_free(found);
    return true;
}

GPtrArray *xt_manifest_verify(JsonObject *manifest, const char *folder, GError **error)
{
    JsonArray *files = xt_manifest_array(manifest, "files");
    GPtrArray *problems, *paths;
    GHashTable *present; /* paths that are there and not yet found in the list */
    bool good = true;

    if (!files) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT,
                    "%s/%s lists no files: the recording was not finished, there is nothing to verify it by",
                    folder, XT_MANIFEST_FILE);
        return NULL;
    }
    problems = g_ptr_array_new_with_free_func(g_free);
    present = g_hash_table_new(g_str_hash, g_str_equal);
    paths = files_of(folder);
    for (guint i = 0; i < paths->len; i++)
        g_hash_table_add(present, g_ptr_array_index(paths, i));
    for (guint i = 0; good && i < json_array_get_length(files); i++) {
        JsonNode *node = json_array_get_element(files, i);
        good = verify_file(folder, JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL, present,
                           problems, error);
    }
    for (guint i = 0; good && i < paths->len; i++)
        if (g_hash_table_contains(present, g_ptr_array_index(paths, i)))
            g_ptr_array_add(problems, g_strdup_printf("%s is not part of the recording",
                                                      (char *)g_ptr_array_index(paths, i)));
    g_hash_table_unref(present);
    g_ptr_array_unref(paths);
    if (good)
        return problems;
    g_ptr_array_unref(problems);
    return NULL;
}
