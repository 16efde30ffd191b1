#include "parse/error.h"

G_DEFINE_QUARK(xt-error-quark, xt_error)
