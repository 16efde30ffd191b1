#!/bin/sh
# Runs a command that sees no processes but its own, where this machine lets us: `xentrail record` refuses to trace beside
# another xentrace, and somebody else's tests may run one.
if unshare --fork --pid --mount-proc true 2> /dev/null; then
    exec unshare --fork --pid --mount-proc --kill-child "$@"
fi
exec "$@"
