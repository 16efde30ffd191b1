#include "render/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    double ns;
};
static const struct unit units[] = {{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}, {"ns", 1}};

/* The unit in which span is at least `least` units. */
static const struct unit *unit_for(double span, double least)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(units) - 1; i++)
        if (span >= least * units[i].ns)
            return &units[i];
    return &units[G_N_ELEMENTS(units) - 1];
}

double xt_nice_below(double value)
{
    double power = pow(10, floor(log10(value) + 1e-9));
    double lead = value / power;
    return power * (lead >= 5 - 1e-9 ? 5 : lead >= 2 - 1e-9 ? 2 : 1);
}

static double nice_above(double value)
{
    double nice = xt_nice_below(value);
    if (nice >= value * (1 - 1e-9))
        return nice;
    double lead = nice / pow(10, floor(log10(nice) + 1e-9));
    return nice * (lead > 1.5 && lead < 3 ? 2.5 : 2);
}

static unsigned decimals_of(double step)
{
    int decimals = (int)-floor(log10(step) + 1e-9);
    return (unsigned)CLAMP(decimals, 0, 9);
}

static struct xt_tick *add(struct xt_ticks *ticks, double at)
{
    if (ticks->n == G_N_ELEMENTS(ticks->tick))
        return NULL;
    struct xt_tick *tick = &ticks->tick[ticks->n++];
    tick->at = at;
    tick->label[0] = '\0';
    return tick;
}

static void put_number(char *buffer, size_t size, double value, unsigned decimals)
{
    char format[16];
    snprintf(format, sizeof(format), "%%.%uf", decimals);
    g_ascii_formatd(buffer, (int)size, format, value);
    if (buffer[0] == '-' && strspn(buffer + 1, "0.") == strlen(buffer + 1))
        memmove(buffer, buffer + 1, strlen(buffer));
}

void xt_ticks_time(struct xt_ticks *ticks, int64_t from, int64_t to, unsigned max_labels)
{
    double span = (double)(to - from);
    const struct unit *unit = unit_for(span, 2);
    double step = MAX(1, nice_above(span / MAX(max_labels, 2u)));
    int64_t istep = (int64_t)llround(step), origin = 0;
    unsigned decimals = decimals_of(step / unit->ns);

    ticks->n = 0;
    ticks->step = step;
    if ((double)to / unit->ns >= 1e5) {
        int64_t coarse = (int64_t)unit->ns * 1000;
        origin = from / coarse * coarse;
        char at[32];
        unsigned at_decimals = unit->ns >= 1e9 ? 0 : unit->ns >= 1e6 ? 0 : unit->ns >= 1e3 ? 3 : 6;
        put_number(at, sizeof(at), (double)origin / 1e9, at_decimals);
        snprintf(ticks->unit, sizeof(ticks->unit), "%s after %s s", unit->name, at);
    } else {
        g_strlcpy(ticks->unit, unit->name, sizeof(ticks->unit));
    }

    int64_t first = (from - origin + istep - 1) / istep * istep + origin;
    for (int64_t at = first; at <= to; at += istep) {
        struct xt_tick *tick = add(ticks, (double)at);
        if (!tick)
            return;
        put_number(tick->label, sizeof(tick->label), (double)(at - origin) / unit->ns, decimals);
    }
}

static void label_power(char *buffer, size_t size, double ns)
{
    const struct unit *unit = unit_for(ns * (1 + 1e-9), 1);
    snprintf(buffer, size, "%.0f %s", ns / unit->ns, unit->name);
}

static void log_duration(struct xt_ticks *ticks, double lo, double hi, unsigned max_labels)
{
    int first = (int)floor(log10(lo) + 1e-9), last = (int)ceil(log10(hi) - 1e-9);
    int every = MAX(1, (int)ceil((double)(last - first + 1) / MAX(max_labels, 1u)));
    bool fine = (last - first) * 3 <= (int)max_labels; /* room for labels at 2 and 5 as well */

    g_strlcpy(ticks->unit, "", sizeof(ticks->unit));
    for (int decade = first; decade <= last; decade++) {
        for (int lead = 1; lead <= 9; lead++) {
            double at = lead * pow(10, decade);
            if (at < lo * (1 - 1e-9) || at > hi * (1 + 1e-9))
                continue;
            struct xt_tick *tick = add(ticks, at);
            if (tick && ((lead == 1 && (decade - first) % every == 0) || (fine && (lead == 2 || lead == 5))))
                label_power(tick->label, sizeof(tick->label), at);
        }
    }
}

void xt_ticks_duration(struct xt_ticks *ticks, double lo, double hi, bool logarithmic, unsigned max_labels)
{
    ticks->n = 0;
    ticks->step = 0;
    if (logarithmic) {
        log_duration(ticks, lo, hi, max_labels);
        return;
    }
    const struct unit *unit = unit_for(hi, 2);
    double step = nice_above((hi - lo) / MAX(max_labels, 2u));
    unsigned decimals = decimals_of(step / unit->ns);
    ticks->step = step;
    g_strlcpy(ticks->unit, unit->name, sizeof(ticks->unit));
    for (double k = ceil(lo / step - 1e-9); k * step <= hi * (1 + 1e-9); k++) {
        struct xt_tick *tick = add(ticks, k * step);
        if (!tick)
            return;
        put_number(tick->label, sizeof(tick->label), k * step / unit->ns, decimals);
    }
}

void xt_ticks_number(struct xt_ticks *ticks, double lo, double hi, unsigned max_labels, const char *suffix)
{
    double step = nice_above((hi - lo) / MAX(max_labels, 2u));
    unsigned decimals = decimals_of(step);

    ticks->n = 0;
    ticks->step = step;
    ticks->unit[0] = '\0';
    for (double k = ceil(lo / step - 1e-9); k * step <= hi + step * 1e-6; k++) {
        struct xt_tick *tick = add(ticks, k * step);
        if (!tick)
            return;
        put_number(tick->label, sizeof(tick->label), k * step, decimals);
        g_strlcat(tick->label, suffix, sizeof(tick->label));
    }
}

char *xt_format_duration(char *buffer, size_t size, double ns, unsigned digits)
{
    const struct unit *unit = unit_for(fabs(ns), 1);
    double value = ns / unit->ns;
    double least_step = pow(10, 3.0 - MIN(digits, 9u));
    if (unit > units && digits >= 3 && round(fabs(value) / least_step) * least_step >= 1000) {
        unit--; /* 999.9996 µs rounds to 1 ms */
        value = ns / unit->ns;
    }
    int whole = fabs(value) >= 1 ? (int)floor(log10(fabs(value)) + 1e-9) + 1 : 1;
    unsigned decimals = unit->ns > 1 && (int)digits > whole ? digits - (unsigned)whole : 0;
    char number[32];

    put_number(number, sizeof(number), value, decimals);
    if (strchr(number, '.')) {
        size_t length = strlen(number);
        while (number[length - 1] == '0')
            number[--length] = '\0';
        if (number[length - 1] == '.')
            number[--length] = '\0';
    }
    snprintf(buffer, size, "%s %s", number, unit->name);
    return buffer;
}

char *xt_format_count(char *buffer, size_t size, uint64_t n)
{
    char plain[24];
    size_t length = (size_t)snprintf(plain, sizeof(plain), "%" G_GUINT64_FORMAT, n), out = 0;

    for (size_t i = 0; i < length && out + 4 < size; i++) {
        if (i > 0 && (length - i) % 3 == 0 && length > 4) {
            buffer[out++] = '\xc2'; /* a no-break space */
            buffer[out++] = '\xa0';
        }
        buffer[out++] = plain[i];
    }
    buffer[out] = '\0';
    return buffer;
}
