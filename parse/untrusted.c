#include "parse/untrusted.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parse/error.h"

#define MAX_DEPTH 32 /* json-glib's parser recurses: deeper texts are not given to it */

int xt_untrusted_open(const char *path, int64_t *size)
{
    int fd = g_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        int saved = S_ISREG(st.st_mode) ? errno : EINVAL;
        close(fd);
        errno = saved;
        return -1;
    }
    *size = st.st_size;
    return fd;
}

const char *xt_untrusted_why(int why)
{
    return why == EINVAL || why == ELOOP ? "not a regular file" : g_strerror(why);
}

static bool fail(int why, GError **error)
{
    g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(why), "cannot be read (%s)", xt_untrusted_why(why));
    return false;
}

static bool read_all(int fd, char *text, size_t size, size_t *length, GError **error)
{
    *length = 0;
    while (*length < size) {
        ssize_t n = read(fd, text + *length, size - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(errno, error);
        if (n == 0)
            break;
        *length += (size_t)n;
    }
    text[*length] = '\0';
    return true;
}

char *xt_untrusted_text(const char *path, size_t max, size_t *length, GError **error)
{
    int64_t size = 0;
    char *text = NULL;
    int fd = xt_untrusted_open(path, &size);

    if (fd < 0) {
        fail(errno, error);
        return NULL;
    }
    if ((uint64_t)size > max) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                    "%" G_GINT64_FORMAT " bytes, more than such a text can have (%zu)", size, max);
    } else {
        text = g_malloc((size_t)size + 1);
        if (!read_all(fd, text, (size_t)size, length, error))
            g_clear_pointer(&text, g_free);
    }
    close(fd);
    return text;
}

static bool too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
        if (depth > MAX_DEPTH)
            return true;
    }
    return false;
}

JsonNode *xt_untrusted_json(const char *text, size_t length, GError **error)
{
    GError *failure = NULL;
    JsonNode *root = NULL;

    if (too_deep(text, length)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "nested more than %d deep", MAX_DEPTH);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)length, NULL)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "not UTF-8");
        return NULL;
    }
    JsonParser *parser = json_parser_new();
    if (!json_parser_load_from_data(parser, text, (gssize)length, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "%s", failure->message);
        g_error_free(failure);
    } else if (!(root = json_parser_steal_root(parser)) || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, XT_ERROR, XT_ERROR_INPUT, "not a JSON object");
        g_clear_pointer(&root, json_node_unref);
    }
    g_object_unref(parser);
    return root;
}
