import pytest
from coloan.v1.application_pb2 import Person
from coloan.v1.decision_pb2 import LoanPart
from coloan.v1.directory_pb2 import Key, KeyDirectory
from coloan.v1.envelope_pb2 import DIRECTION_ACK, Envelope, SignedHeader, SignedPayload
from coloan.v1.push_pb2 import Credit
from coloan.v1.verification_pb2 import VerificationQuery
from google.protobuf.message import Message

from coloan_bank.refused import Refused
from coloan_bank.scan import scan
from tests.support.refusing import judged, refused

NINE_BYTES = "ff ff ff ff ff ff ff ff ff"
FULL_HEADER = SignedHeader(spec_version="1.0", direction=DIRECTION_ACK, sequence=2**64 - 1).SerializeToString().hex()

ROWS: list[tuple[str, type[Message], str, str]] = [
    ("nothing", SignedHeader, "", "OK"),
    ("a text", SignedHeader, "0a 03 31 2e 30", "OK"),
    ("all of a header", SignedHeader, FULL_HEADER, "OK"),
    ("a negative int32", LoanPart, "10 fe ff ff ff ff ff ff ff ff 01", "OK"),
    ("a packed list of enumerations", VerificationQuery, "0a 02 01 02", "OK"),
    ("the same list unpacked", VerificationQuery, "08 01 08 02", "OK"),
    ("a repeated message", Envelope, "1a 00 1a 00", "OK"),
    ("a no-break space, which is no control", SignedHeader, "0a 02 c2 a0", "OK"),
    ("a cut length", SignedHeader, "0a", "WIRE_MALFORMED"),
    ("a length past the end", SignedHeader, "0a 04 31 2e 30", "WIRE_MALFORMED"),
    ("a length past the inner end", SignedPayload, "0a 02 0a 01", "WIRE_MALFORMED"),
    ("field number 0", SignedHeader, "00 00", "WIRE_MALFORMED"),
    ("wire type 6", SignedHeader, "0e 00", "WIRE_MALFORMED"),
    ("wire type 7", SignedHeader, "0f 00", "WIRE_MALFORMED"),
    ("a field number of 30 bits", SignedHeader, "80 80 80 80 10 00", "WIRE_MALFORMED"),
    ("more than 64 bits", SignedHeader, f"60 {NINE_BYTES} 02", "WIRE_MALFORMED"),
    ("an endless varint", SignedHeader, f"60 {NINE_BYTES} ff 01", "WIRE_MALFORMED"),
    ("a group", SignedHeader, "0b 0c", "WIRE_TYPE"),
    ("the end of a group", SignedHeader, "0c", "WIRE_TYPE"),
    ("a number for a text", SignedHeader, "08 01", "WIRE_TYPE"),
    ("a text for a number", SignedHeader, "62 00", "WIRE_TYPE"),
    ("a padded number", SignedHeader, "60 81 00", "WIRE_VARINT"),
    ("a padded length", SignedHeader, "0a 83 00 31 2e 30", "WIRE_VARINT"),
    ("a padded field key", SignedHeader, "8a 00 03 31 2e 30", "WIRE_VARINT"),
    ("a bool of 2", Person, "30 02", "WIRE_VARINT"),
    ("an int32 of 2^31", LoanPart, "10 80 80 80 80 08", "WIRE_VARINT"),
    ("a uint32 past its type", Credit, "08 80 80 80 80 10", "WIRE_VARINT"),
    ("a text twice", SignedHeader, "0a 00 0a 00", "WIRE_DUPLICATE"),
    ("a number twice", SignedHeader, "60 01 60 01", "WIRE_DUPLICATE"),
    ("a field of tomorrow", SignedHeader, "68 01", "WIRE_UNKNOWN_FIELD"),
    ("an unknown field inside", SignedPayload, "0a 02 68 01", "WIRE_UNKNOWN_FIELD"),
    ("an undeclared enumeration value", SignedHeader, "38 06", "ENUM_UNKNOWN"),
    ("an enumeration value past 32 bits", SignedHeader, "38 81 80 80 80 10", "ENUM_UNKNOWN"),
    ("an undeclared value in a packed list", VerificationQuery, "0a 02 01 63", "ENUM_UNKNOWN"),
    ("broken UTF-8", SignedHeader, "0a 01 ff", "TEXT_ENCODING"),
    ("an overlong form", SignedHeader, "0a 02 c0 80", "TEXT_ENCODING"),
    ("a surrogate", SignedHeader, "0a 03 ed a0 80", "TEXT_ENCODING"),
    ("NUL", SignedHeader, "0a 01 00", "TEXT_CONTROL"),
    ("a line feed", SignedHeader, "0a 01 0a", "TEXT_CONTROL"),
    ("DEL", SignedHeader, "0a 01 7f", "TEXT_CONTROL"),
    ("a C1 control", SignedHeader, "0a 02 c2 85", "TEXT_CONTROL"),
]


@pytest.mark.parametrize(("message", "data", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_scan(message: type[Message], data: str, expected: str) -> None:
    with judged(expected):
        scan(message, bytes.fromhex(data), 1000)


def test_size() -> None:
    scan(SignedHeader, b"\x0a\x011", 3)
    with refused("MESSAGE_TOO_LARGE"):
        scan(SignedHeader, b"\x0a\x011", 2)


def test_number_of_fields_with_elements_of_packed_lists() -> None:
    packed = bytes.fromhex("0a020102")
    scan(VerificationQuery, packed, 1000, 3)
    with refused("WIRE_TOO_MANY_FIELDS"):
        scan(VerificationQuery, packed, 1000, 2)
    with refused("WIRE_TOO_MANY_FIELDS"):
        scan(Envelope, bytes.fromhex("1a001a00"), 1000, 1)


def test_what_passes_the_scan_can_be_decoded() -> None:
    """Every cut and every changed bit of a message is refused, or is a message to a decoder, too."""
    data = KeyDirectory(number=1, environment="test", keys=[Key(party="bank:x", valid_from_ms=7)]).SerializeToString()
    cuts = [data[:end] for end in range(len(data))]
    flips = [data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :] for i in range(len(data)) for bit in range(8)]
    for changed in cuts + flips:
        try:
            scan(KeyDirectory, changed, 1000)
        except Refused:
            continue
        KeyDirectory.FromString(changed)
