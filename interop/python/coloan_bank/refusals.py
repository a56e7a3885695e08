"""What a failed call says (chapter 10), read from its status and its error details."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Any, BadRequest, Duration, ErrorInfo, LocalizedMessage, RetryInfo, Status

from coloan_bank.limits import DETAILS_BYTES_MAX
from coloan_bank.refused import OutcomeUnknown, Refused, check

RETRY_MS_DEFAULT = 1000
_DOMAIN = "coloan.v1"
_DETAILS_KEY = "grpc-status-details-bin"
_TYPE_BEFORE = "type.googleapis.com/"
_UNKNOWN_OUTCOMES = {
    grpc.StatusCode.UNAVAILABLE: "PEER_UNREACHABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.CANCELLED: "CALL_CANCELLED",
}


def refusal_of(failed: grpc.Call, open_refusal: Callable[[bytes], str]) -> Refused:
    """The refusal of a failed call. `open_refusal` verifies a signed one, which alone is evidence, and gives its
    reason."""
    details = next((value for key, value in failed.trailing_metadata() or () if key == _DETAILS_KEY), None)
    if details is None:
        return _without_details(failed.code())
    try:
        check(len(details) <= DETAILS_BYTES_MAX, "MESSAGE_TOO_LARGE")
        return _read_details(Status.FromString(cast(bytes, details)).details, open_refusal)
    except (DecodeError, Refused) as fault:
        return answer_invalid(str(fault))  # [COL-ERR-006]


def answer_invalid(detail: str) -> OutcomeUnknown:
    return OutcomeUnknown("PEER_ANSWER_INVALID", detail, retry_after_ms=RETRY_MS_DEFAULT)


def _without_details(code: grpc.StatusCode) -> Refused:
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return Refused("METHOD_UNKNOWN")
    if code in _UNKNOWN_OUTCOMES:
        return OutcomeUnknown(_UNKNOWN_OUTCOMES[code], retry_after_ms=RETRY_MS_DEFAULT)  # [COL-ERR-009]
    return answer_invalid(code.name)


def _read_details(details: Iterable[Any], open_refusal: Callable[[bytes], str]) -> Refused:
    """Details that are not known are skipped ([COL-ERR-004])."""
    values: defaultdict[str, list[bytes]] = defaultdict(list)
    for detail in details:
        values[detail.type_url.removeprefix(_TYPE_BEFORE)].append(detail.value)
    infos = [info for info in map(ErrorInfo.FromString, values["google.rpc.ErrorInfo"]) if info.domain == _DOMAIN]
    check(len(infos) == 1, "FIELD_MISSING", field="ErrorInfo")
    evidence = next(iter(values["coloan.v1.Envelope"]), b"")
    if evidence:
        check(open_refusal(evidence) == infos[0].reason, "FIELD_INVALID", field="reason")
    violations = [
        one.field for data in values["google.rpc.BadRequest"] for one in BadRequest.FromString(data).field_violations
    ]
    delays = [_milliseconds(RetryInfo.FromString(data).retry_delay) for data in values["google.rpc.RetryInfo"]]
    texts = [LocalizedMessage.FromString(data).message for data in values["google.rpc.LocalizedMessage"]]
    return Refused(
        infos[0].reason,
        field=next(iter(violations), ""),
        retry_after_ms=next(iter(delays), None),
        evidence=evidence,
        text_zh=next(iter(texts), ""),
    )


def _milliseconds(delay: Duration) -> int:
    return delay.seconds * 1000 + delay.nanos // 1_000_000
