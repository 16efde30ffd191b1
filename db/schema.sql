-- The database of xentrail, schema version 3.
--
-- Units: *_ns and every time are nanoseconds; ts, release, deadline, … count from the run's first record. *_hz: Hz,
-- *_tsc: raw TSC cycles, *_ppm: parts per million, *_s: seconds. NULL always means "unknown" or "not there", never 0.
-- Names in lower case singular are base tables; the plural views below them are what questions should be asked of.
--
-- Layout. The base table is `dispatch`: one row for each time a VCPU was given a pCPU, with the time before it and the
-- decision that led to it. Its times are one instant and differences, so that they need few bytes. Rows of all runs
-- share the tables; a run's rows are contiguous in id and, nearly, in time. `chunk` says of every few hundred rows
-- which run and which span of time they belong to: it is how rows find their run, and a time index that costs nothing.

PRAGMA application_id = 0x58745261; -- "XtRa"
PRAGMA user_version = 3;

CREATE TABLE run (
    -- One imported recording.
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,   -- chosen at import; by default the recording's
    policy TEXT,                 -- gEDF, pEDF, credit, credit2, null, arinc653; NULL if nothing tells
    policy_why TEXT,             -- how the policy was found, one sentence
    server TEXT,                 -- periodic, mixed: a background task keeps all or some guests busy, so that servers spend
                                 -- their budget at once; NULL: as the scheduler has them (RTDS: deferrable)
    scheduler TEXT NOT NULL,     -- as `xl info` spells it, from the trace's own records: the one with most of them
    xen_version TEXT,            -- from the host snapshot, "4.17.5"
    generation TEXT,             -- Xen versions whose record layouts the trace has, "4.10-4.17"
    emulated INTEGER NOT NULL,   -- 1: recorded inside an emulator, durations show shape only
    core_scheduling INTEGER NOT NULL, -- 1: pCPUs, migrations and overheads are undefined
    pcpus INTEGER NOT NULL,      -- distinct pCPUs that wrote records
    tsc_hz INTEGER NOT NULL,     -- the frequency that every time of this run was computed with
    tsc_hz_source TEXT NOT NULL, -- where it is from: trace, xl-info, user, assumed
    tsc_hz_error_ppm REAL,       -- estimated error of tsc_hz
    trace_hz REAL,               -- the trace's own estimate, whichever was chosen
    trace_hz_error_ppm REAL,
    xl_info_hz REAL,             -- `xl info` cpu_mhz
    start_tsc INTEGER NOT NULL,  -- smallest TSC of any record. SQLite's integers are signed: from 2^63 on this is the
                                 -- number minus 2^64, likewise all *_tsc; view runs has the number itself, as text then
    end_tsc INTEGER NOT NULL,    -- largest
    duration_ns INTEGER NOT NULL,
    records INTEGER NOT NULL,    -- hypervisor records, wrap and lost-records included
    lost_records INTEGER NOT NULL,      -- sum of the counts in lost-records records
    lost_windows INTEGER NOT NULL,      -- how many such records
    unknown_records INTEGER NOT NULL,   -- event id in no table
    malformed_records INTEGER NOT NULL, -- known event id, word count of no known layout
    tsc_steps_back INTEGER NOT NULL,    -- records with a TSC before their predecessor's on the same pCPU
    tsc_contradictions INTEGER NOT NULL DEFAULT 0, -- runstate changes that the TSCs of two pCPUs put in a wrong order
    tsc_corrected INTEGER NOT NULL DEFAULT 0, -- 1: offsets of pCPUs (table pcpu) set that right; 0 with contradictions:
                                 -- none do, and times between pCPUs are doubtful
    tsc_reference INTEGER,              -- pCPU whose TSC was taken to be right then
    bytes INTEGER NOT NULL,             -- of the trace, decompressed
    truncated_bytes INTEGER NOT NULL,   -- at its end that form no whole record
    now_offset_ns INTEGER,       -- Xen system time minus ts on the reference pCPU
    now_residual_ns INTEGER,     -- spread of that mapping: error bar of releases, deadlines and period misses
    now_reference_pcpu INTEGER,
    tolerance_ns INTEGER NOT NULL, -- of the period miss test
    share_ns INTEGER,            -- width of the bins of vcpu_share; NULL: the run is short, there are none
    hash TEXT,                   -- SHA-256 of the recording's content, hex; NULL from standard input
    path TEXT NOT NULL,          -- as given at import
    imported TEXT NOT NULL,      -- UTC, ISO 8601
    tool_version TEXT NOT NULL,  -- of xentrail, that imported it
    notes TEXT                   -- what was doubtful or unreadable, a line each
);
CREATE INDEX run_hash ON run(hash);

CREATE TABLE pcpu (
    -- One pCPU of a run, as its records tell.
    run INTEGER NOT NULL REFERENCES run(id),
    pcpu INTEGER NOT NULL,
    scheduler TEXT NOT NULL,     -- the one with most class records on this pCPU
    cpupool TEXT,                -- from the host snapshot
    records INTEGER NOT NULL,
    lost_records INTEGER NOT NULL,
    windows INTEGER NOT NULL,    -- pieces that the trace tool wrote of it
    first_tsc INTEGER NOT NULL,
    last_tsc INTEGER NOT NULL,
    tsc_offset_ns INTEGER NOT NULL DEFAULT 0, -- added to its times, as the order of runstate changes proves its TSC off
    tsc_offset_min_ns INTEGER,   -- what that order proves of it if that of run.tsc_reference is 0; NULL: no bound, or no
    tsc_offset_max_ns INTEGER,   -- contradictions in the run, so that nobody looked
    hz REAL,                     -- its own estimate of the TSC frequency
    hz_error_ppm REAL,           -- standard error of that
    now_offset_ns INTEGER,       -- system time minus ts, from the replenishments on this pCPU
    now_joined INTEGER NOT NULL, -- 1: its replenishments join the run's common system-time line
    PRIMARY KEY (run, pcpu)
) WITHOUT ROWID;

CREATE TABLE vcpu (
    -- One VCPU of a run (idle ones too): what the host promised it, and its totals. Counts are those of the records
    -- present; what was lost cannot be counted.
    id INTEGER PRIMARY KEY,      -- what the row tables below call a VCPU
    run INTEGER NOT NULL REFERENCES run(id),
    domid INTEGER NOT NULL,      -- 32767: idle
    vcpu INTEGER NOT NULL,       -- idle: the pCPU it idles on
    domain TEXT,                 -- name from the host snapshot
    in_trace INTEGER NOT NULL,   -- 1: has runstate changes in the trace
    in_host INTEGER NOT NULL,    -- 1: the host snapshot knows it
    period_ns INTEGER,           -- server period: host snapshot, else learned from replenishments; NULL without budgets
    budget_ns INTEGER,           -- likewise
    extratime INTEGER,           -- 1, 0
    ref_period_ns INTEGER,       -- reference reservation given from outside
    ref_budget_ns INTEGER,
    weight INTEGER,              -- credit, credit2
    cap INTEGER,                 -- percent of a pCPU
    hard_affinity TEXT,          -- as xl prints it
    cpupool TEXT,
    cpu_time_before_s REAL,      -- `xl vcpu-list` before and after the trace
    cpu_time_after_s REAL,
    running_ns INTEGER NOT NULL, -- the five sum to the run's duration
    runnable_ns INTEGER NOT NULL,
    blocked_ns INTEGER NOT NULL,
    offline_ns INTEGER NOT NULL,
    unknown_ns INTEGER NOT NULL, -- inside or behind lost records
    dispatches INTEGER NOT NULL,   -- changes to running
    wakeups INTEGER NOT NULL,      -- blocked -> runnable
    preemptions INTEGER NOT NULL,  -- running -> runnable, neither depletion nor yield
    depletions INTEGER NOT NULL,   -- running -> runnable with 0 budget left
    yields INTEGER NOT NULL,
    migrations INTEGER,            -- dispatches on another pCPU than the one before; NULL with core scheduling
    replenishments INTEGER NOT NULL,
    periods INTEGER NOT NULL,        -- server periods: distinct deadlines
    periods_judged INTEGER NOT NULL, -- those whose deadline lies in the run and that no unknown time touches
    period_misses INTEGER NOT NULL,  -- of these, missed
    no_burn INTEGER NOT NULL,        -- preemptions assumed, as Xen wrote no burn record
    inconsistencies INTEGER NOT NULL, -- records whose old state contradicts the record before
    by_extratime INTEGER NOT NULL,   -- preemptions by reason: the rest has none of these four
    by_timeslice INTEGER NOT NULL,
    by_tasklet INTEGER NOT NULL,
    by_block_abort INTEGER NOT NULL,
    UNIQUE (run, domid, vcpu)
);

CREATE TABLE chunk (
    -- Which run and span of time rows first_id … last_id of table `kind` belong to.
    kind TEXT NOT NULL,          -- dispatch, interval, decision, overhead, replenishment, period
    run INTEGER NOT NULL REFERENCES run(id),
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    from_ts INTEGER NOT NULL,    -- nothing in these rows begins earlier
    to_ts INTEGER NOT NULL,      -- nothing ends later
    PRIMARY KEY (kind, run, first_id)
) WITHOUT ROWID;

CREATE TABLE how (
    -- The combinations of states, reasons and marks that dispatches and intervals have: a few dozen over all runs.
    id INTEGER PRIMARY KEY,
    off_state TEXT,              -- state before it was eligible (dispatch), state (interval); NULL: no such part
    off_reason TEXT,             -- why that began
    ready_reason TEXT,           -- why it became eligible
    end_reason TEXT,             -- why it stopped running; NULL: the run's end, lost records
    end_kind TEXT,               -- preemption, depletion, yield, block, offline: what the end counts as
    open_start INTEGER NOT NULL, -- 1: the first part began before the run
    open_end INTEGER NOT NULL,   -- 1: goes on beyond the run
    cut_start INTEGER NOT NULL,  -- 1: begins at the end of a lost window, not at a dispatch
    cut_end INTEGER NOT NULL,    -- 1: ends where a lost window begins
    migrated INTEGER NOT NULL,   -- 1: ran on another pCPU the time before
    across_loss INTEGER NOT NULL, -- 1: lost records since it ran before
    no_burn INTEGER NOT NULL,    -- 1: left runnable, and Xen wrote no burn record
    decision_no_burn INTEGER NOT NULL, -- 1: the decision that dispatched it lacks the burn of the one before
    no_dispatch INTEGER NOT NULL, -- 1: its change to running is not in the trace
    tickled INTEGER NOT NULL,    -- 1: the pCPU had been tickled
    latency TEXT,                -- what it waited after: wake, preempt, replenish; NULL: no latency to measure
    latency_apart INTEGER NOT NULL -- 1: the latency is in latency_ns, 0: it is waited_ns
);

CREATE TABLE dispatch (
    -- One time that a VCPU had a pCPU, from becoming ineligible before it to leaving the pCPU:
    -- off_state until end_ts - ran_ns - waited_ns, runnable until end_ts - ran_ns, running until end_ts.
    id INTEGER PRIMARY KEY,      -- in the order of end_ts, nearly
    vcpu INTEGER NOT NULL,       -- vcpu.id, likewise below
    how INTEGER NOT NULL,        -- how.id
    end_ts INTEGER NOT NULL,     -- left the pCPU
    ran_ns INTEGER NOT NULL,
    waited_ns INTEGER NOT NULL,  -- runnable before that
    off_ns INTEGER NOT NULL,     -- in off_state before that
    pcpu INTEGER,                -- NULL with core scheduling
    from_pcpu INTEGER,           -- that it ran on before
    prev INTEGER,                -- vcpu.id that left the pCPU to it
    next INTEGER,                -- vcpu.id that took the pCPU from it
    decision_ns INTEGER,         -- first record of the decision -> switch record; NULL: no sample
    switch_ns INTEGER,           -- switch record -> change to running; NULL: no sample
    budget_left_ns INTEGER,      -- of its server when it left, from the burn record
    latency_ns INTEGER           -- if how.latency_apart
);

CREATE TABLE interval (
    -- Time of a VCPU that no dispatch carries: before its first and after its last, and around lost records.
    id INTEGER PRIMARY KEY,
    vcpu INTEGER NOT NULL,
    how INTEGER NOT NULL,        -- state is how.off_state
    ts INTEGER NOT NULL,
    dur_ns INTEGER NOT NULL
);

CREATE TABLE decision (
    -- A scheduling decision that dispatched nobody (those that did are in `dispatch`).
    id INTEGER PRIMARY KEY,
    pcpu INTEGER NOT NULL,
    ts INTEGER NOT NULL,         -- start; the end if the start is not in the trace
    dur_ns INTEGER,              -- NULL: no sample
    prev INTEGER,                -- vcpu.id that had the pCPU
    next INTEGER,                -- vcpu.id that was to get it; NULL if it stays with prev
    how INTEGER NOT NULL         -- how.no_dispatch: a switch without its change to running, else it went on with prev;
                                 -- how.decision_no_burn: lacks its burn record; how.tickled
);

CREATE TABLE metric (
    -- What is measured. Overhead is pCPU time spent by the hypervisor, latency is time that a VCPU waited.
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,          -- overhead, latency
    meaning TEXT NOT NULL        -- from which record to which
);

CREATE TABLE overhead (
    -- An overhead record that the hypervisor itself wrote (RT-Xen forks).
    id INTEGER PRIMARY KEY,
    metric INTEGER NOT NULL REFERENCES metric(id),
    pcpu INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    dur_ns INTEGER NOT NULL,
    prev INTEGER,                -- vcpu.id
    next INTEGER,
    migrated INTEGER NOT NULL
);

CREATE TABLE replenishment (
    -- RTDS gave a server its budget anew, and no row of `period` says so (the others carry the one that opened them).
    id INTEGER PRIMARY KEY,
    vcpu INTEGER NOT NULL,
    pcpu INTEGER NOT NULL,       -- that wrote the record
    ts INTEGER NOT NULL,
    deadline_now_ns INTEGER NOT NULL, -- deadline as in the record: absolute Xen system time
    budget_ns INTEGER NOT NULL
);

CREATE TABLE reservation (
    -- Distinct (period, budget) that a VCPU was judged by: changed parameters are another row.
    id INTEGER PRIMARY KEY,
    vcpu INTEGER NOT NULL REFERENCES vcpu(id),
    period_ns INTEGER NOT NULL,
    budget_ns INTEGER NOT NULL,
    reference INTEGER NOT NULL   -- 1: given from outside, not the scheduler's own
);

CREATE TABLE period (
    -- One server period.
    id INTEGER PRIMARY KEY,
    reservation INTEGER NOT NULL, -- reservation.id
    deadline INTEGER NOT NULL,   -- release is period_ns before
    supplied_ns INTEGER NOT NULL, -- ran in [release, deadline) out of its own budget
    extratime_ns INTEGER NOT NULL, -- ran beyond it, at a lower priority level
    missed INTEGER,              -- NULL: not judged (deadline beyond the run, or unknown time in it)
    ready_ns INTEGER,            -- how long before the deadline it became ready and stayed so; NULL: not ready at it
    short_ns INTEGER NOT NULL,   -- what it should have got until the deadline and did not
    overload_ns INTEGER NOT NULL,  -- pCPU time while it waited, by who held the pCPUs it could use: earlier deadlines
    inversion_ns INTEGER NOT NULL, -- later deadlines, or beyond budget
    latency_ns INTEGER NOT NULL,   -- nobody
    unknown_ns INTEGER NOT NULL,   -- lost records, or no deadline to compare
    replenished_ns INTEGER,      -- the replenishment that opened it, after its release; NULL: none stored here
    replenished_pcpu INTEGER     -- pCPU that wrote it
);
CREATE INDEX period_missed ON period(reservation, deadline, short_ns, missed) WHERE missed; -- enough to list and number

CREATE TABLE blame_part (
    -- Who held which pCPU while the VCPU of a missed period waited.
    period INTEGER NOT NULL REFERENCES period(id),
    part INTEGER NOT NULL,       -- counts from 0 within the period
    blame TEXT NOT NULL,         -- overload, inversion, latency, unknown
    pcpu INTEGER NOT NULL,
    vcpu INTEGER,                -- vcpu.id that ran there, NULL unknown
    dur_ns INTEGER NOT NULL,
    PRIMARY KEY (period, part)
) WITHOUT ROWID;

CREATE TABLE vcpu_share (
    -- How much of each bin of time a VCPU spent how, and where it ran; for overviews of long runs, whose intervals are too
    -- many to read. Bins in which it did nothing of this have no row.
    run INTEGER NOT NULL REFERENCES run(id),
    bin INTEGER NOT NULL,        -- from bin * run.share_ns on, that long
    vcpu INTEGER NOT NULL,       -- vcpu.id; no idle ones
    running_ns INTEGER NOT NULL,
    runnable_ns INTEGER NOT NULL,
    unknown_ns INTEGER NOT NULL,
    intervals INTEGER NOT NULL,  -- in these three states that began in the bin
    pcpus BLOB NOT NULL,         -- where it ran: pairs of pCPU and ns there, each unsigned LEB128; a pCPU can come twice;
                                 -- empty with core scheduling
    PRIMARY KEY (run, bin, vcpu)
) WITHOUT ROWID;

CREATE TABLE loss (
    -- Records lost on one pCPU: nothing is known of it in [ts, end_ts].
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run(id),
    pcpu INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    end_ts INTEGER NOT NULL,
    lost_records INTEGER NOT NULL
);
CREATE INDEX loss_run ON loss(run, end_ts);

CREATE TABLE metric_stat (
    -- Distribution of a metric in a run. Quantiles are exact, nearest rank: the ceil(p*n)-th smallest sample.
    run INTEGER NOT NULL REFERENCES run(id),
    metric INTEGER NOT NULL REFERENCES metric(id),
    n INTEGER NOT NULL,          -- samples
    dropped INTEGER NOT NULL,    -- not sampled: start not in the trace, or touched by lost records
    min_ns INTEGER, mean_ns REAL, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, p999_ns INTEGER, max_ns INTEGER,
    PRIMARY KEY (run, metric)
) WITHOUT ROWID;

CREATE TABLE sample (
    -- Every sample of a metric in a run, as (value, count) pairs in ascending order of value, some thousands a row.
    -- pairs: for each, unsigned LEB128 of the value's difference to the one before in the same row (the first: to 0),
    -- then unsigned LEB128 of the count.
    run INTEGER NOT NULL REFERENCES run(id),
    metric INTEGER NOT NULL REFERENCES metric(id),
    part INTEGER NOT NULL,       -- counts from 0
    n INTEGER NOT NULL,          -- samples in this row
    min_ns INTEGER NOT NULL,
    max_ns INTEGER NOT NULL,
    pairs BLOB NOT NULL,
    PRIMARY KEY (run, metric, part)
);

CREATE TABLE policy_metric (
    -- metric_stat over all samples of all runs of a policy and kind of server, pooled; kept up to date by import.
    policy TEXT NOT NULL,        -- 'unknown' for runs without
    server TEXT NOT NULL DEFAULT '', -- as in run, '' for NULL
    metric INTEGER NOT NULL REFERENCES metric(id),
    runs INTEGER NOT NULL,       -- that have samples
    n INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    min_ns INTEGER, mean_ns REAL, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, p999_ns INTEGER, max_ns INTEGER,
    PRIMARY KEY (policy, server, metric)
) WITHOUT ROWID;

CREATE TABLE rule (
    -- How each conformance rule fared that something was checked by; see xentrail-check(1).
    run INTEGER NOT NULL REFERENCES run(id),
    rule TEXT NOT NULL,           -- "priority-order", …
    checked INTEGER NOT NULL,     -- how often it was applied
    broken INTEGER NOT NULL,
    worst INTEGER,                -- largest value found, broken or not, in unit
    limit_value INTEGER NOT NULL, -- what is tolerated, in unit
    unit TEXT NOT NULL,           -- ns, cycles, percent; empty: yes or no
    reactions INTEGER NOT NULL,   -- not 0: the limit is 10 times reaction_p95_ns, from so many reactions of pCPUs
    reaction_p95_ns INTEGER,
    meaning TEXT NOT NULL,
    PRIMARY KEY (run, rule)
) WITHOUT ROWID;

CREATE TABLE server (
    -- What kind of server each VCPU is, told from what becomes of its budget while it is blocked.
    run INTEGER NOT NULL REFERENCES run(id),
    domid INTEGER NOT NULL,
    vcpu INTEGER NOT NULL,
    kind TEXT NOT NULL,           -- deferrable, periodic, sporadic, unknown
    kept INTEGER NOT NULL,        -- returns from blocking within a period with the budget as before
    fell INTEGER NOT NULL,        -- with less
    in_step INTEGER NOT NULL,     -- replenishments a whole number of periods after the last one's deadline
    out_of_step INTEGER NOT NULL,
    PRIMARY KEY (run, domid, vcpu)
) WITHOUT ROWID;

CREATE TABLE violation (
    -- Instants that break a rule: the first 10000 of each.
    run INTEGER NOT NULL REFERENCES run(id),
    rule TEXT NOT NULL,
    ts INTEGER NOT NULL,          -- ns
    end_ts INTEGER NOT NULL,      -- ns
    domid INTEGER, vcpu INTEGER,  -- whom it happened to
    by_domid INTEGER, by_vcpu INTEGER, -- who ran instead
    pcpu INTEGER,                 -- where
    value INTEGER NOT NULL,       -- what was found, in the rule's unit
    limit_value INTEGER NOT NULL
);
CREATE INDEX violation_run ON violation(run, ts);

CREATE TABLE job (
    -- One activation of a task inside a guest, as the guest itself logged it. Times may lie outside the run.
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run(id),
    domid INTEGER,               -- NULL: the host snapshot does not know the guest
    domain TEXT NOT NULL,
    task TEXT NOT NULL,
    job INTEGER NOT NULL,        -- number within the task
    release INTEGER NOT NULL,
    start INTEGER,               -- NULL: not logged
    completion INTEGER,          -- NULL: none
    deadline INTEGER NOT NULL,
    missed INTEGER               -- 1: completed after its deadline, or not by then; NULL: log ends before the deadline, or its
                                 -- tracer lost events meanwhile
);
CREATE INDEX job_run ON job(run, release);

CREATE TABLE job_stat (
    -- Jobs of a task, summed up at import. response = completion - release, lateness = completion - deadline,
    -- tardiness = max(lateness, 0); over completed jobs.
    run INTEGER NOT NULL REFERENCES run(id),
    domain TEXT NOT NULL,
    task TEXT NOT NULL,
    domid INTEGER,
    period_ns INTEGER,           -- median distance of releases
    jobs INTEGER NOT NULL,       -- all that can be judged
    completed INTEGER NOT NULL,
    misses INTEGER NOT NULL,
    min_response_ns INTEGER, mean_response_ns REAL, max_response_ns INTEGER,
    mean_lateness_ns REAL, max_lateness_ns INTEGER,
    mean_tardiness_ns REAL, max_tardiness_ns INTEGER,
    PRIMARY KEY (run, domain, task)
) WITHOUT ROWID;

CREATE TABLE guest (
    -- A guest that logged jobs, and whether its clock fits the run: it can only have executed while its VCPUs ran.
    run INTEGER NOT NULL REFERENCES run(id),
    domain TEXT NOT NULL,
    domid INTEGER,               -- NULL: the host snapshot does not know the guest
    clock TEXT NOT NULL,         -- tsc: it stamps with the TSC; anchored: by pairs of its clock and the TSC that it noted;
                                 -- fitted: offset found by its executing only while its VCPUs run; untied: not at all, its
                                 -- times count from its first release
    tsc_hz REAL,                 -- as the guest measured it; NULL: not said
    offset_ns INTEGER,           -- fitted: ts minus the guest's clock; anchored: added since only so the marks fit
    offset_error_ns INTEGER,     -- half the width of the offsets that fit as well
    wander_ns INTEGER,           -- its clock does not keep pace with the TSC: the offset moves within this range, and offset_ns
                                 -- is its middle; NULL: it keeps
    marks INTEGER NOT NULL,      -- instants at which it executed and the run tells whether its VCPUs ran
    marks_running INTEGER NOT NULL, -- of them while one ran
    share REAL,                  -- marks_running / marks
    chance REAL,                 -- share of the run's time in which its VCPUs ran: what marks without relation would show; if
                                 -- the clock wanders, the best share when it is followed from places where it cannot be
    evidence INTEGER NOT NULL,   -- 1: the fit is good enough to explain misses by the run
    why TEXT,                    -- if not: what is wrong and what to do
    incomplete INTEGER NOT NULL, -- jobs without release or deadline in the log: left out
    lost INTEGER NOT NULL,       -- events that the guest's tracer lost: jobs that may have completed meanwhile are not judged
    PRIMARY KEY (run, domain)
) WITHOUT ROWID;

CREATE TABLE job_miss (
    -- Why a job was late. Times and counts are NULL where the cause is unknown.
    job INTEGER PRIMARY KEY REFERENCES job(id),
    supplied_ns INTEGER,         -- its domain's VCPUs ran together in [release, deadline)
    waited_ns INTEGER,           -- at least one stood runnable since the guest had unfinished jobs, until it was through
    periods_judged INTEGER,      -- server periods of them that overlap that time
    period_misses INTEGER,
    cause TEXT NOT NULL          -- supply: a server period was missed or, where none is judged, waited_ns is at least what
                                 -- the job was late; guest: not so; unknown: no evidence
);

-- What follows is promised to users: names and columns stay.
--
-- Windows. The views over many rows end in chunk_from and chunk_to, the span of time of the rows stored beside that
-- one. They are no fact about the row. To read a window of a long run in an instant, name them:
--     SELECT * FROM intervals WHERE run = 1 AND ts < 2100000000 AND ts + dur > 2000000000
--        AND chunk_from < 2100000000 AND chunk_to > 2000000000;

CREATE VIEW runs AS
    -- Every run, with how its times were made and what was wrong with its trace. Columns: table run.
    SELECT id AS run, name, policy, scheduler, xen_version, pcpus, tsc_hz, tsc_hz_source,
        CASE WHEN start_tsc < 0 THEN printf('%u', start_tsc) ELSE start_tsc END AS start_tsc,
        duration_ns, records, lost_records, tsc_hz_error_ppm, trace_hz, trace_hz_error_ppm, xl_info_hz,
        lost_windows, unknown_records, malformed_records, tsc_steps_back, tsc_contradictions, tsc_corrected, tsc_reference, bytes,
        truncated_bytes, generation, emulated, core_scheduling, now_offset_ns, now_residual_ns, now_reference_pcpu, tolerance_ns, share_ns,
        policy_why, hash, path, imported, tool_version, notes, server
    FROM run;

CREATE VIEW pcpus AS
    -- Every pCPU of a run. idle_ns: time that its idle VCPU ran. Columns: table pcpu.
    SELECT p.run, p.pcpu, p.scheduler, p.cpupool, v.running_ns AS idle_ns, p.records, p.lost_records, p.windows, p.hz,
        p.hz_error_ppm, p.now_offset_ns, p.now_joined, p.tsc_offset_ns, p.tsc_offset_min_ns, p.tsc_offset_max_ns
    FROM pcpu p LEFT JOIN vcpu v ON v.run = p.run AND v.domid = 32767 AND v.vcpu = p.pcpu;

CREATE VIEW vcpu_stats AS
    -- Every VCPU that is not idle: what it was promised, and its totals; zeros if only the host snapshot knows it.
    -- period_ns and budget_ns are the scheduler's own, or the reference reservation where it has none (reference is 1
    -- then). Columns: table vcpu.
    SELECT v.run, v.domid, v.domain, v.vcpu,
        coalesce(v.period_ns, v.ref_period_ns) AS period_ns, coalesce(v.budget_ns, v.ref_budget_ns) AS budget_ns,
        v.running_ns, v.runnable_ns, v.blocked_ns, v.dispatches, v.wakeups, v.preemptions, v.depletions, v.migrations,
        v.replenishments, v.periods, v.period_misses, v.periods_judged, v.offline_ns, v.unknown_ns, v.yields, v.no_burn,
        v.inconsistencies, v.by_extratime, v.by_timeslice, v.by_tasklet, v.by_block_abort, v.in_trace, v.extratime,
        v.period_ns IS NULL AND v.ref_period_ns IS NOT NULL AS reference, v.weight, v.cap, v.hard_affinity, v.cpupool,
        v.cpu_time_before_s, v.cpu_time_after_s
    FROM vcpu v WHERE v.domid <> 32767 AND (v.in_trace OR v.in_host);

CREATE VIEW intervals AS
    -- Runstate intervals of every VCPU, idle ones included; they tile the run. state: running, runnable, blocked,
    -- offline, unknown. pcpu only while running. reason: of a running interval why it ended, of every other why it
    -- began. open: 1 if it goes beyond the run. Parts that lasted 0 ns are left out.
    SELECT c.run, v.domid, v.vcpu, d.end_ts - d.ran_ns AS ts, d.ran_ns AS dur, 'running' AS state, d.pcpu,
        h.end_reason AS reason, v.domain,
        h.open_end OR (h.open_start AND h.off_state IS NULL AND d.waited_ns = 0) AS open,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
    WHERE c.kind = 'dispatch'
    UNION ALL
    SELECT c.run, v.domid, v.vcpu, d.end_ts - d.ran_ns - d.waited_ns, d.waited_ns, 'runnable', NULL,
        h.ready_reason, v.domain, h.open_start AND h.off_state IS NULL, c.from_ts, c.to_ts
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
    WHERE c.kind = 'dispatch' AND d.waited_ns > 0
    UNION ALL
    SELECT c.run, v.domid, v.vcpu, d.end_ts - d.ran_ns - d.waited_ns - d.off_ns, d.off_ns, h.off_state, NULL,
        h.off_reason, v.domain, h.open_start, c.from_ts, c.to_ts
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
    WHERE c.kind = 'dispatch' AND d.off_ns > 0
    UNION ALL
    SELECT c.run, v.domid, v.vcpu, i.ts, i.dur_ns, h.off_state, NULL, h.off_reason, v.domain,
        h.open_start OR h.open_end, c.from_ts, c.to_ts
    FROM chunk c CROSS JOIN interval i ON i.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = i.vcpu CROSS JOIN how h ON h.id = i.how
    WHERE c.kind = 'interval';

CREATE VIEW dispatches AS
    -- Every change to running in the trace. ts: when; from_pcpu: that it ran on before; latency_ns: from what latency
    -- names (wake, preempt, replenish) to this; ready_reason: why it had become eligible, waited_ns before; end_reason:
    -- why it left, ran_ns later.
    SELECT c.run, v.domid, v.vcpu, d.end_ts - d.ran_ns AS ts, d.pcpu, d.from_pcpu, h.migrated, d.ran_ns, d.waited_ns,
        h.latency, CASE WHEN h.latency_apart THEN d.latency_ns WHEN h.latency IS NOT NULL THEN d.waited_ns END AS latency_ns,
        h.ready_reason, h.end_reason, h.end_kind, d.budget_left_ns,
        p.domid AS prev_domid, p.vcpu AS prev_vcpu, n.domid AS next_domid, n.vcpu AS next_vcpu,
        d.decision_ns, d.switch_ns, v.domain, h.across_loss, c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
        LEFT JOIN vcpu p ON p.id = d.prev LEFT JOIN vcpu n ON n.id = d.next
    WHERE c.kind = 'dispatch' AND NOT h.no_dispatch;

CREATE VIEW latencies AS
    -- Each time a VCPU waited and how long, by what it waited after. metric: as in latency_stats; ts: when it began to
    -- wait (blocked -> runnable, preempted, replenished); latency_ns: from then to its dispatch.
    SELECT c.run, h.latency || '_latency' AS metric, v.domid, v.vcpu,
        d.end_ts - d.ran_ns - CASE WHEN h.latency_apart THEN d.latency_ns ELSE d.waited_ns END AS ts, d.pcpu,
        CASE WHEN h.latency_apart THEN d.latency_ns ELSE d.waited_ns END AS latency_ns, v.domain,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
    WHERE c.kind = 'dispatch' AND h.latency IS NOT NULL;

CREATE VIEW migrations AS
    -- Dispatches on another pCPU than the time before. across_loss: 1 if records were lost in between.
    SELECT c.run, v.domid, v.vcpu, d.end_ts - d.ran_ns AS ts, d.from_pcpu, d.pcpu AS to_pcpu, h.ready_reason AS reason,
        v.domain, h.across_loss, c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how
    WHERE c.kind = 'dispatch' AND h.migrated;

CREATE VIEW preemptions AS
    -- Running -> runnable, neither depletion nor yield. by: who got the pCPU. no_burn: 1 if assumed, as Xen wrote no
    -- burn record. ran_ns: how long it had run.
    SELECT c.run, v.domid, v.vcpu, d.end_ts AS ts, d.pcpu, n.domid AS by_domid, n.vcpu AS by_vcpu,
        h.end_reason AS reason, d.ran_ns, d.budget_left_ns, h.no_burn, v.domain, n.domain AS by_domain,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how LEFT JOIN vcpu n ON n.id = d.next
    WHERE c.kind = 'dispatch' AND h.end_kind = 'preemption';

CREATE VIEW depletions AS
    -- Running -> runnable since the server's budget was used up. by: who got the pCPU.
    SELECT c.run, v.domid, v.vcpu, d.end_ts AS ts, d.pcpu, n.domid AS by_domid, n.vcpu AS by_vcpu, d.ran_ns, v.domain,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how LEFT JOIN vcpu n ON n.id = d.next
    WHERE c.kind = 'dispatch' AND h.end_kind = 'depletion';

CREATE VIEW decisions AS
    -- Scheduling decisions. kind: switch or continue. ts: first record; where dur_ns is NULL (its start is not in the
    -- trace, or records were lost), the earliest instant known. dur_ns: from there to the switch or continue record. switch_ns: from the switch
    -- record to the next VCPU's change to running. no_burn: 1 if it lacks its burn record (kept apart in statistics).
    SELECT c.run, d.pcpu,
        d.end_ts - d.ran_ns - coalesce(d.decision_ns + d.switch_ns, d.switch_ns, 0) AS ts,
        'switch' AS kind, d.decision_ns AS dur_ns, p.domid AS prev_domid, p.vcpu AS prev_vcpu,
        v.domid AS next_domid, v.vcpu AS next_vcpu, h.migrated, d.switch_ns, h.decision_no_burn AS no_burn, h.tickled,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN dispatch d ON d.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN vcpu v ON v.id = d.vcpu CROSS JOIN how h ON h.id = d.how LEFT JOIN vcpu p ON p.id = d.prev
    WHERE c.kind = 'dispatch' AND NOT h.no_dispatch
    UNION ALL
    SELECT c.run, d.pcpu, d.ts, CASE WHEN h.no_dispatch THEN 'switch' ELSE 'continue' END, d.dur_ns, p.domid, p.vcpu,
        n.domid, n.vcpu, 0, NULL, h.decision_no_burn, h.tickled, c.from_ts, c.to_ts
    FROM chunk c CROSS JOIN decision d ON d.id BETWEEN c.first_id AND c.last_id CROSS JOIN how h ON h.id = d.how
        LEFT JOIN vcpu p ON p.id = d.prev
        LEFT JOIN vcpu n ON n.id = CASE WHEN h.no_dispatch THEN d.next ELSE d.prev END
    WHERE c.kind = 'decision';

CREATE VIEW overheads AS
    -- Overheads as the hypervisor itself recorded them (RT-Xen forks).
    SELECT c.run, m.name AS metric, o.pcpu, o.ts, o.dur_ns, p.domid AS prev_domid, p.vcpu AS prev_vcpu,
        n.domid AS next_domid, n.vcpu AS next_vcpu, o.migrated, c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN overhead o ON o.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN metric m ON m.id = o.metric
        LEFT JOIN vcpu p ON p.id = o.prev LEFT JOIN vcpu n ON n.id = o.next
    WHERE c.kind = 'overhead';

CREATE VIEW replenishments AS
    -- A server got its budget anew. deadline: in ts, NULL if the run's system time could not be mapped; deadline_now_ns:
    -- as in the record, absolute Xen system time.
    SELECT c.run, v.domid, v.vcpu, e.ts, e.deadline_now_ns - r.now_offset_ns AS deadline,
        e.budget_ns, e.pcpu, e.deadline_now_ns, v.domain,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN run r ON r.id = c.run
        CROSS JOIN replenishment e ON e.id BETWEEN c.first_id AND c.last_id CROSS JOIN vcpu v ON v.id = e.vcpu
    WHERE c.kind = 'replenishment'
    UNION ALL
    SELECT c.run, v.domid, v.vcpu, p.deadline - s.period_ns + p.replenished_ns, p.deadline, s.budget_ns,
        p.replenished_pcpu, p.deadline + r.now_offset_ns, v.domain, c.from_ts, c.to_ts
    FROM chunk c CROSS JOIN run r ON r.id = c.run
        CROSS JOIN period p ON p.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN reservation s ON s.id = p.reservation CROSS JOIN vcpu v ON v.id = s.vcpu
    WHERE c.kind = 'period' AND p.replenished_ns IS NOT NULL;

CREATE VIEW periods AS
    -- Server periods. missed: NULL if not judged. blame: of a miss, the cause with the most waiting time. short_ns: what
    -- it should have got and did not; ready_ts: since when it was ready without a break. reference: 1 if the
    -- reservation was given from outside. unused_ns: budget thrown away at
    -- the deadline. period: key of view blames. Times carry run.now_residual_ns as error bar.
    SELECT c.run, v.domid, v.vcpu, p.deadline - s.period_ns AS release, p.deadline, s.budget_ns, p.supplied_ns,
        p.extratime_ns, p.missed,
        CASE WHEN NOT p.missed OR p.missed IS NULL THEN NULL
            WHEN p.inversion_ns >= max(p.overload_ns, p.latency_ns, p.unknown_ns) THEN 'inversion'
            WHEN p.overload_ns >= max(p.latency_ns, p.unknown_ns) THEN 'overload'
            WHEN p.latency_ns >= p.unknown_ns THEN 'latency' ELSE 'unknown' END AS blame,
        s.period_ns, p.short_ns, p.deadline - p.ready_ns AS ready_ts, p.overload_ns, p.inversion_ns, p.latency_ns,
        p.unknown_ns, s.reference, max(s.budget_ns - p.supplied_ns, 0) AS unused_ns, v.domain, p.id AS period,
        c.from_ts AS chunk_from, c.to_ts AS chunk_to
    FROM chunk c CROSS JOIN period p ON p.id BETWEEN c.first_id AND c.last_id
        CROSS JOIN reservation s ON s.id = p.reservation CROSS JOIN vcpu v ON v.id = s.vcpu
    WHERE c.kind = 'period';

CREATE VIEW budgets AS
    -- The budget of each server over time, as Xen stated it: full where it was replenished, left_ns where a burn record
    -- came as it left a pCPU. In between it falls by 1 ns per ns while the VCPU runs and, of a deferrable server, else
    -- stays (xentrail-check(1) tells which servers are).
    SELECT run, domid, vcpu, ts, budget_ns AS left_ns, 'replenished' AS event, pcpu, domain, chunk_from, chunk_to
    FROM replenishments
    UNION ALL
    SELECT run, domid, vcpu, ts + ran_ns, budget_left_ns, 'left pCPU', pcpu, domain, chunk_from, chunk_to
    FROM dispatches WHERE budget_left_ns IS NOT NULL;

CREATE VIEW misses AS
    -- Missed server periods, each with a line that says what happened. miss: its number in the run, by deadline, as
    -- figures show it. Other columns: view periods. What comes of n is read from an index alone, so the worst of many cost
    -- little to find: SELECT * FROM misses WHERE period IN (SELECT period FROM misses ORDER BY short_ns DESC LIMIT 10).
    SELECT n.run, n.miss, n.domid, n.vcpu, n.deadline - n.period_ns AS release, n.deadline, n.budget_ns, p.supplied_ns,
        n.short_ns, n.deadline - p.ready_ns AS ready_ts, p.overload_ns, p.inversion_ns, p.latency_ns, p.unknown_ns,
        n.period_ns, n.reference, n.domain, n.period,
        printf('d%dv%d%s got %.3f of %.3f ms by its deadline at %.6f s, %.3f ms short; while it waited: %.3f ms overload, '
            || '%.3f ms inversion, %.3f ms idle pCPU, %.3f ms unknown', n.domid, n.vcpu,
            coalesce(' (' || n.domain || ')', ''), p.supplied_ns / 1e6, n.budget_ns / 1e6, n.deadline / 1e9,
            n.short_ns / 1e6, p.overload_ns / 1e6, p.inversion_ns / 1e6, p.latency_ns / 1e6, p.unknown_ns / 1e6) AS line
    FROM (SELECT v.run, row_number() OVER (PARTITION BY v.run ORDER BY p.deadline, v.id) AS miss, v.domid, v.vcpu, v.domain,
            p.deadline, p.short_ns, p.id AS period, s.budget_ns, s.period_ns, s.reference
          FROM reservation s CROSS JOIN vcpu v ON v.id = s.vcpu
              CROSS JOIN period p INDEXED BY period_missed ON p.reservation = s.id WHERE p.missed) n
        LEFT JOIN period p ON p.id = n.period;

CREATE VIEW blames AS
    -- Who held which pCPU while the VCPU of a missed period waited. period: as in view misses.
    SELECT b.period, w.run, w.domid AS for_domid, w.vcpu AS for_vcpu, b.blame, b.pcpu, v.domid, v.vcpu, b.dur_ns, v.domain
    FROM blame_part b JOIN period p ON p.id = b.period JOIN reservation s ON s.id = p.reservation
        JOIN vcpu w ON w.id = s.vcpu LEFT JOIN vcpu v ON v.id = b.vcpu;

CREATE VIEW vcpu_shares AS
    -- How much of each bin of time a VCPU spent how; only in runs too long to read every interval (runs.share_ns).
    SELECT s.run, v.domid, v.vcpu, s.bin * r.share_ns AS ts, min(r.share_ns, r.duration_ns - s.bin * r.share_ns) AS dur,
        s.running_ns, s.runnable_ns, s.unknown_ns, s.intervals, v.domain
    FROM vcpu_share s CROSS JOIN run r ON r.id = s.run CROSS JOIN vcpu v ON v.id = s.vcpu;

CREATE VIEW rules AS
    -- Conformance: how each rule fared. Columns: table rule.
    SELECT run, rule, checked, broken, worst, limit_value, unit, reactions, reaction_p95_ns, meaning FROM rule;

CREATE VIEW servers AS
    -- What kind of server each VCPU is. Columns: table server.
    SELECT s.run, s.domid, s.vcpu, s.kind, s.kept, s.fell, s.in_step, s.out_of_step, v.domain
    FROM server s LEFT JOIN vcpu v ON v.run = s.run AND v.domid = s.domid AND v.vcpu = s.vcpu;

CREATE VIEW violations AS
    -- Conformance: the instants that break a rule. by: who ran instead. Columns: table violation.
    SELECT x.run, x.rule, x.domid, x.vcpu, x.ts, x.end_ts - x.ts AS dur, x.by_domid, x.by_vcpu, x.pcpu, x.value,
        x.limit_value, r.unit, v.domain, b.domain AS by_domain
    FROM violation x LEFT JOIN rule r ON r.run = x.run AND r.rule = x.rule
        LEFT JOIN vcpu v ON v.run = x.run AND v.domid = x.domid AND v.vcpu = x.vcpu
        LEFT JOIN vcpu b ON b.run = x.run AND b.domid = x.by_domid AND b.vcpu = x.by_vcpu;

CREATE VIEW losses AS
    -- Lost records: nothing is known of that pCPU in [ts, ts + dur].
    SELECT run, pcpu, ts, end_ts - ts AS dur, lost_records FROM loss;

CREATE VIEW overhead_stats AS
    -- Distribution of each overhead: pCPU time spent by the hypervisor. Exact, nearest rank. Columns: table metric_stat.
    SELECT s.run, r.policy, m.name AS metric, s.n, s.min_ns, s.mean_ns, s.p50_ns, s.p90_ns, s.p99_ns, s.p999_ns, s.max_ns,
        s.dropped, m.meaning, r.server
    FROM metric_stat s JOIN run r ON r.id = s.run JOIN metric m ON m.id = s.metric WHERE m.kind = 'overhead';

CREATE VIEW latency_stats AS
    -- Distribution of each latency: time that a VCPU waited. Exact, nearest rank. Columns: table metric_stat.
    SELECT s.run, r.policy, m.name AS metric, s.n, s.min_ns, s.mean_ns, s.p50_ns, s.p90_ns, s.p99_ns, s.p999_ns, s.max_ns,
        s.dropped, m.meaning, r.server
    FROM metric_stat s JOIN run r ON r.id = s.run JOIN metric m ON m.id = s.metric WHERE m.kind = 'latency';

CREATE VIEW jobs AS
    -- Jobs inside guests. missed: completed after the deadline or not by then; NULL if the log does not tell.
    SELECT run, domid, domain, task, job, release, start, completion, deadline, missed,
        completion - release AS response_ns, completion - deadline AS lateness_ns
    FROM job;

CREATE VIEW job_stats AS
    -- Jobs by task. Columns: table job_stat.
    SELECT run, domid, domain, task, period_ns, jobs, completed, misses, CAST(misses AS REAL) / nullif(jobs, 0) AS miss_ratio,
        min_response_ns, mean_response_ns, max_response_ns, mean_lateness_ns, max_lateness_ns, mean_tardiness_ns,
        max_tardiness_ns
    FROM job_stat;

CREATE VIEW guests AS
    -- Guests that logged jobs, and how well their clocks fit the run. Columns: table guest.
    SELECT run, domid, domain, clock, tsc_hz, offset_ns, offset_error_ns, wander_ns, marks, marks_running, share, chance,
        evidence, why, incomplete, lost
    FROM guest;

CREATE VIEW job_misses AS
    -- Missed jobs, explained by what their domain's VCPUs got. Columns: tables job, job_miss.
    SELECT j.run, j.domid, j.domain, j.task, j.job, j.release, j.deadline, j.completion,
        j.completion - j.deadline AS lateness_ns, m.supplied_ns, m.waited_ns, m.periods_judged, m.period_misses,
        coalesce(m.cause, 'unknown') AS cause
    FROM job j LEFT JOIN job_miss m ON m.job = j.id WHERE j.missed;

CREATE VIEW policy_metrics AS
    -- Overheads and latencies by policy and kind of server, over all samples of the runs pooled. Exact, nearest rank.
    SELECT p.policy, nullif(p.server, '') AS server, m.name AS metric, m.kind, p.runs, p.n, p.min_ns, p.mean_ns, p.p50_ns, p.p90_ns, p.p99_ns, p.p999_ns,
        p.max_ns, p.dropped, m.meaning
    FROM policy_metric p JOIN metric m ON m.id = p.metric;

CREATE VIEW policy_stats AS
    -- Policies side by side, each kind of server by itself. Ratios are of judged periods and jobs; rates are per second of run, all VCPUs together, and
    -- leave out runs under core scheduling, where migrations are undefined. Overheads are those of view policy_metrics.
    SELECT r.policy, r.server, r.runs, r.duration_ns, v.periods, v.periods_judged, v.period_misses,
        CAST(v.period_misses AS REAL) / nullif(v.periods_judged, 0) AS period_miss_ratio,
        j.jobs, j.job_misses, CAST(j.job_misses AS REAL) / nullif(j.jobs, 0) AS job_miss_ratio,
        v.migrations, v.migrations * 1e9 / nullif(r.plain_ns, 0) AS migrations_per_s,
        v.preemptions, v.preemptions * 1e9 / nullif(r.plain_ns, 0) AS preemptions_per_s,
        d.n AS decision_n, d.p50_ns AS decision_p50_ns, d.p90_ns AS decision_p90_ns, d.p99_ns AS decision_p99_ns,
        d.p999_ns AS decision_p999_ns, d.max_ns AS decision_max_ns,
        s.n AS context_switch_n, s.p50_ns AS context_switch_p50_ns, s.p90_ns AS context_switch_p90_ns,
        s.p99_ns AS context_switch_p99_ns, s.p999_ns AS context_switch_p999_ns, s.max_ns AS context_switch_max_ns
    FROM (SELECT coalesce(policy, 'unknown') AS policy, server, count(*) AS runs, sum(duration_ns) AS duration_ns,
            sum(CASE WHEN core_scheduling THEN 0 ELSE duration_ns END) AS plain_ns
          FROM run GROUP BY 1, 2) r
        LEFT JOIN (SELECT coalesce(r.policy, 'unknown') AS policy, r.server, sum(v.periods) AS periods,
                sum(v.periods_judged) AS periods_judged, sum(v.period_misses) AS period_misses,
                sum(CASE WHEN r.core_scheduling THEN 0 ELSE v.migrations END) AS migrations,
                sum(CASE WHEN r.core_scheduling THEN 0 ELSE v.preemptions END) AS preemptions
            FROM run r JOIN vcpu v ON v.run = r.id AND v.domid <> 32767 GROUP BY 1, 2) v
            ON v.policy = r.policy AND v.server IS r.server
        LEFT JOIN (SELECT coalesce(r.policy, 'unknown') AS policy, r.server, sum(j.jobs) AS jobs, sum(j.misses) AS job_misses
            FROM run r JOIN job_stat j ON j.run = r.id GROUP BY 1, 2) j ON j.policy = r.policy AND j.server IS r.server
        LEFT JOIN policy_metrics d ON d.policy = r.policy AND d.server IS r.server AND d.metric = 'decision'
        LEFT JOIN policy_metrics s ON s.policy = r.policy AND s.server IS r.server AND s.metric = 'context_switch';
