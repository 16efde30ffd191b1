#!/usr/bin/env python3
"""damage.py SEED FILE: the file with a few bytes, words or blocks changed at random, reproducibly."""
import random
import sys

rng = random.Random(int(sys.argv[1]))
with open(sys.argv[2], "rb") as f:
    data = bytearray(f.read())
for _ in range(rng.randint(1, 8)):
    at, kind = rng.randrange(len(data) // 4) * 4, rng.randrange(5)
    if kind == 0:    # a bit
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:  # a word
        data[at:at + 4] = rng.randbytes(4)
    elif kind == 2:  # a time stamp far away
        data[at + 4:at + 12] = rng.choice([b"\xff" * 8, b"\0" * 8, b"\0" * 7 + b"\x01"])
    elif kind == 3:  # the rest is gone
        del data[max(at, 64):]
        break
    else:            # a lost-records record out of nowhere
        data[at:at + 28] = b"\x01\xf0\x01\xc0" + rng.randbytes(24)
sys.stdout.buffer.write(data)
