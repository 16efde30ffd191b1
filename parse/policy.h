/* The policies that experiments compare (docs/design.md, Words): gEDF, pEDF, credit, credit2, null, arinc653. */
#pragma once

#include <stdbool.h>

struct xt_policy {
    const char *name;
    const char *scheduler; /* as `xl info` spells it */
    bool bound;            /* it takes that every VCPU is bound to one pCPU */
};

/* In the order of tables and figures, ended by a nameless one. */
extern const struct xt_policy xt_policies[];

/* NULL if there is no policy of that name. */
const struct xt_policy *xt_policy_find(const char *name);

/* A policy as people write it, "gEDF+periodic": what stands before "+periodic" goes to *name (caller frees), and *periodic
 * tells whether it was there: all servers made periodic by a background task in every guest. */
void xt_policy_split(const char *text, char **name, bool *periodic);
