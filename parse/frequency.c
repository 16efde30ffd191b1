#include "parse/frequency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of accumulated (ticks, ns); when full, neighbours are merged and the block length doubles, so a chain of any
 * length is a few dozen equal parts whose slopes can be compared. */
#define MAX_BLOCKS 64
#define FIRST_BLOCK_TICKS 100000.0
#define N_RATIOS 64
/* Below this distance a 32-bit ns figure cannot have wrapped on any counter of at least 10 MHz. */
#define SHORT_TICKS 40000000u
#define MIN_RATIO_NS 20000
#define WRAP_NS 4294967296.0

struct ratios {
    double ticks_per_ns[N_RATIOS];
    unsigned n, at;
    double rough;         /* median of some of the last ones: to count wraps with, which takes no more */
    unsigned rough_for;   /* so many more points */
};
#define ROUGH_POINTS 64

struct xt_chain {
    bool have_point;
    uint64_t last_tsc;
    uint32_t run_ns; /* of the last point, since the last switch */
    struct {
        double ticks, ns;
    } blocks[MAX_BLOCKS];
    unsigned n_blocks;
    double block_ticks;
    struct ratios ratios;
    bool have_burn;
    uint64_t burn_tsc;
    uint32_t burn_vcpu;
    struct ratios burns;
};

struct xt_chain *xt_chain_new(void)
{
    struct xt_chain *chain = g_new0(struct xt_chain, 1);

    chain->block_ticks = FIRST_BLOCK_TICKS;
    return chain;
}

void xt_chain_free(struct xt_chain *chain)
{
    g_free(chain);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values, unsigned n)
{
    double sorted[MAX_BLOCKS];

    g_assert(n && n <= MAX_BLOCKS);
    memcpy(sorted, values, n * sizeof(*values));
    qsort(sorted, n, sizeof(*sorted), compare_doubles);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void ratio_add(struct ratios *r, double ticks, double ns)
{
    r->ticks_per_ns[r->at] = ticks / ns;
    r->at = (r->at + 1) % N_RATIOS;
    r->n = MIN(r->n + 1, N_RATIOS);
}

static void block_add(struct xt_chain *chain, double ticks, double ns)
{
    unsigned n = chain->n_blocks;

    if (n == 0 || chain->blocks[n - 1].ticks >= chain->block_ticks) {
        if (n == MAX_BLOCKS) {
            for (unsigned i = 0; i < MAX_BLOCKS / 2; i++) {
                chain->blocks[i].ticks = chain->blocks[2 * i].ticks + chain->blocks[2 * i + 1].ticks;
                chain->blocks[i].ns = chain->blocks[2 * i].ns + chain->blocks[2 * i + 1].ns;
            }
            n = MAX_BLOCKS / 2;
            chain->block_ticks *= 2;
        }
        chain->blocks[n].ticks = chain->blocks[n].ns = 0;
        chain->n_blocks = ++n;
    }
    chain->blocks[n - 1].ticks += ticks;
    chain->blocks[n - 1].ns += ns;
}

static void point(struct xt_chain *chain, uint64_t tsc, uint32_t run_ns, uint32_t since_ns)
{
    if (!chain->have_point || tsc <= chain->last_tsc)
        return;
    double ticks = (double)(tsc - chain->last_tsc), ns;
    uint32_t difference = run_ns - since_ns;
    if (ticks < SHORT_TICKS) {
        ns = (int32_t)difference; /* clocks of emulated hosts can step back */
        if (ns > MIN_RATIO_NS)
            ratio_add(&chain->ratios, ticks, ns);
    } else {
        if (!chain->ratios.n)
            return;
        if (chain->ratios.rough_for-- == 0) {
            chain->ratios.rough = median(chain->ratios.ticks_per_ns, chain->ratios.n);
            chain->ratios.rough_for = chain->ratios.n < N_RATIOS ? 0 : ROUGH_POINTS;
        }
        double expected = ticks / chain->ratios.rough;
        ns = difference + WRAP_NS * round((expected - difference) / WRAP_NS);
    }
    block_add(chain, ticks, ns);
}

void xt_chain_infprev(struct xt_chain *chain, uint64_t tsc, uint32_t run_ns)
{
    point(chain, tsc, run_ns, chain->run_ns);
    chain->have_point = true;
    chain->last_tsc = tsc;
    chain->run_ns = 0;
}

void xt_chain_infcont(struct xt_chain *chain, uint64_t tsc, uint32_t run_ns)
{
    point(chain, tsc, run_ns, chain->run_ns);
    chain->have_point = true;
    chain->last_tsc = tsc;
    chain->run_ns = run_ns;
}

void xt_chain_burn(struct xt_chain *chain, uint64_t tsc, uint32_t domid_vcpu, int32_t delta_ns)
{
    if (chain->have_burn && chain->burn_vcpu == domid_vcpu && delta_ns > MIN_RATIO_NS && tsc > chain->burn_tsc)
        ratio_add(&chain->burns, (double)(tsc - chain->burn_tsc), delta_ns);
    chain->have_burn = true;
    chain->burn_tsc = tsc;
    chain->burn_vcpu = domid_vcpu;
}

void xt_chain_break(struct xt_chain *chain)
{
    chain->have_point = chain->have_burn = false;
}

/* What --tsc-hz accepts. Damaged records can say anything. */
static bool is_plausible(double hz)
{
    return hz >= 1e3 && hz <= 1e12;
}

/* Median of a few ratios, its error from their spread. */
static struct xt_frequency from_ratios(const struct ratios *r)
{
    double deviations[N_RATIOS];
    struct xt_frequency f = { 0, 0 };

    if (r->n < 3)
        return f;
    double middle = median(r->ticks_per_ns, r->n);
    for (unsigned i = 0; i < r->n; i++)
        deviations[i] = fabs(r->ticks_per_ns[i] - middle);
    f.hz = middle * 1e9;
    if (!is_plausible(f.hz))
        return (struct xt_frequency){ 0, 0 };
    f.error_ppm = MAX(1.4826 * median(deviations, r->n) / middle * 1e6 / sqrt(r->n), 1.0);
    return f;
}

struct xt_frequency xt_chain_estimate(const struct xt_chain *chain)
{
    double slopes[MAX_BLOCKS], deviations[MAX_BLOCKS], ticks = 0, ns = 0, squares = 0;
    unsigned n = 0, kept = 0;

    for (unsigned i = 0; i < chain->n_blocks; i++)
        if (chain->blocks[i].ns > 0 && chain->blocks[i].ticks >= chain->block_ticks / 2)
            slopes[n++] = chain->blocks[i].ns / chain->blocks[i].ticks;
    if (n < 3)
        return from_ratios(chain->ratios.n >= 3 ? &chain->ratios : &chain->burns);
    double middle = median(slopes, n);
    for (unsigned i = 0; i < n; i++)
        deviations[i] = fabs(slopes[i] - middle);
    double sigma = 1.4826 * median(deviations, n);
    for (unsigned i = 0; i < chain->n_blocks; i++) {
        double slope = chain->blocks[i].ns / chain->blocks[i].ticks;
        if (chain->blocks[i].ticks < chain->block_ticks / 2 || fabs(slope - middle) > 4 * sigma + 1e-9 * middle)
            continue;
        ticks += chain->blocks[i].ticks;
        ns += chain->blocks[i].ns;
        squares += (slope - middle) * (slope - middle);
        kept++;
    }
    struct xt_frequency f = { .hz = ns > 0 ? ticks / ns * 1e9 : 0 };
    if (!is_plausible(f.hz))
        return (struct xt_frequency){ 0, 0 };
    /* at least the resolution of the first and last ns figure */
    f.error_ppm = MAX(sqrt(squares / kept / kept) / middle * 1e6, 1e6 / ns);
    return f;
}

struct xt_frequency xt_frequency_combine(const struct xt_frequency *estimates, unsigned n)
{
    struct xt_frequency combined = { 0, 0 };
    double *hz = g_new(double, n + 1), sum = 0, weights = 0, chi = 0;
    unsigned known = 0, used = 0;

    for (unsigned i = 0; i < n; i++)
        if (estimates[i].hz > 0)
            hz[known++] = estimates[i].hz;
    if (!known) {
        g_free(hz);
        return combined;
    }
    qsort(hz, known, sizeof(*hz), compare_doubles);
    double middle = hz[known / 2];
    g_free(hz);
    for (unsigned i = 0; i < n; i++) {
        double error_hz = estimates[i].error_ppm * 1e-6 * middle;
        /* 1000 ppm: what an emulated pCPU can wander; anything beyond is no estimate of the same clock */
        if (estimates[i].hz <= 0 || fabs(estimates[i].hz - middle) > MAX(5 * error_hz, 1e-3 * middle))
            continue;
        double weight = 1 / (error_hz * error_hz);
        sum += estimates[i].hz * weight;
        weights += weight;
        used++;
    }
    if (!used)
        return combined;
    combined.hz = sum / weights;
    for (unsigned i = 0; i < n; i++) {
        double error_hz = estimates[i].error_ppm * 1e-6 * middle;
        if (estimates[i].hz > 0 && fabs(estimates[i].hz - middle) <= MAX(5 * error_hz, 1e-3 * middle))
            chi += (estimates[i].hz - combined.hz) * (estimates[i].hz - combined.hz) / (error_hz * error_hz);
    }
    /* pCPUs that disagree beyond their errors make the result worse, never better */
    double scale = used > 1 ? sqrt(MAX(chi / (used - 1), 1)) : 1;
    combined.error_ppm = scale / sqrt(weights) / combined.hz * 1e6;
    return combined;
}
