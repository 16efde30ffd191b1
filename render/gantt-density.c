/* Overview: each column of a row is stacked by share of time. Nothing is left out, however short it was. */
#include <stdlib.h>

#include "render/gantt-private.h"

/* Adds owner's share on top of *filled (ns per column, owned by the caller) and draws it as one stepped area.
 */
static void stack(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas, const struct row *row,
                  int64_t *filled, const int64_t *share, const struct xt_paint *paint,
                  const struct xt_tag *tag)
{
    const struct xt_density *d = panel->scene->density;
    GArray *top = g_array_new(FALSE, FALSE, sizeof(struct xt_point));
    GArray *bottom = g_array_new(FALSE, FALSE, sizeof(struct xt_point));
    double base = row->box_y + row->box_height;

    for (unsigned c = 0; c <= d->n_columns; c++) {
        bool empty = c == d->n_columns || share[c] == 0;
        if (!empty) {
            int64_t begin = xt_density_column_ts(d, c), end = xt_density_column_ts(d, c + 1);
            double scale = row->box_height / (double)MAX(end - begin, 1);
            double x0 = gantt_x(g, panel->scene, begin), x1 = gantt_x(g, panel->scene, end);
            double y0 = base - (double)filled[c] * scale, y1 = base - (double)(filled[c] + share[c]) * scale;
            struct xt_point points[] = {{x0, y1}, {x1, y1}, {x0, y0}, {x1, y0}};
            g_array_append_vals(top, points, 2);
            g_array_append_vals(bottom, points + 2, 2);
            filled[c] += share[c];
            continue;
        }
        if (top->len == 0)
            continue;
        for (unsigned i = bottom->len; i > 0; i--)
            g_array_append_val(top, g_array_index(bottom, struct xt_point, i - 1));
        xt_canvas_polyline(canvas, (struct xt_point *)top->data, top->len, true, paint, tag);
        g_array_set_size(top, 0);
        g_array_set_size(bottom, 0);
    }
    g_array_unref(top);
    g_array_unref(bottom);
}

static struct xt_paint owner_paint(const struct xt_look *look)
{
    return (struct xt_paint){
        .fill = look->fill, .stroke = XT_NO_COLOUR, .texture = look->texture, .texture_ink = look->ink};
}

const struct xt_paint gantt_paint_others = {
    .fill = 0xd9d9d9, .stroke = XT_NO_COLOUR, .texture = XT_TEXTURE_CROSSED, .texture_ink = 0xa8a8a8};

static const struct xt_paint unknown_paint = {.fill = XT_COLOUR_PAPER,
                                              .stroke = XT_NO_COLOUR,
                                              .texture = XT_TEXTURE_FALLING,
                                              .texture_ink = XT_COLOUR_UNKNOWN};

static void draw_share(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                       const struct row *row, int density_row, int64_t *filled, int owner,
                       const struct xt_paint *paint, struct xt_tag tag)
{
    const int64_t *share = xt_density_share(panel->scene->density, density_row, owner);
    if (!share)
        return;
    tag.dur = xt_density_sum(panel->scene->density, share);
    stack(g, panel, canvas, row, filled, share, paint, &tag);
}

/* All that ran on a pCPU, where the colour says which pCPU that is. */
static void draw_pcpu(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas, const struct row *row, int pcpu,
                      const GArray *owners, int64_t *filled)
{
    const struct xt_scene *scene = panel->scene;
    struct xt_look look = gantt_look(g, -1, pcpu);
    struct xt_paint paint = owner_paint(&look);
    int64_t *all = xt_density_pool(scene->density, xt_density_row_pcpu(pcpu), owners, 0);
    struct xt_tag tag = {"share by-pcpu", scene->from, xt_density_sum(scene->density, all), -1, -1, pcpu};

    stack(g, panel, canvas, row, filled, all, &paint, &tag);
    g->used[USED_COLUMN] = g->used[USED_RUNNING] = true;
    g_free(all);
}

/* Each domain on a pCPU, or each pCPU that a VCPU ran on; those that come last are pooled. */
static void draw_owners(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas, const struct row *row, int pcpu,
                        const struct xt_scene_vcpu *vcpu, const GArray *owners, unsigned n_first, int64_t *filled)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_density *d = scene->density;
    int density_row = vcpu ? xt_density_row_vcpu(row->index) : xt_density_row_pcpu(pcpu);

    for (unsigned i = 0; i < n_first; i++) {
        int owner = g_array_index(owners, struct xt_owner, i).owner, domid = vcpu ? vcpu->domid : owner;
        struct xt_look look = gantt_look(g, domid, vcpu ? owner : pcpu);
        struct xt_paint paint = owner_paint(&look);
        struct xt_tag tag = {vcpu ? "share by-vcpu" : "share by-pcpu",
                             scene->from,
                             0,
                             domid,
                             vcpu ? vcpu->vcpu : -1,
                             !vcpu                       ? pcpu
                             : g->options.colour_by_pcpu ? owner
                                                         : -1};
        draw_share(g, panel, canvas, row, density_row, filled, owner, &paint, tag);
        g->used[USED_COLUMN] = g->used[USED_RUNNING] = true;
    }
    if (n_first == owners->len)
        return;
    int64_t *others = xt_density_pool(d, density_row, owners, n_first);
    struct xt_tag tag = {"share others", scene->from, xt_density_sum(d, others), -1, -1, pcpu};
    stack(g, panel, canvas, row, filled, others, &gantt_paint_others, &tag);
    g->used[USED_COLUMN] = g->used[USED_OTHERS] = true;
    g_free(others);
}

static void draw_row(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas,
                     const struct row *row)
{
    const struct xt_scene *scene = panel->scene;
    const struct xt_density *d = scene->density;
    bool is_pcpu = row->kind == ROW_PCPU;
    int pcpu = is_pcpu ? g_array_index(scene->pcpus, int, row->index) : -1;
    const struct xt_scene_vcpu *vcpu =
        is_pcpu ? NULL : &g_array_index(scene->vcpus, struct xt_scene_vcpu, row->index);
    int density_row = is_pcpu ? xt_density_row_pcpu(pcpu) : xt_density_row_vcpu(row->index);
    int64_t *filled = g_new0(int64_t, d->n_columns);
    unsigned n_first;
    GArray *owners = xt_density_ranked(d, density_row, &n_first);

    if (is_pcpu && g->options.colour_by_pcpu && owners->len > 0)
        draw_pcpu(g, panel, canvas, row, pcpu, owners, filled);
    else
        draw_owners(g, panel, canvas, row, pcpu, vcpu, owners, n_first, filled);
    struct xt_tag tag = {"share waiting",        scene->from, 0, vcpu ? vcpu->domid : -1,
                         vcpu ? vcpu->vcpu : -1, pcpu};
    if (xt_density_share(d, density_row, XT_SHARE_RUNNABLE)) {
        draw_share(g, panel, canvas, row, density_row, filled, XT_SHARE_RUNNABLE,
                   XT_PAINT_FILL(XT_COLOUR_WAIT_SHARE), tag);
        g->used[USED_WAIT_SHARE] = true;
    }
    if (xt_density_share(d, density_row, XT_SHARE_UNKNOWN)) {
        tag.kind = "share unknown";
        draw_share(g, panel, canvas, row, density_row, filled, XT_SHARE_UNKNOWN, &unknown_paint, tag);
        g->used[USED_UNKNOWN] = true;
    }
    g_array_unref(owners);
    g_free(filled);
}

void gantt_draw_density(struct gantt *g, const struct panel *panel, struct xt_canvas *canvas)
{
    for (unsigned r = 0; r < panel->rows->len; r++) {
        const struct row *row = gantt_row(panel, r);
        if (row->kind == ROW_JOBS)
            continue;
        draw_row(g, panel, canvas, row);
        xt_canvas_rect(canvas, g->left, row->box_y, g->plot_width, row->box_height,
                       XT_PAINT_LINE(XT_COLOUR_WAIT, XT_LINE_GRID), NULL);
    }
}
