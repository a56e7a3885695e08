"""The messages of proto/coloan/v1 by their names. Whoever decodes foreign bytes scans them first (scan.py)."""

from coloan.v1 import application_pb2, decision_pb2, directory_pb2, envelope_pb2, push_pb2, verification_pb2
from google.protobuf.message import Message

_FILES = (application_pb2, decision_pb2, directory_pb2, envelope_pb2, push_pb2, verification_pb2)
_TYPE_BEFORE = "application/vnd.coloan.v1."
_TYPE_AFTER = "+protobuf"

MESSAGES: dict[str, type[Message]] = {
    name: getattr(file, name) for file in _FILES for name in file.DESCRIPTOR.message_types_by_name
}


def payload_type(message: type[Message] | Message) -> str:
    return _TYPE_BEFORE + message.DESCRIPTOR.name + _TYPE_AFTER


_BY_TYPE = {payload_type(message): message for message in MESSAGES.values()}


def message_of(payload_type_name: str) -> type[Message] | None:
    """The message that a payload type names; None when there is no such message."""
    return _BY_TYPE.get(payload_type_name)
