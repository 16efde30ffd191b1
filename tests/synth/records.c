#include "records.h"

#include "ledger.h"
#include "ring.h"
#include "writer.h"

static uint32_t vd(const struct sy_vcpu *v)
{
    return (uint32_t)v->id << 16 | v->domid;
}

/* Scheduler class records pack the VCPU the other way round up to 4.6. */
static uint32_t class_id(const struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return c->sim->xen == SY_XEN_4_5 ? vd(v) : rec_dv(v);
}

static void advance(struct sy_pcpu *c)
{
    struct sy_sim *sim = c->sim;
    c->clk += sim->record_cost + (sy_rng_u32(&sim->rng_cost) & sim->cost_mask);
}

static bool emit(struct sy_pcpu *c, uint32_t event, bool with_tsc, unsigned n, const uint32_t *w)
{
    struct sy_sim *sim = c->sim;
    struct sy_ring *r = c->ring;

    advance(c);
    if (!sim->tracing)
        return false;
    uint64_t tsc = sim->start_tsc + (c->clk - sim->t0) + (uint64_t)c->skew;
    bool below = sy_ring_unread(r) < r->size / 2;
    uint64_t lost_tsc = tsc, lost_clk = c->clk;
    if (r->lost && !r->drop) { /* the lost-records record comes first and costs time, too */
        advance(c);
        tsc = sim->start_tsc + (c->clk - sim->t0) + (uint64_t)c->skew;
    }
    uint32_t first_loss = r->lost;
    unsigned put = sy_ring_put(r, event, with_tsc, tsc, n, w, vd(c->curr), lost_tsc);
    if (below && sy_ring_unread(r) >= r->size / 2)
        sy_writer_high_water(sim, c->clk);
    if (!put) {
        if (first_loss == 0)
            sy_ledger_loss_begins(sim, c, c->clk);
        return false;
    }
    if (put & SY_PUT_AFTER_LOSS)
        sy_ledger_loss_ends(sim, c, lost_clk, first_loss);
    return true;
}

bool rec_raw(struct sy_pcpu *c, uint32_t event, unsigned n, const uint32_t *words)
{
    return emit(c, event, true, n, words);
}

bool rec_runstate(struct sy_pcpu *c, struct sy_vcpu *v, enum sy_state new_state)
{
    return REC(c, 0x21001u + (uint32_t)v->state * 0x100u + (uint32_t)new_state * 0x10u, rec_dv(v));
}

bool rec_continue(struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return REC(c, 0x21002, rec_dv(v));
}

bool rec_sleep(struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return REC(c, 0x28003, v->domid, v->id);
}

bool rec_wake(struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return REC(c, 0x28004, v->domid, v->id);
}

bool rec_yield(struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return REC(c, 0x28005, v->domid, v->id);
}

bool rec_block(struct sy_pcpu *c, const struct sy_vcpu *v)
{
    return REC(c, 0x28006, v->domid, v->id);
}

bool rec_adjdom(struct sy_pcpu *c, uint32_t domid)
{
    return REC(c, 0x28009, domid);
}

bool rec_dom_add(struct sy_pcpu *c, uint32_t domid, unsigned vcpus)
{
    if (c->sim->xen > SY_XEN_4_5)
        return REC(c, 0x28001, domid);
    for (unsigned i = 0; i < vcpus; i++)
        REC(c, 0x28001, domid, i);
    return true;
}

bool rec_dom_rem(struct sy_pcpu *c, uint32_t domid)
{
    return REC(c, 0x28002, domid);
}

bool rec_switch(struct sy_pcpu *c, const struct sy_vcpu *prev, const struct sy_vcpu *next)
{
    return REC(c, 0x2800a, prev->domid, prev->id, next->domid, next->id);
}

bool rec_infprev(struct sy_pcpu *c, const struct sy_vcpu *prev, int64_t run_ns)
{
    if (c->sim->xen <= SY_XEN_4_7)
        return REC(c, 0x2800e, prev->domid, REC_LO(run_ns));
    return REC(c, 0x2800e, prev->domid, prev->id, REC_LO(run_ns));
}

bool rec_infnext(struct sy_pcpu *c, const struct sy_vcpu *next, int64_t wait_ns, int64_t slice_ns)
{
    if (c->sim->xen <= SY_XEN_4_7)
        return REC(c, 0x2800f, next->domid, REC_LO(wait_ns), REC_LO(slice_ns));
    return REC(c, 0x2800f, next->domid, next->id, REC_LO(wait_ns), REC_LO(slice_ns));
}

bool rec_infcont(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t run_ns, int64_t slice_ns)
{
    if (c->sim->xen < SY_XEN_4_9)
        return false;
    return REC(c, 0x28011, v->domid, v->id, REC_LO(run_ns), REC_LO(slice_ns));
}

bool rec_rtds_schedule(struct sy_pcpu *c, bool tickled, bool idle)
{
    if (c->sim->xen < SY_XEN_4_9)
        return false;
    return REC(c, 0x22806, c->id | (uint32_t)tickled << 24 | (uint32_t)idle << 28);
}

bool rec_rtds_tickle(struct sy_pcpu *c, unsigned cpu)
{
    uint32_t w = cpu;
    return emit(c, 0x22801, c->sim->xen > SY_XEN_4_5, 1, &w);
}

bool rec_rtds_pick(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t deadline, int64_t budget)
{
    if (!v)
        return c->sim->xen == SY_XEN_4_5 ? emit(c, 0x22802, true, 0, NULL) : false;
    return REC(c, 0x22802, class_id(c, v), REC_LO(deadline), REC_HI(deadline), REC_LO(budget),
               REC_HI(budget));
}

bool rec_rtds_burn(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t budget, int64_t delta, unsigned level)
{
    enum sy_xen xen = c->sim->xen;

    if (xen <= SY_XEN_4_9)
        return REC(c, 0x22803, class_id(c, v), REC_LO(budget), REC_HI(budget), REC_LO(delta));
    /* Up to 4.17 only one byte of the flag is set; the rest is whatever was on the stack. */
    uint32_t garbage = xen == SY_XEN_4_17 ? sy_rng_u32(&c->sim->rng_cost) << 8 : 0;
    return REC(c, 0x22803, class_id(c, v), REC_LO(budget), REC_HI(budget), REC_LO(delta), level,
               garbage | v->extratime);
}

bool rec_rtds_replenish(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t deadline, int64_t budget)
{
    if (c->sim->xen <= SY_XEN_4_9)
        return REC(c, 0x22804, class_id(c, v), REC_LO(deadline), REC_HI(deadline), REC_LO(budget),
                   REC_HI(budget));
    return REC(c, 0x22804, class_id(c, v), 0, REC_LO(deadline), REC_HI(deadline), REC_LO(budget),
               REC_HI(budget));
}

bool rec_rtds_decision(struct sy_pcpu *c, const struct sy_vcpu *next, int64_t deadline, int64_t budget)
{
    if (c->sim->xen != SY_XEN_4_5)
        return false;
    return REC(c, 0x22805, vd(next), REC_LO(deadline), REC_HI(deadline), REC_LO(budget), REC_HI(budget));
}

bool rec_credit_schedule(struct sy_pcpu *c, bool idle)
{
    if (c->sim->xen < SY_XEN_4_9)
        return false;
    return REC(c, 0x22009, c->id | (uint32_t)idle << 24);
}

bool rec_credit_account(struct sy_pcpu *c, bool start, const struct sy_vcpu *v, unsigned active)
{
    return REC(c, start ? 0x22002 : 0x22003, v->domid, v->id, active);
}

bool rec_credit_stolen(struct sy_pcpu *c, unsigned peer, const struct sy_vcpu *v)
{
    return REC(c, 0x22004, peer, v->domid, v->id);
}

bool rec_credit_picked(struct sy_pcpu *c, const struct sy_vcpu *v, unsigned cpu)
{
    return REC(c, 0x22005, v->domid, v->id, cpu);
}

bool rec_credit_tickle(struct sy_pcpu *c, unsigned cpu)
{
    uint32_t w = cpu;
    return emit(c, 0x22006, c->sim->xen > SY_XEN_4_5, 1, &w);
}

bool rec_credit_boost(struct sy_pcpu *c, bool start, const struct sy_vcpu *v)
{
    if (c->sim->xen < SY_XEN_4_7)
        return false;
    return REC(c, start ? 0x22007 : 0x22008, v->domid, v->id);
}

bool rec_credit_ratelimit(struct sy_pcpu *c, const struct sy_vcpu *v, int64_t run_ns)
{
    if (c->sim->xen < SY_XEN_4_9)
        return false;
    return REC(c, 0x2200a, rec_dv(v), REC_LO(run_ns));
}

bool rec_credit_steal_check(struct sy_pcpu *c, unsigned peer, bool checked)
{
    if (c->sim->xen < SY_XEN_4_9)
        return false;
    return REC(c, 0x2200b, peer, checked);
}

bool rec_null_schedule(struct sy_pcpu *c, const struct sy_vcpu *assigned)
{
    return REC(c, 0x22a05, c->id << 16, assigned ? rec_dv(assigned) : 0xffffffffu);
}

bool rec_null_assign(struct sy_pcpu *c, unsigned event, const struct sy_vcpu *v, unsigned cpu)
{
    return REC(c, 0x22a00 + event, rec_dv(v), cpu);
}
