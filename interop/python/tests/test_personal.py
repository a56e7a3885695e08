from collections.abc import Callable

import pytest
from coloan.v1.application_pb2 import Application, Home, Person
from coloan.v1.envelope_pb2 import Disclosure

from coloan_bank.bank import conceal_all
from coloan_bank.personal import commit, commitments_of, conceal, reveal, reveal_all
from tests.support.refusing import judged, refused

SOMEBODY = {"name": "测试甲", "id_number": "990101199603150019", "mobile": "19900010000"}
Change = Callable[[list[Disclosure]], list[Disclosure]]


def concealed() -> tuple[dict[str, bytes], list[Disclosure]]:
    application = Application(persons=[Person(), Person()], home=Home())
    disclosures = conceal_all(application, [SOMEBODY, SOMEBODY], "测试市虚构路1号")
    return commitments_of(application), disclosures


def with_first(**fields: object) -> Change:
    def change(disclosures: list[Disclosure]) -> list[Disclosure]:
        first = Disclosure()
        first.CopyFrom(disclosures[0])
        for name, value in fields.items():
            setattr(first, name, value)
        return [first, *disclosures[1:]]

    return change


def swapped(field: str) -> Change:
    def change(disclosures: list[Disclosure]) -> list[Disclosure]:
        first, second = getattr(disclosures[0], field), getattr(disclosures[1], field)
        setattr(disclosures[0], field, second)
        setattr(disclosures[1], field, first)
        return disclosures

    return change


def test_a_commitment_is_the_hash_of_counted_path_salt_and_value() -> None:
    # SHA-256("coloan field v1" 00000001 "p" 00000010 salt 00000001 "v"), computed with sha256sum
    due = "d1ec32e968bd07b8c8b4ffef3724a99d822f1c3ccd07cd1f02aa514d0ac01028"
    assert commit("p", bytes([7] * 16), b"v").hex() == due


def test_every_field_is_committed_to_with_a_salt_of_its_own() -> None:
    commitments, disclosures = concealed()
    persons = [f"persons[{i}].{name}" for i in range(2) for name in ("name", "id_number", "mobile")]
    assert list(commitments) == [*persons, "home.address"]
    assert len(set(commitments.values())) == len(commitments)
    assert reveal_all(commitments, disclosures)["persons[1].name"] == "测试甲"


ROWS: list[tuple[str, Change, str]] = [
    ("nothing", lambda disclosures: disclosures, "OK"),
    ("one missing", lambda disclosures: disclosures[1:], "DISCLOSURE_MISSING"),
    ("another value", with_first(value="测试乙".encode()), "DISCLOSURE_MISMATCH"),
    ("another salt", with_first(salt=bytes(16)), "DISCLOSURE_MISMATCH"),
    ("a short salt", with_first(salt=bytes(15)), "DISCLOSURE_MISMATCH"),
    ("an empty value", with_first(value=b""), "DISCLOSURE_MISMATCH"),
    ("values swapped", swapped("value"), "DISCLOSURE_MISMATCH"),
    ("paths swapped", swapped("path"), "DISCLOSURE_MISMATCH"),
    ("one twice", lambda disclosures: [disclosures[0], *disclosures], "DISCLOSURE_UNEXPECTED"),
    ("a path that is not there", with_first(path="persons[2].name"), "DISCLOSURE_UNEXPECTED"),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_disclosures_changed_on_the_way(change: Change, reason: str) -> None:
    commitments, disclosures = concealed()
    with judged(reason):
        reveal_all(commitments, change(disclosures))


def test_an_event_may_leave_values_out_and_not_change_one() -> None:
    commitments, disclosures = concealed()
    assert len(reveal(commitments, disclosures[:3])) == 3
    with refused("DISCLOSURE_MISMATCH"):
        reveal(commitments, with_first(value=b"x")(disclosures[:1]))


def test_the_same_salt_twice_is_refused() -> None:
    salt = bytes([7] * 16)
    commitments = {"a": commit("a", salt, b"1"), "b": commit("b", salt, b"2")}
    disclosures = [Disclosure(path="a", salt=salt, value=b"1"), Disclosure(path="b", salt=salt, value=b"2")]
    with refused("DISCLOSURE_MISMATCH"):
        reveal(commitments, disclosures)


def test_a_commitment_has_32_bytes_or_is_not_there() -> None:
    assert commitments_of(Application(account=bytes(32))) == {"account": bytes(32)}
    assert commitments_of(Application()) == {}
    with refused("FIELD_INVALID"):
        commitments_of(Application(account=bytes(31)))


def test_values_are_1_to_256_bytes_of_clean_text() -> None:
    conceal("p", "x" * 256)
    for text in ("", "x" * 257, "a\nb"):
        with refused("FIELD_INVALID"):
            conceal("p", text)
