/* libFuzzer: the texts of a recording. The first line names the file that the rest is. */
#include <string.h>

#include "parse/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_host_file(struct xt_recording *r, const char *name, const char *text, size_t length)
{
    struct xt_snapshot *snapshot = xt_snapshot_begin(r);
    xt_snapshot_file(snapshot, name, text, length);
    xt_snapshot_file(snapshot, "xl-vcpu-list-after.txt", text, length);
    xt_snapshot_file(snapshot, "xl-cpupool-list.txt", text, length);
    xt_snapshot_end(snapshot);
    xt_snapshot_derive_policy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = memchr(text, '\n', size);
    if (!newline)
        return 0;
    /* The parsers get their text in a block of its own size, so that reading beyond it shows. */
    char *name = g_strndup(text, (gsize)(newline - text));
    size_t length = size - (size_t)(newline + 1 - text);
    char *body = g_memdup2(newline + 1, length);
    struct xt_recording *r = xt_recording_new();
    int64_t ns;
    if (!strcmp(name, "recording.json"))
        xt_snapshot_json(r, body ? body : "", length);
    else
        parse_host_file(r, name, body ? body : "", length);
    xt_recording_set_reservation(r, name, NULL);
    xt_parse_time_ns(name, &ns, NULL);
    xt_recording_free(r);
    g_free(body);
    g_free(name);
    return 0;
}
