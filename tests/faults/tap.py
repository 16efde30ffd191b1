"""Results of a fault test as TAP."""
number = 0


def say(wrong, what):
    """One test: wrong lists what went wrong, and is empty if nothing did."""
    global number
    number += 1
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}", flush=True)
    for w in wrong[:10]:
        print(f"# {w}", flush=True)


def plan():
    """After the last test."""
    print(f"1..{number}")
