/* Drawing, checked on scenes and samples made by hand: what should stand in the picture is known beforehand.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parse/error.h"
#include "render/axis.h"
#include "render/gantt.h"
#include "render/plot.h"
#include "render/text.h"
#include "tests/render/scenes.h"

#define MS 1000000LL

static const struct sim_server servers[] = {
    {0, 0, 10 * MS, 4 * MS, 1 * MS, "Domain-0"},    {1, 0, 10 * MS, 4 * MS, 3 * MS, "vm1"},
    {1, 1, 10 * MS, 4 * MS, 9 * MS, "vm1"},         {2, 0, 20 * MS, 6 * MS, 9 * MS, "<b>&\"amp;'"},
    {2, 1, 25 * MS, 9 * MS, 9 * MS, "<b>&\"amp;'"}, {3, 0, 10 * MS, 4 * MS, 4 * MS, "مرحبا بالعالم"},
};

static struct xt_theme theme_of(const char *size)
{
    struct xt_theme theme;
    GError *error = NULL;
    bool ok = xt_theme_init(&theme, size, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    return theme;
}

static GBytes *draw_scene(struct xt_scene *scene, const char *size, unsigned rows, enum xt_picture format)
{
    struct xt_theme theme = theme_of(size);
    struct xt_gantt_options options = {.rows = rows};
    GError *error = NULL;
    struct xt_figure *figure = xt_gantt_new(&theme, &options, &scene, 1);
    GBytes *bytes = xt_figure_render(figure, format, 0, &error);
    g_assert_no_error(error);
    xt_figure_free(figure);
    return bytes;
}

static double attribute(const char *element, const char *name)
{
    char *key = g_strdup_printf(" %s=\"", name);
    const char *end = strchr(element, '>'), *found = strstr(element, key);
    g_assert_true(found && found < end);
    double value = g_ascii_strtod(found + strlen(key), NULL);
    g_free(key);
    return value;
}

/* Each element of the class, one after the other. */
static const char *next_of_class(const char *svg, const char *class_name)
{
    char *key = g_strdup_printf(" class=\"%s\"", class_name);
    const char *found = strstr(svg, key);
    g_free(key);
    if (!found)
        return NULL;
    while (*found != '<')
        found--;
    return found;
}

/* Every box stands where its times say, and together they are as long as the simulator let servers run. */
static void test_geometry(void)
{
    int64_t from = 97 * MS, to = 203 * MS, ran;
    struct xt_scene *scene = sim_scene(servers, G_N_ELEMENTS(servers), 2, 300 * MS, MS / 10, from, to, &ran);
    GBytes *bytes = draw_scene(scene, "page", XT_ROWS_PCPU | XT_ROWS_VCPU, XT_PICTURE_SVG);
    char *svg = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    const char *plot = next_of_class(svg, "plot");
    double left = attribute(plot, "x"), width = attribute(plot, "width");

    g_assert_cmpfloat(attribute(plot, "data-ts"), ==, (double)from);
    g_assert_cmpfloat(attribute(plot, "data-dur"), ==, (double)(to - from));
    const char *const classes[] = {"running by-pcpu", "running by-vcpu"};
    for (unsigned c = 0; c < 2; c++) {
        double drawn = 0;
        unsigned n = 0;
        for (const char *box = svg; (box = next_of_class(box, classes[c])); box = strchr(box, '>'), n++) {
            double ts = attribute(box, "data-ts"), end = ts + attribute(box, "data-dur");
            double x0 = left + (MAX(ts, (double)from) - (double)from) / (double)(to - from) * width;
            double x1 = left + (MIN(end, (double)to) - (double)from) / (double)(to - from) * width;
            g_assert_cmpfloat_with_epsilon(attribute(box, "x"), x0, 0.002);
            g_assert_cmpfloat_with_epsilon(attribute(box, "x") + attribute(box, "width"), x1, 0.003);
            drawn += attribute(box, "width");
        }
        g_assert_cmpuint(n, >, 50);
        g_assert_cmpfloat_with_epsilon(drawn / width * (double)(to - from), (double)ran,
                                       (double)n * 0.001 / width * (double)(to - from));
    }
    g_free(svg);
    g_bytes_unref(bytes);
}

static void test_deterministic(void)
{
    const enum xt_picture formats[] = {XT_PICTURE_PNG, XT_PICTURE_PDF, XT_PICTURE_SVG};
    for (unsigned f = 0; f < G_N_ELEMENTS(formats); f++) {
        GBytes *bytes[2];
        for (unsigned i = 0; i < 2; i++) {
            struct xt_scene *scene =
                sim_scene(servers, G_N_ELEMENTS(servers), 2, 300 * MS, MS / 10, 100 * MS, 200 * MS, NULL);
            bytes[i] = draw_scene(scene, "page", XT_ROWS_PCPU | XT_ROWS_VCPU, formats[f]);
            g_usleep(i == 0 ? 1100000 : 0); /* into another second, should a clock be asked */
        }
        g_assert_true(g_bytes_equal(bytes[0], bytes[1]));
        g_bytes_unref(bytes[0]);
        g_bytes_unref(bytes[1]);
    }
}

static void check_markup(const char *svg)
{
    GMarkupParser parser = {0};
    GError *error = NULL;
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, NULL, NULL);
    g_markup_parse_context_parse(context, svg, -1, &error);
    g_assert_no_error(error);
    g_markup_parse_context_end_parse(context, &error);
    g_assert_no_error(error);
    g_markup_parse_context_free(context);
}

static void test_hostile_names(void)
{
    static const char *const names[] = {"</text><script>alert(1)</script>",
                                        "a\nb\tc\x01\x7f",
                                        "\xff\xfe broken \xc3",
                                        "x\u202edetrever\u202c",
                                        "שלום עולם",
                                        "",
                                        "--><!--",
                                        "&amp;&#0;"};
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        struct sim_server server = {1, 0, 10 * MS, 4 * MS, 3 * MS, names[i]};
        struct xt_scene *scene = sim_scene(&server, 1, 1, 100 * MS, MS, 0, 100 * MS, NULL);
        g_free(scene->run);
        scene->run = g_strdup(names[i]);
        GBytes *bytes = draw_scene(scene, "column", XT_ROWS_PCPU | XT_ROWS_VCPU, XT_PICTURE_SVG);
        char *svg = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        g_assert_true(g_utf8_validate(svg, -1, NULL));
        check_markup(svg);
        g_assert_null(strstr(svg, "<script"));
        g_assert_null(strstr(svg, "\u202e"));
        g_free(svg);
        g_bytes_unref(bytes);
    }
}

/* A budget of 4 ms, run for 3: four points. From DESIGN: falls by one ns per ns run, stays at 0. */
static void test_budget(void)
{
    struct xt_scene *scene = xt_scene_new(0, 20 * MS);
    struct xt_scene_replenish r[] = {{0, 0, 4 * MS}, {0, 10 * MS, 4 * MS}};
    struct xt_scene_interval i[] = {{.state = XT_RUNNING, .ts = 2 * MS, .end_ts = 5 * MS},
                                    {.state = XT_RUNNABLE, .ts = 10 * MS, .end_ts = 11 * MS},
                                    {.state = XT_RUNNING, .ts = 11 * MS, .end_ts = 17 * MS}};
    static const int64_t expected[][2] = {{0, 4},  {2, 4},  {5, 1},  {10, 1},
                                          {10, 4}, {11, 4}, {15, 0}, {20, 0}};

    xt_scene_add_levels(scene, 0, r, 2, i, 3);
    g_assert_cmpuint(scene->levels->len, ==, G_N_ELEMENTS(expected));
    for (unsigned n = 0; n < G_N_ELEMENTS(expected); n++) {
        const struct xt_scene_level *level = &g_array_index(scene->levels, struct xt_scene_level, n);
        g_assert_cmpint(level->ts, ==, expected[n][0] * MS);
        g_assert_cmpint(level->left_ns, ==, expected[n][1] * MS);
        g_assert_cmpint(level->starts, ==, n == 0);
    }
    xt_scene_free(scene);
}

/* Unknown time ends the curve until the next replenishment. */
static void test_budget_unknown(void)
{
    struct xt_scene *scene = xt_scene_new(0, 20 * MS);
    struct xt_scene_replenish r[] = {{0, 0, 4 * MS}, {0, 10 * MS, 4 * MS}};
    struct xt_scene_interval i[] = {{.state = XT_UNKNOWN, .ts = 2 * MS, .end_ts = 5 * MS}};
    static const int64_t expected[][3] = {{0, 4, 1}, {2, 4, 0}, {10, 4, 1}, {20, 4, 0}};

    xt_scene_add_levels(scene, 0, r, 2, i, 1);
    g_assert_cmpuint(scene->levels->len, ==, G_N_ELEMENTS(expected));
    for (unsigned n = 0; n < G_N_ELEMENTS(expected); n++) {
        const struct xt_scene_level *level = &g_array_index(scene->levels, struct xt_scene_level, n);
        g_assert_cmpint(level->ts, ==, expected[n][0] * MS);
        g_assert_cmpint(level->left_ns, ==, expected[n][1] * MS);
        g_assert_cmpint(level->starts, ==, expected[n][2]);
    }
    xt_scene_free(scene);
}

/* However intervals fall on columns, not a nanosecond is lost, and no column holds more than its length. */
static void test_density(void)
{
    GRand *rand = g_rand_new_with_seed(1);
    for (unsigned round = 0; round < 200; round++) {
        int64_t from = g_rand_int_range(rand, 0, 1000), to = from + g_rand_int_range(rand, 1, 100000),
                total = 0;
        int64_t origin = from - g_rand_int_range(rand, 0, 300), column_ns = g_rand_int_range(rand, 300, 3000);
        struct xt_density *d = xt_density_new(from, to, origin, column_ns);
        for (int64_t ts = 0; ts < to + 100;) {
            int64_t end = ts + g_rand_int_range(rand, 1, 300);
            xt_density_add(d, 3, 7, ts, end);
            total += MAX(MIN(end, to) - MAX(ts, from), 0);
            ts = end + g_rand_int_range(rand, 0, 50);
        }
        const int64_t *share = xt_density_share(d, 3, 7);
        int64_t sum = 0;
        for (unsigned c = 0; share && c < d->n_columns; c++) {
            g_assert_cmpint(share[c], >=, 0);
            g_assert_cmpint(share[c], <=, xt_density_column_ts(d, c + 1) - xt_density_column_ts(d, c));
            sum += share[c];
        }
        g_assert_cmpint(sum, ==, total);
        xt_density_free(d);
    }
    g_rand_free(rand);
}

/* A colour goes to those that fill an eighth of a column somewhere, at most ten of them; pooled is what is left. */
static void test_owners(void)
{
    struct xt_density *d = xt_density_new(0, 800, 0, 100);
    unsigned n_first;

    xt_density_add(d, 3, 1, 0, 12);
    GArray *ranked = xt_density_ranked(d, 3, &n_first);
    g_assert_cmpuint(n_first, ==, 1); /* alone it needs no pool */
    g_array_unref(ranked);

    for (int64_t ts = 0; ts < 800; ts += 100)
        xt_density_add(d, 3, 2, ts + 20, ts + 32); /* much in sum, thin everywhere */
    xt_density_add(d, 3, 9, 700, 713);
    xt_density_add(d, 3, XT_SHARE_RUNNABLE, 0, 800);
    ranked = xt_density_ranked(d, 3, &n_first);
    g_assert_cmpuint(ranked->len, ==, 3);
    g_assert_cmpuint(n_first, ==, 1);
    g_assert_cmpint(g_array_index(ranked, struct xt_owner, 0).owner, ==, 9);
    g_assert_cmpint(g_array_index(ranked, struct xt_owner, 0).sum, ==, 13);
    int64_t *pooled = xt_density_pool(d, 3, ranked, n_first);
    g_assert_cmpint(pooled[0], ==, 24);
    g_assert_cmpint(pooled[7], ==, 12);
    g_free(pooled);
    g_array_unref(ranked);

    for (int owner = 20; owner < 32; owner++)
        xt_density_add(d, 3, owner, 300, 300 + owner);
    ranked = xt_density_ranked(d, 3, &n_first);
    g_assert_cmpuint(n_first, ==, 10);
    for (unsigned i = 0; i < n_first; i++) /* the ten with most, by number */
        g_assert_cmpint(g_array_index(ranked, struct xt_owner, i).owner, ==, 22 + (int)i);
    g_array_unref(ranked);
    xt_density_free(d);
}

static void test_quantiles(void)
{
    struct xt_samples *s = xt_samples_new("x", NULL, 0);
    for (int i = 10; i >= 1; i--)
        xt_samples_add(s, i * 100, 1);
    xt_samples_finish(s);
    g_assert_cmpint(xt_samples_quantile(s, 0.5), ==, 500); /* the ceil(5)th smallest */
    g_assert_cmpint(xt_samples_quantile(s, 0.9), ==, 900);
    g_assert_cmpint(xt_samples_quantile(s, 0.91), ==, 1000);
    g_assert_cmpint(xt_samples_quantile(s, 0.999), ==, 1000);
    g_assert_cmpint(xt_samples_quantile(s, 0.01), ==, 100);
    g_assert_cmpuint(xt_samples_below(s, 299), ==, 2);
    xt_samples_free(s);
}

static void test_thin(void)
{
    uint64_t sum[10] = {0};
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct xt_samples *s = xt_samples_new("x", NULL, 0);
        for (int i = 0; i < 10; i++)
            xt_samples_add(s, i, 10);
        xt_samples_finish(s);
        xt_samples_thin(s, 20, seed);
        uint64_t n = 0;
        for (unsigned i = 0; i < s->values->len; i++) {
            const struct xt_sample *v = &g_array_index(s->values, struct xt_sample, i);
            g_assert_cmpuint(v->count, <=, 10);
            sum[v->ns] += v->count;
            n += v->count;
        }
        g_assert_cmpuint(n, ==, 20);
        g_assert_cmpuint(s->n, ==, 20);
        g_assert_cmpuint(s->n_all, ==, 100);
        xt_samples_free(s);
    }
    for (int i = 0; i < 10; i++) /* expected 4000 each, standard deviation below 60 */
        g_assert_cmpfloat(fabs((double)sum[i] - 4000), <, 300);
}

static void test_bins(void)
{
    struct xt_sample_set set = {.groups = g_ptr_array_new()};
    struct xt_samples *s = xt_samples_new("x", NULL, 0);
    static const int64_t values[] = {0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 123456789};
    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
        xt_samples_add(s, values[i], i + 1);
    xt_samples_finish(s);
    g_ptr_array_add(set.groups, s);
    for (int logarithmic = 0; logarithmic < 2; logarithmic++) {
        struct xt_bins bins;
        xt_bins_choose(&bins, &set, logarithmic);
        uint64_t *counts = xt_bins_count(&bins, s), sum = 0;
        g_assert_cmpuint(bins.n, <=, 220);
        for (unsigned b = 0; b < bins.n; b++)
            sum += counts[b];
        g_assert_cmpuint(sum, ==, s->n);
        g_assert_cmpfloat(xt_bins_edge(&bins, bins.n), >, 123456789);
        g_free(counts);
    }
    xt_samples_free(s);
    g_ptr_array_unref(set.groups);
}

static void test_fit(void)
{
    struct xt_font font = {.size = 7};
    const char *text = "a very long name, longer than the room that there is";
    for (double room = 0; room < 200; room += 3.7) {
        char *fitted = xt_text_fit(&font, text, room);
        g_assert_cmpfloat(xt_text_width(&font, fitted), <=, room + 0.02);
        if (strcmp(fitted, text) != 0 && *fitted)
            g_assert_true(g_str_has_suffix(fitted, "…"));
        g_free(fitted);
    }
}

/* Figures from Wilson's formula as textbooks print them. */
static void test_wilson(void)
{
    double low, high;
    xt_wilson(5, 10, &low, &high);
    g_assert_cmpfloat_with_epsilon(low, 0.2366, 0.0001);
    g_assert_cmpfloat_with_epsilon(high, 0.7634, 0.0001);
    xt_wilson(0, 10, &low, &high);
    g_assert_cmpfloat(low, ==, 0);
    g_assert_cmpfloat_with_epsilon(high, 0.2775, 0.0001);
    xt_wilson(10, 10, &low, &high);
    g_assert_cmpfloat_with_epsilon(low, 0.7225, 0.0001);
    g_assert_cmpfloat(high, ==, 1);
    xt_wilson(0, 0, &low, &high);
    g_assert_cmpfloat(low, ==, 0);
    g_assert_cmpfloat(high, ==, 1);
}

/* Whatever the window, ticks lie in it, ascend, and no two say the same. */
static void test_time_ticks(void)
{
    static const int64_t spans[] = {1,       7,        100,       5000,        50000,        999999,
                                    10 * MS, 100 * MS, 5000 * MS, 600000 * MS, 86400000 * MS};
    static const int64_t starts[] = {0, 1, 3214210000, 86399 * 1000 * MS};
    for (unsigned s = 0; s < G_N_ELEMENTS(spans); s++)
        for (unsigned b = 0; b < G_N_ELEMENTS(starts); b++)
            for (unsigned most = 2; most < 20; most += 5) {
                struct xt_ticks ticks;
                xt_ticks_time(&ticks, starts[b], starts[b] + spans[s], most);
                g_assert_cmpuint(ticks.n, <=, most + 1);
                for (unsigned i = 0; i < ticks.n; i++) {
                    g_assert_cmpfloat(ticks.tick[i].at, >=, (double)starts[b]);
                    g_assert_cmpfloat(ticks.tick[i].at, <=, (double)(starts[b] + spans[s]));
                    g_assert_cmpuint(strlen(ticks.tick[i].label), <=, 12);
                    if (i > 0)
                        g_assert_cmpstr(ticks.tick[i].label, !=, ticks.tick[i - 1].label);
                }
            }
}

static void test_format(void)
{
    static const struct {
        double ns;
        unsigned digits;
        const char *text;
    } cases[] = {{0, 3, "0 ns"},        {999, 3, "999 ns"},    {1000, 3, "1 µs"},
                 {12345, 3, "12.3 µs"}, {4000000, 4, "4 ms"},  {1234567890, 4, "1.235 s"},
                 {999999, 3, "1 ms"},   {999400, 3, "999 µs"}, {-1500, 3, "-1.5 µs"}};
    char text[32];
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpstr(xt_format_duration(text, sizeof(text), cases[i].ns, cases[i].digits), ==,
                        cases[i].text);
    g_assert_cmpstr(xt_format_count(text, sizeof(text), 9999), ==, "9999");
    g_assert_cmpstr(xt_format_count(text, sizeof(text), 1234567), ==, "1\u00a0234\u00a0567");
}

static void test_sizes(void)
{
    static const char *const bad[] = {"",       "pag", "100",     "x100",   "100x", "100x100furlong",
                                      "-5x100", "1x1", "1e9x1e9", "nanxnan"};
    struct xt_theme theme = theme_of("160x90mm");
    g_assert_cmpfloat_with_epsilon(theme.width, 453.54, 0.01);
    g_assert_cmpfloat_with_epsilon(theme.height, 255.12, 0.01);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        g_assert_false(xt_theme_init(&theme, bad[i], &error));
        g_assert_error(error, XT_ERROR, XT_ERROR_USAGE);
        g_clear_error(&error);
    }
}

/* 1 and 64 pCPUs, 300 VCPUs, every size: the figure keeps its width, and a fixed height if there is room for
 * one row. */
static void test_extremes(void)
{
    static const char *const sizes[] = {"column", "page", "slide", "300x200", "150x100"};
    struct sim_server *many = g_new0(struct sim_server, 300);
    for (int i = 0; i < 300; i++)
        many[i] = (struct sim_server){i / 3, i % 3, 10 * MS, 2 * MS, 2 * MS, "guest"};
    for (unsigned s = 0; s < G_N_ELEMENTS(sizes); s++)
        for (unsigned p = 1; p <= 64; p += 63) {
            struct xt_theme theme = theme_of(sizes[s]);
            struct xt_gantt_options options = {.rows = XT_ROWS_PCPU | XT_ROWS_VCPU};
            struct xt_scene *scene = sim_scene(many, 300, p, 30 * MS, MS / 2, 0, 30 * MS, NULL);
            struct xt_figure *figure = xt_gantt_new(&theme, &options, &scene, 1);
            g_assert_cmpfloat(figure->width, ==, theme.width);
            g_assert_cmpfloat(figure->height, <, 14400);
            if (theme.height >= 500)
                g_assert_cmpfloat(figure->height, <=, theme.height);
            GBytes *bytes = xt_figure_render(figure, XT_PICTURE_SVG, 0, NULL);
            g_assert_nonnull(bytes);
            g_bytes_unref(bytes);
            xt_figure_free(figure);
        }
    g_free(many);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/render/gantt/geometry", test_geometry);
    g_test_add_func("/render/gantt/hostile-names", test_hostile_names);
    g_test_add_func("/render/gantt/extremes", test_extremes);
    g_test_add_func("/render/deterministic", test_deterministic);
    g_test_add_func("/render/scene/budget", test_budget);
    g_test_add_func("/render/scene/budget-unknown", test_budget_unknown);
    g_test_add_func("/render/scene/density", test_density);
    g_test_add_func("/render/scene/owners", test_owners);
    g_test_add_func("/render/samples/quantiles", test_quantiles);
    g_test_add_func("/render/samples/thin", test_thin);
    g_test_add_func("/render/bins", test_bins);
    g_test_add_func("/render/text/fit", test_fit);
    g_test_add_func("/render/wilson", test_wilson);
    g_test_add_func("/render/axis/time", test_time_ticks);
    g_test_add_func("/render/axis/format", test_format);
    g_test_add_func("/render/sizes", test_sizes);
    return g_test_run();
}
