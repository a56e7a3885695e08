"""How a step is run, what has to be refused, and what has to come."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coloan_bank.refused import Refused

_WAIT_S_MAX = 60.0
_LOOK_S = 0.02


class Steps:
    """Counts what passed."""

    def __init__(self) -> None:
        self.passed = 0

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except BaseException:
            print(f"FAILED  {title}", file=sys.stderr)
            raise
        self.passed += 1
        print(f"ok  {title}  ({round((time.monotonic() - started) * 1000)} ms)", flush=True)


@contextmanager
def refused(reason: str, *, signed: bool = False) -> Iterator[None]:
    """What runs inside has to be refused, and with `signed` by a refusal that the centre signed."""
    try:
        yield
    except Refused as refusal:
        assert refusal.reason == reason, f"refused with {refusal}, and {reason} was due"
        assert refusal.signed or not signed, f"{reason} is not signed"
        return
    raise AssertionError(f"not refused, and {reason} was due")


def until(what: str, happened: Callable[[], object]) -> None:
    end = time.monotonic() + _WAIT_S_MAX
    while not happened():
        assert time.monotonic() < end, f"{what} did not come within {_WAIT_S_MAX:.0f} s"
        time.sleep(_LOOK_S)
