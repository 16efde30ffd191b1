/* recording.json: what the collector knows beyond what xl printed. Unknown members are ignored. */
#include "parse/snapshot.h"

#include <string.h>

#include "parse/untrusted.h"

#define MAX_RESERVATIONS 8192

/* Member of that name if it is a scalar of that type, else NULL. */
static JsonNode *scalar(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = json_object_get_member(object, name);
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node : NULL;
}

static const char *string_member(JsonObject *object, const char *name)
{
    JsonNode *node = scalar(object, name, G_TYPE_STRING);
    const char *text = node ? json_node_get_string(node) : NULL;
    return text && text[0] ? text : NULL;
}

/* -1: not there, or not a number that can be one */
static int64_t int_member(JsonObject *object, const char *name)
{
    JsonNode *node = scalar(object, name, G_TYPE_INT64);
    return node ? MAX(json_node_get_int(node), -1) : -1;
}

static void read_reservation(struct xt_recording *r, JsonNode *node)
{
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *domain = object ? string_member(object, "domain") : NULL;
    if (!domain) {
        xt_recording_note(r, "recording.json: a reservation without \"domain\", ignored");
        return;
    }
    GError *error = NULL;
    int vcpu = (int)MIN(int_member(object, "vcpu"), 65536);
    if (xt_recording_reserve_by_name(r, domain, vcpu, int_member(object, "period_ns"), int_member(object, "budget_ns"),
                                     &error))
        return;
    xt_recording_note(r, "recording.json: %s", error->message);
    g_error_free(error);
}

/* "reservations": [{"domain": "vm1", "vcpu": 0, "period_ns": 10000000, "budget_ns": 4000000}]; without "vcpu" for all. */
static void read_reservations(struct xt_recording *r, JsonNode *node)
{
    JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    if (!array || json_array_get_length(array) > MAX_RESERVATIONS) {
        xt_recording_note(r, "recording.json: \"reservations\" is not an array of at most %d, ignored", MAX_RESERVATIONS);
        return;
    }
    for (guint i = 0; i < json_array_get_length(array); i++)
        read_reservation(r, json_array_get_element(array, i));
}

/* A background task in the guests, which no host snapshot shows. */
static void read_server(struct xt_recording *r, const char *server)
{
    if (!server || !strcmp(server, "deferrable"))
        return;
    if (!strcmp(server, "periodic") || !strcmp(server, "mixed"))
        r->server = g_strdup(server);
    else
        xt_recording_note(r, "recording.json: \"server\" is neither deferrable, periodic nor mixed, ignored");
}

static void read_object(struct xt_recording *r, JsonObject *object)
{
    JsonNode *node = scalar(object, "emulated", G_TYPE_BOOLEAN);
    r->emulated = node && json_node_get_boolean(node);
    if (!r->xen_version)
        r->xen_version = g_strdup(string_member(object, "xen_version"));
    if (r->cpu_mhz == 0 && int_member(object, "tsc_hz") >= 1000000)
        r->cpu_mhz = (double)int_member(object, "tsc_hz") / 1e6;
    if ((node = scalar(object, "complete", G_TYPE_BOOLEAN)) && !json_node_get_boolean(node))
        xt_recording_note(r, "recording.json: the recording broke off; what was captured until then is here");
    if ((node = json_object_get_member(object, "reservations")))
        read_reservations(r, node);

    read_server(r, string_member(object, "server"));
    const char *policy = string_member(object, "policy");
    if (policy && !r->policy) {
        r->policy = g_strdup(policy);
        g_free(r->policy_why);
        r->policy_why = g_strdup("recording.json says so; the host snapshot alone does not tell");
    } else if (policy && strcmp(policy, r->policy)) {
        xt_recording_note(r, "recording.json gives another policy than the host snapshot tells; the snapshot's is used");
    }
}

void xt_snapshot_json(struct xt_recording *r, const char *text, size_t length)
{
    GError *error = NULL;
    JsonNode *root = xt_untrusted_json(text, length, &error);

    if (!root) {
        xt_recording_note(r, "recording.json: %s; ignored", error->message);
        g_error_free(error);
        return;
    }
    read_object(r, json_node_get_object(root));
    json_node_unref(root);
}
