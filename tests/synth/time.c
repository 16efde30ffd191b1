#include "synth.h"

int64_t sy_ns(struct sy_sim *sim, uint64_t cycles)
{
    /* Nearly every call falls into the second of the one before. */
    if (cycles - sim->sec_base >= sim->hz) {
        uint64_t s = cycles / sim->hz;
        sim->sec_base = s * sim->hz;
        sim->sec_ns = s * (uint64_t)SY_NS_PER_S;
    }
    return (int64_t)(sim->sec_ns + (cycles - sim->sec_base) * (uint64_t)SY_NS_PER_S / sim->hz);
}

uint64_t sy_cycles(const struct sy_sim *sim, int64_t ns)
{
    if (ns <= 0)
        return 0;
    uint64_t s = (uint64_t)ns / (uint64_t)SY_NS_PER_S, rest = (uint64_t)ns % (uint64_t)SY_NS_PER_S;
    return s * sim->hz + (rest * sim->hz + (uint64_t)SY_NS_PER_S - 1) / (uint64_t)SY_NS_PER_S;
}

int64_t sy_now(struct sy_sim *sim, uint64_t cycles)
{
    return sim->now_base_ns + sy_ns(sim, cycles);
}

uint64_t sy_at_now(const struct sy_sim *sim, int64_t now_ns)
{
    return sy_cycles(sim, now_ns - sim->now_base_ns);
}

int64_t sy_ts(struct sy_sim *sim, uint64_t cycles)
{
    /* t0 is a whole second, so this is exactly floor((cycles - t0) * 1e9 / hz). */
    return sy_ns(sim, cycles) - (int64_t)(sim->t0 / sim->hz) * SY_NS_PER_S;
}

uint64_t sy_us(const struct sy_sim *sim, double us)
{
    return us <= 0 ? 0 : (uint64_t)(us * 1e-6 * (double)sim->hz);
}

static int64_t off(struct sy_pcpu *c)
{
    if (c->now_off_ns == 0)
        return 0;
    return (int64_t)(c->now_off_ns + c->now_drift * (double)sy_ns(c->sim, c->clk));
}

int64_t sy_pnow(struct sy_pcpu *c)
{
    return sy_now(c->sim, c->clk) + off(c);
}

uint64_t sy_at_pnow(struct sy_pcpu *c, int64_t now_ns)
{
    return sy_at_now(c->sim, now_ns - off(c));
}
