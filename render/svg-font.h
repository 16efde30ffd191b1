/* Fonts inside SVG and HTML: the used letters of each used font, as CSS @font-face rules with the data
 * inline. */
#pragma once

#include <pango/pango.h>

struct xt_font_set; /* one owner */
struct xt_font_set *xt_font_set_new(void);
void xt_font_set_free(struct xt_font_set *set);

/* Notes every letter of layout with the font that draws it. */
void xt_font_set_add(struct xt_font_set *set, PangoLayout *layout);

/* Appends one @font-face rule per font, in order of family and style. A font that cannot be subset is left to
 * the viewer. */
void xt_font_set_write_css(const struct xt_font_set *set, GString *out);
