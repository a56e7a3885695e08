"""What has to be refused, as a context."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from coloan_bank.refused import Refused


@contextmanager
def refused(reason: str) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.reason == reason


@contextmanager
def judged(expected: str) -> Iterator[None]:
    """As the vectors say it: OK, or the reason."""
    if expected == "OK":
        yield
        return
    with refused(expected):
        yield
