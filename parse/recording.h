/* A recording: a folder with trace.xen (or .zst), host/ (what `xl` said), guests/, recording.json; or a bare trace
 * file. Only reads; collect/ makes recordings. Every part but the trace may be missing or damaged: what is unknown
 * stays unknown and is noted, nothing is guessed. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* One VCPU as the host snapshot (or recording.json, or the user) knows it. */
struct xt_host_vcpu {
    uint16_t domid, vcpu;
    char *domain;                 /* name; hostile text */
    int64_t period_ns, budget_ns; /* RTDS parameters, 0 unknown */
    int extratime;                /* 1, 0, -1 unknown */
    int64_t ref_period_ns, ref_budget_ns; /* reference reservation (docs/design.md, item 8), 0 none */
    int weight, cap;              /* credit, credit2; 0 unknown / none */
    char *hard_affinity;          /* as xl prints it: "all", "1-2", NULL unknown */
    bool affinity_changed;        /* another one in `xl vcpu-list` after the recording than before it */
    bool affinity_late;           /* only the list from after the recording has it: a domain that came meanwhile */
    bool online;                  /* some `xl vcpu-list` shows it plugged in */
    char *cpupool;                /* NULL unknown */
    double cpu_time_before_s, cpu_time_after_s; /* xl vcpu-list; -1 unknown */
};

/* One domain as the host snapshot knows it; its VCPUs need not be known. */
struct xt_host_domain {
    uint16_t domid;
    char *name;    /* hostile text; NULL unknown */
    char *cpupool; /* NULL unknown */
};

struct xt_host_cpupool {
    char *name;
    char *scheduler; /* as xl prints it; NULL unknown */
    GArray *pcpus;   /* of int32_t, ascending */
};

struct xt_recording {
    char *path;       /* as given */
    char *trace_path; /* the trace file, "-" for standard input */
    char *name;       /* default run name: the folder's or file's name without its endings */
    bool is_folder;
    bool emulated;           /* recording.json says so */
    char *xen_version;       /* "4.17.5", NULL unknown */
    char *xen_scheduler;     /* `xl info` xen_scheduler, NULL unknown */
    double cpu_mhz;          /* `xl info`, 0 unknown */
    int nr_cpus;             /* `xl info`, 0 unknown */
    char *granularity;       /* scheduling granularity: "cpu", "core", "socket"; NULL unknown */
    char *policy;            /* gEDF, pEDF, credit, credit2, null, arinc653; NULL if the snapshot does not tell */
    char *policy_why;        /* one sentence: how it was derived, or what is missing */
    char *server;            /* "periodic" or "mixed" if recording.json says that a background task keeps all or some guests
                                busy; NULL: servers are as the scheduler has them (RTDS: deferrable) */
    GPtrArray *vcpus;        /* of struct xt_host_vcpu, by (domid, vcpu) */
    GPtrArray *domains;      /* of struct xt_host_domain, by domid */
    GPtrArray *cpupools;     /* of struct xt_host_cpupool */
    GPtrArray *guests;       /* of char *: names of guests/NAME folders and guests/NAME.* files */
    GPtrArray *notes;        /* of char *: what could not be read, one sentence each */
};

/* Opens a recording folder or a trace file ("-": standard input). NULL and XT_ERROR_INPUT if there is no trace. */
struct xt_recording *xt_recording_open(const char *path, GError **error);
void xt_recording_free(struct xt_recording *recording);

/* What host/ in a folder says, and nothing else: for a recording that is being made. */
struct xt_recording *xt_recording_read_host(const char *folder);

/* NULL if the snapshot does not know that VCPU. */
const struct xt_host_vcpu *xt_recording_vcpu(const struct xt_recording *recording, uint16_t domid, uint16_t vcpu);

/* Name of a domain, NULL if the snapshot does not know it. */
const char *xt_recording_domain_name(const struct xt_recording *recording, uint16_t domid);

/* SHA-256 over the content of the trace file as stored and of everything in host/ and guests/ (names and bytes, sorted),
 * as lower-case hex; equal for equal recordings wherever they lie. For standard input or a pipe NULL without error.
 * Exactly: the digest of "HEX  NAME\0" for each file (HEX its own SHA-256, as `sha256sum -z` prints), in byte order of
 * NAME, which is the path inside the recording; the trace counts as "trace". A symbolic link counts as a file that
 * holds its target's name and is never followed; pipes and devices do not count. Safe to call from another thread.
 * XT_ERROR_INPUT, XT_ERROR_SYSTEM. */
char *xt_recording_hash(const struct xt_recording *recording, GError **error);

/* Parses "d1v0=10ms/4ms" (Pi/Theta; units ns, us, ms, s; "d1=…" for all VCPUs of a domain, "NAME=…" by domain name) and
 * sets the reference reservation. A VCPU named as d1v0 need not be in the snapshot; for the other two forms the snapshot
 * must know the domain's VCPUs. XT_ERROR_USAGE with what is wrong. */
bool xt_recording_set_reservation(struct xt_recording *recording, const char *text, GError **error);

/* Whether text can be one, as long as there is no recording. XT_ERROR_USAGE. */
bool xt_reservation_check(const char *text, GError **error);

/* Parses a time with unit ("1.5ms", "250us", "3s", "17" = ns) to ns, exactly. XT_ERROR_USAGE if it is none, negative,
 * finer than 1 ns or beyond 2^63 - 1 ns. */
bool xt_parse_time_ns(const char *text, int64_t *ns, GError **error);
