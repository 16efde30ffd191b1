#include "parse/policy.h"

#include <glib.h>
#include <string.h>

const struct xt_policy xt_policies[] = {
    {"gEDF", "rtds", false},     {"pEDF", "rtds", true}, {"credit", "credit", false},
    {"credit2", "credit2", false}, {"null", "null", true}, {"arinc653", "arinc653", false},
    {0},
};

const struct xt_policy *xt_policy_find(const char *name)
{
    for (const struct xt_policy *p = xt_policies; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

void xt_policy_split(const char *text, char **name, bool *periodic)
{
    static const char suffix[] = "+periodic";
    *periodic = g_str_has_suffix(text, suffix);
    *name = g_strndup(text, strlen(text) - (*periodic ? strlen(suffix) : 0));
}
