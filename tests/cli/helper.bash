# What several of these files ask. $XENTRAIL, $SOURCE, $BUILD, $PREFIX and $VERSION come from meson.

# The commands that the program's help lists.
commands() {
    "$XENTRAIL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

# The long options that a command's help lists, sorted.
help_options() {
    "$XENTRAIL" "$1" --help | sed -n 's/^  \(-.,\)\? *--\([a-z][a-z0-9-]*\).*/\2/p' | sort -u
}
