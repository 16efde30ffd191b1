/* Text as it will stand in the figure: measured, cut to fit, and made harmless. Names come from traces and
 * guests. */
#pragma once

#include <pango/pangocairo.h>
#include <stdbool.h>

#include "render/theme.h"

struct xt_font {
    double size; /* pt */
    bool bold, italic;
    xt_colour colour;
};

/* A layout of one line, base direction left to right, without hinting: the same at every scale. The caller
 * unrefs it. */
PangoLayout *xt_text_layout(const struct xt_font *font, const char *text);

/* Width in pt. */
double xt_text_width(const struct xt_font *font, const char *text);

/* Height of capitals and depth of a line in pt, for placing baselines. */
double xt_text_cap_height(const struct xt_font *font);
double xt_text_line_height(const struct xt_font *font);

/* A name made fit for a label: valid UTF-8, no control characters, line breaks or direction overrides, at
 * most 200 characters. If it holds right-to-left letters it is wrapped in isolates, so that text around it
 * keeps its order. Caller frees. */
char *xt_text_clean(const char *name);

/* The longest beginning of text that fits max_width, ended by "…" if anything was cut; "" if not even that
 * fits. Caller frees. */
char *xt_text_fit(const struct xt_font *font, const char *text, double max_width);

/* Breaks text into lines of at most max_width at spaces (a word that is longer is cut with "…"). Caller frees
 * by g_strfreev. */
char **xt_text_wrap(const struct xt_font *font, const char *text, double max_width);

/* Appends text to out with &, <, > and both quotes as entities; bytes that XML forbids are dropped. */
void xt_text_escape_xml(GString *out, const char *text);
