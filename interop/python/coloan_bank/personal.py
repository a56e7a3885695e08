"""Personal values: the signed body holds salted commitments, the values travel beside it (chapter 9)."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coloan.v1.application_pb2 import Application
from coloan.v1.envelope_pb2 import Disclosure

from coloan_bank.dsse import DIGEST_BYTES
from coloan_bank.limits import SALT_BYTES, VALUE_BYTES_MAX
from coloan_bank.refused import Refused, check
from coloan_bank.scan import check_text

_DOMAIN = b"coloan field v1"
PERSON_FIELDS = ("name", "id_number", "mobile")


@dataclass(frozen=True)
class Concealed:
    """The commitment goes into the body, the disclosure beside it."""

    commitment: bytes
    disclosure: Disclosure


def commit(path: str, salt: bytes, value: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + _counted(path.encode()) + _counted(salt) + _counted(value)).digest()


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def conceal(path: str, text: str) -> Concealed:
    """Commits to a text under a salt that no other field has."""
    value, salt = text.encode(), os.urandom(SALT_BYTES)
    check(_is_value(value), "FIELD_INVALID", field=path)
    return Concealed(commit(path, salt, value), Disclosure(path=path, salt=salt, value=value))


def _is_value(value: bytes) -> bool:
    try:
        check_text(value)
    except Refused:
        return False
    return 1 <= len(value) <= VALUE_BYTES_MAX


def commitments_of(application: Application) -> dict[str, bytes]:
    """What an application commits to, by path ([COL-PER-002])."""
    found = {
        f"persons[{i}].{name}": getattr(person, name)
        for i, person in enumerate(application.persons)
        for name in PERSON_FIELDS
    }
    found |= {"home.address": application.home.address, "account": application.account}
    for path, commitment in found.items():
        check(len(commitment) in (0, DIGEST_BYTES), "FIELD_INVALID", field=path)
    return {path: commitment for path, commitment in found.items() if commitment}


def reveal(commitments: Mapping[str, bytes], disclosures: Iterable[Disclosure]) -> dict[str, str]:
    """The texts by path, each checked against its commitment. Some may be missing: an event carries what the consents
    allow ([COL-PER-006])."""
    values: dict[str, str] = {}
    salts: set[bytes] = set()
    for disclosure in disclosures:
        path, salt, value = disclosure.path, disclosure.salt, disclosure.value
        check(path in commitments and path not in values, "DISCLOSURE_UNEXPECTED")
        check(len(salt) == SALT_BYTES and _is_value(value), "DISCLOSURE_MISMATCH")
        check(commit(path, salt, value) == commitments[path], "DISCLOSURE_MISMATCH")
        check(salt not in salts, "DISCLOSURE_MISMATCH")  # it would show which fields are equal
        salts.add(salt)
        values[path] = value.decode()
    return values


def reveal_all(commitments: Mapping[str, bytes], disclosures: Iterable[Disclosure]) -> dict[str, str]:
    """As a request has to carry them: none is missing ([COL-PER-005])."""
    values = reveal(commitments, disclosures)
    check(len(values) == len(commitments), "DISCLOSURE_MISSING")
    return values
