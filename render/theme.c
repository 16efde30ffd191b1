#include "render/theme.h"

#include <math.h>
#include <string.h>

#include "parse/error.h"
#include "parse/sink.h"

/* After Okabe-Ito and Tol, without their reds (red means a miss), ordered so that neighbours differ by 20 or
 * more steps of CIE lightness: L* is 41, 74, 22, 83, 52, 91, 66. */
static const struct xt_look palette[] = {
    {0x0063a8, 0xffffff, 0x0063a8, XT_TEXTURE_NONE}, {0xf0a030, 0x1a1a1a, 0xa86400, XT_TEXTURE_NONE},
    {0x332288, 0xffffff, 0x332288, XT_TEXTURE_NONE}, {0x99d6f2, 0x1a1a1a, 0x2a86b0, XT_TEXTURE_NONE},
    {0x1b8a5a, 0xffffff, 0x1b8a5a, XT_TEXTURE_NONE}, {0xf5e663, 0x1a1a1a, 0x8a7a00, XT_TEXTURE_NONE},
    {0xd58fbd, 0x1a1a1a, 0x9a4a80, XT_TEXTURE_NONE},
};
static const struct xt_look look_dom0 = {0x8f8f8f, 0x1a1a1a, 0x5f5f5f, XT_TEXTURE_NONE};
static const struct xt_look look_idle = {0xffffff, 0x1a1a1a, 0x8f8f8f, XT_TEXTURE_NONE};

static const struct {
    const char *policy;
    unsigned look;
} policy_looks[] = {{"gEDF", 0}, {"pEDF", 1}, {"credit", 4}, {"credit2", 6}, {"null", 3}, {"arinc653", 2}};

static struct xt_look look_of(unsigned n)
{
    struct xt_look look = palette[n % G_N_ELEMENTS(palette)];
    look.texture = (enum xt_texture)(n / G_N_ELEMENTS(palette) % XT_N_TEXTURES);
    return look;
}

struct xt_look xt_look_domain(unsigned domid)
{
    if (domid == 0)
        return look_dom0;
    return domid == XT_IDLE_DOMID ? look_idle : look_of(domid - 1);
}

struct xt_look xt_look_pcpu(unsigned pcpu)
{
    return look_of(pcpu);
}

struct xt_look xt_look_group(unsigned index)
{
    return look_of(index);
}

/* With "+periodic" a policy keeps its colour and gets a texture. */
struct xt_look xt_look_policy(const char *policy, unsigned index)
{
    size_t length = policy ? strcspn(policy, "+") : 0;
    for (unsigned i = 0; policy && i < G_N_ELEMENTS(policy_looks); i++)
        if (strlen(policy_looks[i].policy) == length &&
            g_ascii_strncasecmp(policy, policy_looks[i].policy, length) == 0)
            return look_of(policy_looks[i].look + (policy[length] ? G_N_ELEMENTS(palette) : 0));
    return look_of(index);
}

double xt_dash_of(unsigned index)
{
    static const double dashes[] = {0, 4.5, 1.5, 8, 3};
    return dashes[index % G_N_ELEMENTS(dashes)];
}

static bool parse_length(const char *text, char **end, double *value)
{
    *value = g_ascii_strtod(text, end);
    return *end != text && isfinite(*value) && *value > 0;
}

static bool parse_size(const char *size, double *width, double *height)
{
    static const struct {
        const char *name;
        double points;
    } units[] = {{"", 1}, {"pt", 1}, {"px", 0.75}, {"mm", 72 / 25.4}, {"in", 72}};
    char *end;

    if (!parse_length(size, &end, width) || *end != 'x' || !parse_length(end + 1, &end, height))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        *width *= units[i].points;
        *height *= units[i].points;
        return *width >= 150 && *height >= 100 && *width <= 5000 && *height <= 5000;
    }
    return false;
}

bool xt_theme_init(struct xt_theme *theme, const char *size, GError **error)
{
    static const struct {
        const char *name;
        double width, height, font;
    } sizes[] = {{"column", 252, 0, 6.8}, {"page", 516, 0, 7}, {"slide", 960, 540, 13}};
    double font = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        if (strcmp(size, sizes[i].name) != 0)
            continue;
        theme->width = sizes[i].width;
        theme->height = sizes[i].height;
        font = sizes[i].font;
    }
    if (font == 0) {
        if (!parse_size(size, &theme->width, &theme->height)) {
            g_set_error(error, XT_ERROR, XT_ERROR_USAGE,
                        "size \"%s\": expected column, page, slide or WIDTHxHEIGHT in pt (or px, mm, in: "
                        "\"160x90mm\"), "
                        "between 150x100 and 5000x5000 pt",
                        size);
            return false;
        }
        font = CLAMP(theme->width / 75, 6.5, 13);
    }
    theme->label = font;
    theme->small = MAX(font * 0.86, 6);
    theme->title = font * 1.2;
    theme->row = font * 3.1;
    theme->gap = font * 0.9;
    return true;
}
