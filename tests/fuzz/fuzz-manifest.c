/* libFuzzer: any bytes as the recording.json of a folder, read and verified as `xentrail info --verify` does. */
#include <glib/gstdio.h>
#include <stdint.h>
#include <stdlib.h>

#include "collect/manifest.h"
#include "parse/error.h"

static char *folder, *manifest_path, *file_path;

static void remove_folder(void)
{
    g_unlink(manifest_path);
    g_unlink(file_path);
    g_rmdir(folder);
}

static void make_folder(void)
{
    folder = g_dir_make_tmp("fuzz-manifest-XXXXXX", NULL);
    if (!folder)
        abort();
    manifest_path = g_build_filename(folder, XT_MANIFEST_FILE, NULL);
    file_path = g_build_filename(folder, "trace.xen", NULL);
    if (!g_file_set_contents(file_path, "trace", 5, NULL))
        abort();
    atexit(remove_folder);
}

static void check_error(GError *error)
{
    if (!error || error->domain != XT_ERROR || !*error->message)
        abort();
    g_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *error = NULL;

    if (!folder)
        make_folder();
    if (!g_file_set_contents_full(manifest_path, (const char *)data, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
        abort();
    JsonObject *manifest = xt_manifest_load(folder, &error);
    if (!manifest) {
        check_error(error);
        return 0;
    }
    GPtrArray *problems = xt_manifest_verify(manifest, folder, &error);
    if (problems)
        g_ptr_array_unref(problems);
    else
        check_error(error);
    error = NULL;
    if (xt_manifest_finish(manifest, folder, &error)) { /* and what was written is whole again */
        JsonObject *again = xt_manifest_load(folder, NULL);
        problems = again ? xt_manifest_verify(again, folder, NULL) : NULL;
        if (!problems || problems->len)
            abort();
        g_ptr_array_unref(problems);
        json_object_unref(again);
    } else {
        check_error(error);
    }
    json_object_unref(manifest);
    return 0;
}
