"""A check that failed, named by its reason in docs/REASONS.md.

Every module raises this and nothing else for what a peer can cause; any other exception is a fault of ours.
"""

from enum import Enum


class Action(Enum):
    """What a sender does about a refusal ([COL-ERR-007], [COL-ERR-008])."""

    SEND_AGAIN = "the same bytes again, after the delay"
    MEND_OR_GIVE_UP = "never the same bytes again: mend and make a new message, or give up"


class Refused(Exception):  # noqa: N818 (what it is called in the specification)
    """Nothing was done; the reason says why."""

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        field: str = "",
        retry_after_ms: int | None = None,
        evidence: bytes = b"",
        text_zh: str = "",
    ) -> None:
        super().__init__(": ".join(part for part in (reason, field, detail) if part))
        self.reason = reason
        self.field = field  # path of what to mend, in the contract's names
        self.retry_after_ms = retry_after_ms
        self.evidence = evidence  # the refusal as the centre signed it; empty: advice only
        self.text_zh = text_zh

    @property
    def action(self) -> Action:
        return Action.MEND_OR_GIVE_UP if self.retry_after_ms is None else Action.SEND_AGAIN

    @property
    def signed(self) -> bool:
        return self.evidence != b""


class OutcomeUnknown(Refused):
    """The message may have been processed or not: only the same bytes again tell ([COL-DUP-006])."""


def check(condition: object, reason: str, detail: str = "", *, field: str = "") -> None:
    if not condition:
        raise Refused(reason, detail, field=field)
