/* The shapes of a Gantt chart, as in papers on real-time systems: release up, deadline down, completion T. */
#include <math.h>

#include "render/gantt-private.h"

static void head(struct xt_canvas *canvas, double x, double tip, double base, double half, xt_colour colour)
{
    struct xt_point points[] = {{x, tip}, {x - half, base}, {x + half, base}};
    xt_canvas_polyline(canvas, points, 3, true, XT_PAINT_FILL(colour), NULL);
}

void gantt_arrow_up(struct xt_canvas *canvas, double x, double top, double bottom, double size,
                    xt_colour colour, const struct xt_tag *tag)
{
    xt_canvas_line(canvas, x, bottom, x, top + size * 0.5, XT_PAINT_LINE(colour, XT_LINE_MARK), tag);
    head(canvas, x, top, top + size, size * 0.42, colour);
}

void gantt_arrow_down(struct xt_canvas *canvas, double x, double top, double bottom, double size,
                      double width, xt_colour colour, const struct xt_tag *tag)
{
    xt_canvas_line(canvas, x, top, x, bottom - size * 0.5, XT_PAINT_LINE(colour, width), tag);
    head(canvas, x, bottom, bottom - size, size * (width > XT_LINE_MARK ? 0.6 : 0.42), colour);
}

void gantt_arrow_between(struct xt_canvas *canvas, double x0, double y0, double x1, double y1, double size,
                         const struct xt_tag *tag)
{
    double dx = x1 - x0, dy = y1 - y0, length = sqrt(dx * dx + dy * dy);
    if (length <= 0)
        return;
    dx /= length;
    dy /= length;
    size = MIN(size, length);
    double bx = x1 - dx * size, by = y1 - dy * size, half = size * 0.42;
    struct xt_point points[] = {{x1, y1}, {bx - dy * half, by + dx * half}, {bx + dy * half, by - dx * half}};

    xt_canvas_line(canvas, x0, y0, x1 - dx * size * 0.5, y1 - dy * size * 0.5,
                   XT_PAINT_LINE(XT_COLOUR_PAPER, XT_LINE_MARK * 2.6), NULL);
    xt_canvas_line(canvas, x0, y0, x1 - dx * size * 0.5, y1 - dy * size * 0.5,
                   XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_MARK), tag);
    xt_canvas_polyline(canvas, points, 3, true, XT_PAINT_FILL(XT_COLOUR_INK), NULL);
}

/* Preemption: hollow triangle; depletion: full triangle; both point down. Migration: diamond. Crowded: tick.
 */
void gantt_mark(struct xt_canvas *canvas, enum used what, double x, double y, double size,
                const struct xt_tag *tag)
{
    double h = size / 2;
    struct xt_point triangle[] = {{x - h, y - h * 0.8}, {x + h, y - h * 0.8}, {x, y + h * 0.9}};
    struct xt_point diamond[] = {{x, y - h}, {x + h, y}, {x, y + h}, {x - h, y}};
    struct xt_paint hollow = {.fill = XT_COLOUR_PAPER, .stroke = XT_COLOUR_INK, .width = XT_LINE_MARK * 0.8};

    switch (what) {
    case USED_PREEMPTION:
        xt_canvas_polyline(canvas, triangle, 3, true, &hollow, tag);
        break;
    case USED_DEPLETION:
        xt_canvas_polyline(canvas, triangle, 3, true, XT_PAINT_FILL(XT_COLOUR_INK), tag);
        break;
    case USED_MIGRATION:
        xt_canvas_polyline(canvas, diamond, 4, true, XT_PAINT_FILL(XT_COLOUR_QUIET), tag);
        break;
    default:
        xt_canvas_line(canvas, x, y - h, x, y + h, XT_PAINT_LINE(XT_COLOUR_INK, XT_LINE_MARK * 0.5), tag);
    }
}

void gantt_completion(struct xt_canvas *canvas, double x, double top, double bottom, double size,
                      xt_colour colour, const struct xt_tag *tag)
{
    xt_canvas_line(canvas, x, top, x, bottom, XT_PAINT_LINE(colour, XT_LINE_MARK), tag);
    xt_canvas_line(canvas, x - size / 2, top, x + size / 2, top, XT_PAINT_LINE(colour, XT_LINE_MARK * 1.6),
                   NULL);
}

static struct xt_font badge_font(double size)
{
    return (struct xt_font){.size = size, .bold = true, .colour = XT_COLOUR_PAPER};
}

double gantt_badge_width(double size, const char *text)
{
    struct xt_font font = badge_font(size);
    return MAX(size * 1.3, xt_text_width(&font, text) + size * 0.6);
}

void gantt_badge(struct xt_canvas *canvas, double x, double y, double left, double right, double size,
                 const char *text)
{
    struct xt_font font = badge_font(size);
    double height = size * 1.3, width = gantt_badge_width(size, text);

    x = CLAMP(x, left + width / 2, MAX(left + width / 2, right - width / 2));
    xt_canvas_rect(canvas, x - width / 2, y - height / 2, width, height, XT_PAINT_FILL(XT_COLOUR_MISS), NULL);
    xt_canvas_text(canvas, x, y + xt_text_cap_height(&font) / 2, XT_ALIGN_MIDDLE, &font, text, 0);
}
