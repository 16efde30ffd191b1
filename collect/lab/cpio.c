#include "collect/lab/cpio.h"

#include "parse/error.h"

#include <string.h>
#include <sys/stat.h>

struct xt_cpio {
    GByteArray *bytes;
    GHashTable *paths;
    unsigned next_inode;
};

struct xt_cpio *xt_cpio_new(void)
{
    struct xt_cpio *cpio = g_new0(struct xt_cpio, 1);
    cpio->bytes = g_byte_array_new();
    cpio->paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    cpio->next_inode = 1;
    return cpio;
}

void xt_cpio_free(struct xt_cpio *cpio)
{
    if (!cpio)
        return;
    g_clear_pointer(&cpio->bytes, g_byte_array_unref);
    g_hash_table_unref(cpio->paths);
    g_free(cpio);
}

static void pad(struct xt_cpio *cpio, guint to)
{
    static const guint8 zeros[512];
    guint over = cpio->bytes->len % to;
    if (over)
        g_byte_array_append(cpio->bytes, zeros, to - over);
}

static void add(struct xt_cpio *cpio, const char *path, unsigned mode, const void *data, gsize bytes)
{
    /* magic, inode, mode, uid, gid, links, mtime, size, device ×2, special device ×2, length of the name,
     * checksum */
    char *header = g_strdup_printf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                                   cpio->next_inode++, mode, 0u, 0u, 1u, 0u, (unsigned)bytes, 0u, 0u, 0u, 0u,
                                   (unsigned)strlen(path) + 1, 0u);
    g_byte_array_append(cpio->bytes, (const guint8 *)header, (guint)strlen(header));
    g_byte_array_append(cpio->bytes, (const guint8 *)path, (guint)strlen(path) + 1);
    pad(cpio, 4);
    if (bytes)
        g_byte_array_append(cpio->bytes, data, (guint)bytes);
    pad(cpio, 4);
    g_free(header);
}

/* True if the path is new; its folders are there then. */
static bool claim(struct xt_cpio *cpio, const char *path)
{
    char *above;
    if (g_hash_table_contains(cpio->paths, path))
        return false;
    above = g_path_get_dirname(path);
    if (strcmp(above, ".") != 0)
        xt_cpio_folder(cpio, above);
    g_free(above);
    g_hash_table_add(cpio->paths, g_strdup(path));
    return true;
}

void xt_cpio_folder(struct xt_cpio *cpio, const char *path)
{
    if (claim(cpio, path))
        add(cpio, path, S_IFDIR | 0755, NULL, 0);
}

void xt_cpio_file(struct xt_cpio *cpio, const char *path, unsigned mode, const void *data, gsize bytes)
{
    if (claim(cpio, path))
        add(cpio, path, S_IFREG | mode, data, bytes);
}

void xt_cpio_link(struct xt_cpio *cpio, const char *path, const char *target)
{
    if (claim(cpio, path))
        add(cpio, path, S_IFLNK | 0777, target, strlen(target));
}

bool xt_cpio_copy(struct xt_cpio *cpio, const char *path, unsigned mode, const char *from, GError **error)
{
    char *data;
    gsize bytes;
    GError *failure = NULL;

    if (!g_file_get_contents(from, &data, &bytes, &failure)) {
        g_set_error(error, XT_ERROR, XT_ERROR_SYSTEM, "%s", failure->message);
        g_error_free(failure);
        return false;
    }
    xt_cpio_file(cpio, path, mode, data, bytes);
    g_free(data);
    return true;
}

GBytes *xt_cpio_finish(struct xt_cpio *cpio)
{
    add(cpio, "TRAILER!!!", 0, NULL, 0);
    pad(cpio, 512);
    return g_byte_array_free_to_bytes(g_steal_pointer(&cpio->bytes));
}
