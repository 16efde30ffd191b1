/* Writes initramfs archives (cpio, "newc"). The kernel takes several in a row as one. */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct xt_cpio;

struct xt_cpio *xt_cpio_new(void);
void xt_cpio_free(struct xt_cpio *cpio);

/* Paths have no leading slash; missing folders above are made. A path that is there already is left as it is.
 */
void xt_cpio_folder(struct xt_cpio *cpio, const char *path);
void xt_cpio_file(struct xt_cpio *cpio, const char *path, unsigned mode, const void *data, gsize bytes);
void xt_cpio_link(struct xt_cpio *cpio, const char *path, const char *target);
/* A copy of a file of this machine. XT_ERROR_SYSTEM if it cannot be read. */
bool xt_cpio_copy(struct xt_cpio *cpio, const char *path, unsigned mode, const char *from, GError **error);

/* Closes the archive and returns its bytes; the archive is spent. Caller frees (g_bytes_unref). */
GBytes *xt_cpio_finish(struct xt_cpio *cpio);
