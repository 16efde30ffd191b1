/* The texts of a recording -> struct xt_recording. Private to parse/: recording.c reads the files, these parse them.
 * The texts are hostile: anything may stand in them. What cannot be read becomes a note, never a failure. */
#pragma once

#include <stddef.h>

#include "parse/format.h"
#include "parse/recording.h"

#define XT_SNAPSHOT_MAX_TEXT (16u << 20) /* bytes; a text file beyond this is refused */

struct xt_recording *xt_recording_new(void);
void xt_recording_note(struct xt_recording *recording, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A VCPU's key in such an index. */
#define XT_VCPU_KEY(domid, vcpu) GUINT_TO_POINTER((guint)(domid) << 16 | (vcpu))

/* Finds or adds; the returned pointer belongs to the recording. Additions need xt_recording_sort() before look-ups. */
struct xt_host_vcpu *xt_recording_add_vcpu(struct xt_recording *recording, GHashTable *index, uint16_t domid,
                                           uint16_t vcpu);
struct xt_host_domain *xt_recording_add_domain(struct xt_recording *recording, GHashTable *index, uint16_t domid);
struct xt_host_cpupool *xt_recording_add_cpupool(struct xt_recording *recording, const char *name);
void xt_recording_sort(struct xt_recording *recording);
/* Adds a VCPU that is not there, in its place. */
struct xt_host_vcpu *xt_recording_insert_vcpu(struct xt_recording *recording, uint16_t domid, uint16_t vcpu);
/* Like xt_recording_set_reservation for a domain by its name, whatever it looks like; vcpu -1: all of its VCPUs. */
bool xt_recording_reserve_by_name(struct xt_recording *recording, const char *domain, int vcpu, int64_t period_ns,
                                  int64_t budget_ns, GError **error);

/* A parse of one host/ folder. Feed it the files in the order of xt_snapshot_files, then end it. */
struct xt_snapshot;
struct xt_snapshot *xt_snapshot_begin(struct xt_recording *recording);
/* name: the file's name in host/. Ignores names that it does not know. */
void xt_snapshot_file(struct xt_snapshot *snapshot, const char *name, const char *text, size_t length);
/* Joins what the files said (names, pools) and frees snapshot. */
void xt_snapshot_end(struct xt_snapshot *snapshot);

/* Rank of a file in host/ in reading order, -1 if nothing here reads it. */
int xt_snapshot_rank(const char *name);

/* recording.json; comes last. */
void xt_snapshot_json(struct xt_recording *recording, const char *text, size_t length);

/* Sets policy and policy_why from the host snapshot; comes before recording.json. */
void xt_snapshot_derive_policy(struct xt_recording *recording);

/* A set of pCPU numbers below XT_MAX_PCPUS, from "0,2-4". */
struct xt_pcpu_set {
    uint64_t words[XT_MAX_PCPUS / 64];
};
/* "all", "any cpu": all of them; "none": empty. false if text is no such list. */
bool xt_pcpu_set_parse(struct xt_pcpu_set *set, const char *text);
static inline bool xt_pcpu_set_has(const struct xt_pcpu_set *set, int32_t pcpu)
{
    return pcpu >= 0 && (uint32_t)pcpu < XT_MAX_PCPUS && (set->words[pcpu / 64] >> (pcpu % 64) & 1);
}
