#include "cli/picture.h"

#include "parse/error.h"
#include "render/canvas.h"

bool xt_picture_begin(const struct xt_picture_options *options, struct xt_theme *theme, GError **error)
{
    enum xt_picture format;

    if (!options->db || !options->output) {
        g_set_error_literal(error, XT_ERROR, XT_ERROR_USAGE, "--db FILE and -o OUT.{png,pdf,svg} are needed");
        return false;
    }
    if (options->dpi < 0 || options->dpi > 2400) {
        g_set_error(error, XT_ERROR, XT_ERROR_USAGE, "--dpi %g: expected 1 to 2400", options->dpi);
        return false;
    }
    return xt_picture_of_path(options->output, &format, error) &&
           xt_theme_init(theme, options->size ? options->size : "page", error);
}
