/* Pictures as PNG, by libpng: Cairo's own writer takes most of the time of a large one. */
#pragma once

#include <cairo.h>
#include <stdbool.h>
#include <glib.h>

/* Appends the surface, an opaque one of CAIRO_FORMAT_RGB24, to bytes. dpi is noted in it. False if memory ran out. */
bool png_write(cairo_surface_t *surface, double dpi, GByteArray *bytes);
