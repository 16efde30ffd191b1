/* recording.json, the page that says what a recording is: see docs/recording.md for its keys. */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

#define XT_MANIFEST_FILE    "recording.json"
#define XT_MANIFEST_VERSION 1

/* A new manifest: format, version, created (now, UTC), tool; "complete" is false. Owned by the caller
 * (json_object_unref). */
JsonObject *xt_manifest_new(void);

/* Sets "created" to now, UTC. */
void xt_manifest_set_created(JsonObject *manifest);

/* Reads FOLDER/recording.json. XT_ERROR_INPUT if it is missing, no JSON object or of a later version. */
JsonObject *xt_manifest_load(const char *folder, GError **error);

/* Writes FOLDER/recording.json so that it is there whole or as it was. XT_ERROR_SYSTEM. */
bool xt_manifest_save(JsonObject *manifest, const char *folder, GError **error);

/* Lists every file of the folder in "files" (path, bytes, SHA-256) but recording.json and hidden ones, notes
 * the hash of the trace in "trace", and saves. XT_ERROR_SYSTEM. */
bool xt_manifest_finish(JsonObject *manifest, const char *folder, GError **error);

/* Compares the folder with "files". One sentence per difference (char *); empty if all is as it was recorded.
 * XT_ERROR_INPUT if the manifest lists no files, XT_ERROR_SYSTEM if a file cannot be read. */
GPtrArray *xt_manifest_verify(JsonObject *manifest, const char *folder, GError **error);

/* NULL (0, false) if the key is missing or of another type. */
const char *xt_manifest_string(JsonObject *object, const char *key);
gint64 xt_manifest_int(JsonObject *object, const char *key);
bool xt_manifest_bool(JsonObject *object, const char *key);
JsonObject *xt_manifest_object(JsonObject *object, const char *key);
JsonArray *xt_manifest_array(JsonObject *object, const char *key);
