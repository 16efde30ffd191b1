/* Times as people write them. Plain C and nothing but the C library: the guest workload uses it, too. */
#pragma once

#include <stdint.h>

/* "1.5ms", "250us", "3s", "17" = ns: to ns, exactly. NULL if it went well, else why text is no time ("unknown unit", …). */
const char *xt_time_parse(const char *text, int64_t *ns);
