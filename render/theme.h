/* The one place for what figures look like: fonts, sizes, colours, line widths. Lengths are points (1/72
 * inch). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Debian packages fonts-liberation (metrics of Arial and Helvetica) and fonts-dejavu-core (scripts it lacks).
 */
#define XT_FONT_FAMILY "Liberation Sans"
#define XT_FONT_FALLBACK "DejaVu Sans"

typedef uint32_t xt_colour; /* 0xRRGGBB */
#define XT_NO_COLOUR 0xff000000u

/* Overlays that keep fills apart in greyscale and extend the palette beyond its colours. */
enum xt_texture {
    XT_TEXTURE_NONE,
    XT_TEXTURE_RISING, /* lines from lower left to upper right */
    XT_TEXTURE_FALLING,
    XT_TEXTURE_LEVEL,
    XT_TEXTURE_UPRIGHT,
    XT_TEXTURE_CROSSED,
    XT_N_TEXTURES
};

/* How a domain, pCPU or group of samples looks. Depends on its number alone, so it is the same in every
 * figure. */
struct xt_look {
    xt_colour fill;
    xt_colour ink;  /* readable on fill: labels in the box, lines of the texture */
    xt_colour line; /* of the same hue, dark enough for lines on white */
    enum xt_texture texture;
};
struct xt_look xt_look_domain(unsigned domid); /* domain 0 is grey, the idle domain white */
struct xt_look xt_look_pcpu(unsigned pcpu);
/* Policies have their own: gEDF, pEDF, credit, credit2, null, arinc653; others by their place in the figure.
 */
struct xt_look xt_look_policy(const char *policy, unsigned index);
struct xt_look xt_look_group(unsigned index);
/* Dash length that tells line `index` from its neighbours without colour; 0 is solid. */
double xt_dash_of(unsigned index);

#define XT_COLOUR_INK 0x1a1a1a   /* text and axes */
#define XT_COLOUR_QUIET 0x5f5f5f /* secondary text */
#define XT_COLOUR_GRID 0xd9d9d9
#define XT_COLOUR_BAND 0xf4f4f4       /* every other row */
#define XT_COLOUR_WAIT 0x8a8a8a       /* runnable */
#define XT_COLOUR_WAIT_SHARE 0xbdbdbd /* the same as an area */
#define XT_COLOUR_MISS 0xd00000       /* nothing else is red */
#define XT_COLOUR_LOST 0xe4e0ea       /* zone of lost records */
#define XT_COLOUR_UNKNOWN 0x77708a
#define XT_COLOUR_PAPER 0xffffff

#define XT_LINE_AXIS 0.6
#define XT_LINE_GRID 0.35
#define XT_LINE_BOX 0.3 /* outline of a box; also the least width at which a short one shows */
#define XT_LINE_MARK 0.7
#define XT_LINE_CURVE 1.1

/* Sizes that follow from the figure's width. */
struct xt_theme {
    double width, height;       /* of the figure; height 0: as high as its content needs */
    double title, label, small; /* font sizes */
    double row;                 /* height of a row of a Gantt chart where there is room */
    double gap;                 /* between parts of a figure */
};

/* size: "column" (3.5 in), "page" (7.16 in), "slide" (13.33 x 7.5 in), or WxH in pt, or with the unit pt, px,
 * mm, in
 * ("160x90mm"). XT_ERROR_USAGE if it is none or absurd. */
bool xt_theme_init(struct xt_theme *theme, const char *size, GError **error);
