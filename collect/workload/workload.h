/* The guest workload: periodic real-time tasks whose jobs are logged with TSC time stamps. Plain C and
 * nothing but the C library, so that it links statically into a guest that has nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One activation of a task. Times are TSC cycles; 0 means that it did not happen before the run's end. */
struct job {
    uint64_t release_ns; /* CLOCK_MONOTONIC */
    uint64_t start_tsc, completion_tsc;
};

struct task {
    unsigned id;
    uint64_t wcet_ns, period_ns, deadline_ns, phase_ns;
    int cpu;            /* -1: may move */
    size_t cache_bytes; /* 0: work in registers; else the job walks through a buffer of this size */
    int priority;       /* SCHED_FIFO; 0 under SCHED_DEADLINE */
    struct job *jobs;
    size_t n_jobs, max_jobs;
};

enum policy { POLICY_RM, POLICY_DM, POLICY_EDF, POLICY_PARTITIONED };

/* Where CLOCK_MONOTONIC and the TSC stood at one instant. */
struct anchor {
    uint64_t mono_ns, tsc;
};

struct clock_map {
    struct anchor *anchors; /* ascending in both */
    size_t n, max;
};

/* clock.c */
uint64_t mono_ns(void);
uint64_t tsc_now(void);
/* Adds the present instant; drops it silently where the reading was disturbed (unless it is the first), the
 * last one was less than 50 ms ago or the map is full. */
void clock_map_sample(struct clock_map *map);
/* TSC frequency from the map's ends, in Hz. Needs two anchors. */
uint64_t clock_map_hz(const struct clock_map *map);
uint64_t clock_map_tsc(const struct clock_map *map, uint64_t at_mono_ns);
uint64_t clock_map_mono_ns(const struct clock_map *map, uint64_t at_tsc);

/* work.c */
struct work_limits {
    uint64_t tsc_hz;
    uint64_t gap_cycles; /* a longer pause between two looks at the TSC is time that somebody else ran */
    uint64_t end_tsc;    /* give up there */
};
/* To be called all the time while a thread computes, with what it returned the last time: now and then it lets an emulator go
 * on to other pCPUs. */
uint64_t take_turns(uint64_t turn_tsc, uint64_t now_tsc);
/* Works for as many cycles as wcet_ns stands for. False if end_tsc came first. buffer may be NULL. */
bool work(const struct work_limits *limits, uint64_t wcet_ns, volatile unsigned char *buffer,
          size_t buffer_bytes);

/* ctf.c: writes DIR/metadata and DIR/jobs (CTF 1.8). 0, or -1 with errno. */
struct ctf_description {
    const char *directory, *domain, *policy;
    const struct task *tasks;
    size_t n_tasks;
    const struct clock_map *clock;
};
int ctf_write(const struct ctf_description *d);

/* csv.c: writes the same as a table. 0, or -1 with errno. */
int csv_write(const char *path, const struct task *tasks, size_t n_tasks, const struct clock_map *clock);

/* main.c: completed after its deadline, or not at all. */
bool job_missed(const struct task *task, const struct job *job, const struct clock_map *clock);

/* parse.c: text to numbers. False if it is none. */
bool parse_time_ns(const char *text, uint64_t *ns); /* as parse/time-text.h, up to 10^15 ns */
bool parse_size(const char *text, size_t *bytes);   /* "64k", "2M" */
/* "wcet=4ms,period=40ms[,deadline=,phase=,cpu=,cache=]". On failure *why says what is wrong. */
bool parse_task(const char *text, struct task *task, const char **why);
