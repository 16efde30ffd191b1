#include "parse/time-text.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    int digits; /* of a fraction down to 1 ns */
} units[] = {{"", 0}, {"ns", 0}, {"us", 3}, {"\xc2\xb5s", 3}, {"\xce\xbcs", 3}, {"ms", 6}, {"s", 9}};

/* Blanks around the unit do not count. -1 if it is none. */
static int digits_of_unit(const char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == length && !memcmp(text, units[i].name, length))
            return units[i].digits;
    return -1;
}

const char *xt_time_parse(const char *text, int64_t *ns)
{
    const char *whole = text + strspn(text, " \t"), *fraction = "";
    if (*whole == '-')
        return "negative";
    size_t n_whole = strspn(whole, "0123456789"), n_fraction = 0;
    const char *at = whole + n_whole;
    if (n_whole == 0)
        return "no number";
    if (*at == '.') {
        fraction = at + 1;
        n_fraction = strspn(fraction, "0123456789");
        at = fraction + n_fraction;
        if (n_fraction == 0)
            return "no digit behind the point";
    }
    int digits = digits_of_unit(at);
    if (digits < 0)
        return "unknown unit";

    int64_t value = 0;
    for (size_t i = 0; i < n_whole + (size_t)digits; i++) {
        size_t f = i - n_whole;
        char digit = i < n_whole ? whole[i] : f < n_fraction ? fraction[f] : '0';
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit - '0', &value))
            return "too large";
    }
    for (size_t f = (size_t)digits; f < n_fraction; f++)
        if (fraction[f] != '0')
            return "finer than 1 ns";
    *ns = value;
    return NULL;
}
