"""Protobuf bytes checked before they are decoded ([COL-SCN-001] to [COL-SCN-008]).

A decoder takes the last of several single fields, drops unknown ones and cuts off numbers, so two receivers of the same
signed bytes could read two messages.
"""

import re
from typing import NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from coloan_bank.limits import FIELDS_MAX, NESTING_MAX
from coloan_bank.refused import Refused, check

_VARINT, _FIXED64, _DELIMITED, _START_GROUP, _END_GROUP, _FIXED32 = range(6)
_FIELD_NUMBER_MAX = 2**29 - 1
_VARINT_BYTES_MAX = 10
_INT32_MAX = 2**31 - 1
_INT32_MIN_ON_WIRE = 2**64 - 2**31  # a negative int32 is sign-extended to 64 bits
_UINT32_MAX = 2**32 - 1
_UINT64_MAX = 2**64 - 1
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")

_WIRE_TYPES = {
    FieldDescriptor.TYPE_BYTES: _DELIMITED,
    FieldDescriptor.TYPE_STRING: _DELIMITED,
    FieldDescriptor.TYPE_MESSAGE: _DELIMITED,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
}


def check_text(data: bytes) -> str:
    """Valid UTF-8 without C0, DEL and C1 control characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("TEXT_ENCODING") from None
    check(not _CONTROLS.search(text), "TEXT_CONTROL")
    return text


def scan(message: type[Message], data: bytes, bytes_max: int, fields_max: int = FIELDS_MAX) -> None:
    """Raises Refused unless every decoder reads these bytes as the same message."""
    check(len(data) <= bytes_max, "MESSAGE_TOO_LARGE")
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    _Scan(data, fields_max).message(descriptor, len(data), depth=1)


class _Scan:
    """One pass over the bytes; `_at` is the next byte."""

    def __init__(self, data: bytes, fields_max: int) -> None:
        self._data = data
        self._at = 0
        self._fields_left = fields_max

    def message(self, descriptor: Descriptor, end: int, depth: int) -> None:
        check(depth <= NESTING_MAX, "WIRE_TOO_DEEP")
        seen: set[str] = set()
        while self._at < end:
            self._count_field()
            field, wire_type = self._key(descriptor, end)
            # Of the fields of a oneof only one may stand.
            once = field.containing_oneof.full_name if field.containing_oneof else field.full_name
            check(field.is_repeated or once not in seen, "WIRE_DUPLICATE")
            seen.add(once)
            if wire_type == _DELIMITED:
                self._delimited(field, end, depth)
            else:
                self._number(field, end)

    def _count_field(self) -> None:
        check(self._fields_left > 0, "WIRE_TOO_MANY_FIELDS")
        self._fields_left -= 1

    def _key(self, descriptor: Descriptor, end: int) -> tuple[FieldDescriptor, int]:
        key = self._varint(end)
        number, wire_type = key >> 3, key & 7
        check(1 <= number <= _FIELD_NUMBER_MAX and wire_type <= _FIXED32, "WIRE_MALFORMED")
        check(wire_type not in (_START_GROUP, _END_GROUP), "WIRE_TYPE")
        field = descriptor.fields_by_number.get(number)
        if field is None:
            raise Refused("WIRE_UNKNOWN_FIELD")
        declared = _WIRE_TYPES.get(field.type, _VARINT)
        packed = field.is_repeated and declared != _DELIMITED and wire_type == _DELIMITED
        check(wire_type == declared or packed, "WIRE_TYPE")
        return field, wire_type

    def _delimited(self, field: FieldDescriptor, end: int, depth: int) -> None:
        length = self._varint(end)
        check(length <= end - self._at, "WIRE_MALFORMED")
        inner_end = self._at + length
        if field.message_type is not None:
            self.message(field.message_type, inner_end, depth + 1)
        elif field.type == FieldDescriptor.TYPE_STRING:
            check_text(self._data[self._at : inner_end])
        elif field.type != FieldDescriptor.TYPE_BYTES:
            while self._at < inner_end:  # a packed list: each element counts
                self._count_field()
                self._number(field, inner_end)
        self._at = inner_end

    def _number(self, field: FieldDescriptor, end: int) -> None:
        wire_type = _WIRE_TYPES.get(field.type, _VARINT)
        if wire_type != _VARINT:
            length = 8 if wire_type == _FIXED64 else 4
            check(length <= end - self._at, "WIRE_MALFORMED")
            self._at += length
            return
        value = self._varint(end)
        fits_int32 = value <= _INT32_MAX or value >= _INT32_MIN_ON_WIRE
        if field.enum_type is not None:
            check(fits_int32 and _signed32(value) in field.enum_type.values_by_number, "ENUM_UNKNOWN")
        elif field.type == FieldDescriptor.TYPE_BOOL:
            check(value <= 1, "WIRE_VARINT")
        elif field.type == FieldDescriptor.TYPE_INT32:
            check(fits_int32, "WIRE_VARINT")
        elif field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_SINT32):
            check(value <= _UINT32_MAX, "WIRE_VARINT")

    def _varint(self, end: int) -> int:
        value = 0
        for i in range(_VARINT_BYTES_MAX):
            check(self._at < end, "WIRE_MALFORMED")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                check(value <= _UINT64_MAX, "WIRE_MALFORMED")
                check(byte != 0 or i == 0, "WIRE_VARINT")
                return value
        return _malformed()


def _signed32(value: int) -> int:
    return value if value <= _INT32_MAX else value - 2**64


def _malformed() -> NoReturn:
    raise Refused("WIRE_MALFORMED")
