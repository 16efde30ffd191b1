/* SVG with real text, subset fonts inside, and data-* attributes that tell what each shape stands for. */
#include <math.h>
#include <string.h>

#include "parse/error.h"
#include "render/canvas-private.h"
#include "render/svg-font.h"

#define MAX_TEXTURES 64

struct texture_key {
    enum xt_texture texture;
    xt_colour fill, ink;
};

struct svg_canvas {
    struct xt_canvas base;
    GString *body;
    char *prefix;
    char *title, *description;
    double width, height;
    bool standalone;
    struct xt_font_set *fonts;
    bool own_fonts;
    struct texture_key textures[MAX_TEXTURES];
    unsigned n_textures, n_clips, n_pages;
};

/* At most three decimals, no trailing zeros, never in the user's locale. */
static void put_number(GString *out, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(buffer, sizeof(buffer), "%.3f", value);
    size_t length = strlen(buffer);
    while (buffer[length - 1] == '0')
        length--;
    if (buffer[length - 1] == '.')
        length--;
    buffer[length] = '\0';
    g_string_append(out, strcmp(buffer, "-0") == 0 ? "0" : buffer);
}

static void put_attribute(GString *out, const char *name, double value)
{
    g_string_append_printf(out, " %s=\"", name);
    put_number(out, value);
    g_string_append_c(out, '"');
}

static unsigned texture_id(struct svg_canvas *c, const struct xt_paint *paint)
{
    for (unsigned i = 0; i < c->n_textures; i++)
        if (c->textures[i].texture == paint->texture && c->textures[i].fill == paint->fill &&
            c->textures[i].ink == paint->texture_ink)
            return i;
    if (c->n_textures < MAX_TEXTURES)
        c->textures[c->n_textures++] = (struct texture_key){paint->texture, paint->fill, paint->texture_ink};
    return c->n_textures - 1;
}

static void put_paint(struct svg_canvas *c, const struct xt_paint *paint)
{
    if (paint->texture != XT_TEXTURE_NONE)
        g_string_append_printf(c->body, " fill=\"url(#%st%u)\"", c->prefix, texture_id(c, paint));
    else if (paint->fill != XT_NO_COLOUR)
        g_string_append_printf(c->body, " fill=\"#%06x\"", paint->fill);
    else
        g_string_append(c->body, " fill=\"none\"");
    if (paint->stroke != XT_NO_COLOUR && paint->width > 0) {
        g_string_append_printf(c->body, " stroke=\"#%06x\"", paint->stroke);
        put_attribute(c->body, "stroke-width", paint->width);
        if (paint->dash > 0)
            put_attribute(c->body, "stroke-dasharray", paint->dash);
    }
    if (paint->opacity > 0 && paint->opacity < 1)
        put_attribute(c->body, "opacity", paint->opacity);
}

static void put_tag(struct svg_canvas *c, const struct xt_tag *tag)
{
    if (!tag)
        return;
    g_string_append_printf(c->body,
                           " class=\"%s\" data-ts=\"%" G_GINT64_FORMAT "\" data-dur=\"%" G_GINT64_FORMAT "\"",
                           tag->kind, tag->ts, tag->dur);
    if (tag->domid >= 0)
        g_string_append_printf(c->body, " data-domid=\"%d\"", tag->domid);
    if (tag->vcpu >= 0)
        g_string_append_printf(c->body, " data-vcpu=\"%d\"", tag->vcpu);
    if (tag->pcpu >= 0)
        g_string_append_printf(c->body, " data-pcpu=\"%d\"", tag->pcpu);
}

static void rect(struct xt_canvas *canvas, double x, double y, double width, double height,
                 const struct xt_paint *paint, const struct xt_tag *tag)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    g_string_append(c->body, "<rect");
    put_attribute(c->body, "x", x);
    put_attribute(c->body, "y", y);
    put_attribute(c->body, "width", width);
    put_attribute(c->body, "height", height);
    put_paint(c, paint);
    put_tag(c, tag);
    g_string_append(c->body, "/>\n");
}

static bool between(long value, long a, long b)
{
    return (a <= value && value <= b) || (b <= value && value <= a);
}

/* Steps are many in overviews: they are written as H and V, hundredths of a point are enough, and what lies
 * on the line between its neighbours is left out. */
static void put_path(GString *out, const struct xt_point *points, unsigned n)
{
    long last_x = 0, last_y = 0;
    for (unsigned i = 0; i < n; i++) {
        long x = lround(points[i].x * 100), y = lround(points[i].y * 100);
        if (i > 0 && i + 1 < n) {
            long next_x = lround(points[i + 1].x * 100), next_y = lround(points[i + 1].y * 100);
            if ((x == last_x && next_x == x && between(y, last_y, next_y)) ||
                (y == last_y && next_y == y && between(x, last_x, next_x)))
                continue;
        }
        g_string_append_c(out, i == 0 ? 'M' : x == last_x ? 'V' : y == last_y ? 'H' : 'L');
        if (i == 0 || x != last_x)
            put_number(out, (double)x / 100);
        if (i == 0 || (x != last_x && y != last_y))
            g_string_append_c(out, ' ');
        if (i == 0 || x == last_x || y != last_y)
            put_number(out, (double)y / 100);
        last_x = x;
        last_y = y;
    }
}

static void polyline(struct xt_canvas *canvas, const struct xt_point *points, unsigned n, bool closed,
                     const struct xt_paint *paint, const struct xt_tag *tag)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    g_string_append(c->body, "<path d=\"");
    put_path(c->body, points, n);
    g_string_append(c->body, closed ? "Z\"" : "\"");
    put_paint(c, paint);
    put_tag(c, tag);
    g_string_append(c->body, "/>\n");
}

static void circle(struct xt_canvas *canvas, double x, double y, double radius, const struct xt_paint *paint,
                   const struct xt_tag *tag)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    g_string_append(c->body, "<circle");
    put_attribute(c->body, "cx", x);
    put_attribute(c->body, "cy", y);
    put_attribute(c->body, "r", radius);
    put_paint(c, paint);
    put_tag(c, tag);
    g_string_append(c->body, "/>\n");
}

static void text(struct xt_canvas *canvas, double x, double y, bool upright, const struct xt_font *font,
                 PangoLayout *layout, double text_width)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    g_string_append(c->body, "<text");
    put_attribute(c->body, "x", x);
    put_attribute(c->body, "y", y);
    put_attribute(c->body, "font-size", font->size);
    if (font->bold)
        g_string_append(c->body, " font-weight=\"700\"");
    if (font->italic)
        g_string_append(c->body, " font-style=\"italic\"");
    g_string_append_printf(c->body, " fill=\"#%06x\"", font->colour);
    if (upright) {
        g_string_append(c->body, " transform=\"rotate(-90 ");
        put_number(c->body, x);
        g_string_append_c(c->body, ' ');
        put_number(c->body, y);
        g_string_append(c->body, ")\"");
    }
    /* Should a viewer have to take another font, the text still ends where the layout believes. */
    put_attribute(c->body, "textLength", text_width);
    g_string_append(c->body, " lengthAdjust=\"spacingAndGlyphs\">");
    xt_text_escape_xml(c->body, pango_layout_get_text(layout));
    g_string_append(c->body, "</text>\n");
    xt_font_set_add(c->fonts, layout);
}

static void push(struct xt_canvas *canvas, double x, double y, double width, double height)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    g_string_append(c->body, "<g transform=\"translate(");
    put_number(c->body, x);
    g_string_append_c(c->body, ' ');
    put_number(c->body, y);
    g_string_append(c->body, ")\"");
    if (width > 0) {
        unsigned clip = c->n_clips++;
        g_string_append_printf(c->body, " clip-path=\"url(#%sc%u)\"><clipPath id=\"%sc%u\"><rect", c->prefix,
                               clip, c->prefix, clip);
        put_attribute(c->body, "width", width);
        put_attribute(c->body, "height", height);
        g_string_append(c->body, "/></clipPath");
    }
    g_string_append(c->body, ">\n");
}

static void pop(struct xt_canvas *canvas)
{
    g_string_append(((struct svg_canvas *)canvas)->body, "</g>\n");
}

static void page(struct xt_canvas *canvas, double width, double height)
{
    ((struct svg_canvas *)canvas)->n_pages++;
}

static void put_textures(const struct svg_canvas *c, GString *out)
{
    /* Each tile is 3 x 3 pt; the diagonals are drawn past its corners so that the joints are whole. */
    static const char *const lines[XT_N_TEXTURES] = {
        [XT_TEXTURE_RISING] = "M-1 1L1 -1M0 3L3 0M2 4L4 2",
        [XT_TEXTURE_FALLING] = "M-1 2L1 4M0 0L3 3M2 -1L4 1",
        [XT_TEXTURE_LEVEL] = "M0 1.5L3 1.5",
        [XT_TEXTURE_UPRIGHT] = "M1.5 0L1.5 3",
        [XT_TEXTURE_CROSSED] = "M0 3L3 0M0 0L3 3",
    };

    for (unsigned i = 0; i < c->n_textures; i++) {
        const struct texture_key *t = &c->textures[i];
        g_string_append_printf(out,
                               "<pattern id=\"%st%u\" width=\"3\" height=\"3\" "
                               "patternUnits=\"userSpaceOnUse\">",
                               c->prefix, i);
        if (t->fill != XT_NO_COLOUR)
            g_string_append_printf(out, "<rect width=\"3\" height=\"3\" fill=\"#%06x\"/>", t->fill);
        g_string_append_printf(out, "<path d=\"%s\" stroke=\"#%06x\" stroke-width=\"0.45\"/></pattern>\n",
                               lines[t->texture], t->ink);
    }
}

static GBytes *finish(struct xt_canvas *canvas, GError **error)
{
    struct svg_canvas *c = (struct svg_canvas *)canvas;
    GString *out = g_string_new(NULL);
    bool several_pages = c->n_pages > 0;

    if (c->standalone)
        g_string_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    g_string_append(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" role=\"img\"");
    g_string_append(out, " viewBox=\"0 0 ");
    put_number(out, c->width);
    g_string_append_c(out, ' ');
    put_number(out, c->height);
    g_string_append(out, "\" width=\"");
    put_number(out, c->width);
    g_string_append(out, "pt\" height=\"");
    put_number(out, c->height);
    g_string_append(out, "pt\" font-family=\"'" XT_FONT_FAMILY "',Arial,Helvetica,'" XT_FONT_FALLBACK
                         "',sans-serif\" "
                         "style=\"font-kerning:none;font-variant-ligatures:none;white-space:pre\">\n");
    if (c->title) {
        g_string_append(out, "<title>");
        xt_text_escape_xml(out, c->title);
        g_string_append(out, "</title>\n");
    }
    if (c->description) {
        g_string_append(out, "<desc>");
        xt_text_escape_xml(out, c->description);
        g_string_append(out, "</desc>\n");
    }
    g_string_append(out, "<defs>\n");
    if (c->own_fonts) {
        g_string_append(out, "<style>\n");
        xt_font_set_write_css(c->fonts, out);
        g_string_append(out, "</style>\n");
    }
    put_textures(c, out);
    g_string_append(out, "</defs>\n");
    if (c->standalone)
        g_string_append_printf(out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#%06x\"/>\n",
                               XT_COLOUR_PAPER);
    g_string_append_len(out, c->body->str, (gssize)c->body->len);
    g_string_append(out, "</svg>\n");

    if (c->own_fonts)
        xt_font_set_free(c->fonts);
    g_string_free(c->body, TRUE);
    g_free(c->prefix);
    g_free(c->title);
    g_free(c->description);
    g_free(c);
    if (!several_pages)
        return g_string_free_to_bytes(out);
    g_string_free(out, TRUE);
    g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "an SVG file holds one page; take .pdf, or draw fewer rows");
    return NULL;
}

static const struct xt_canvas_ops svg_ops = {finish, page, rect, polyline, circle, text, push, pop};

struct xt_canvas *xt_canvas_svg_new(const struct xt_canvas_info *info)
{
    struct svg_canvas *c = g_new0(struct svg_canvas, 1);
    c->base.ops = &svg_ops;
    c->body = g_string_new(NULL);
    c->prefix = g_strdup(info->id_prefix ? info->id_prefix : "");
    c->title = g_strdup(info->title);
    c->description = g_strdup(info->description);
    c->width = info->width;
    c->height = info->height;
    c->standalone = !info->id_prefix;
    c->own_fonts = !info->fonts;
    c->fonts = info->fonts ? info->fonts : xt_font_set_new();
    return &c->base;
}
