import os
import stat
from pathlib import Path

import pytest

from coloan_bank.envelope import Sealed
from coloan_bank.journal import Journal

SEALED = Sealed(b"envelope", bytes([1] * 32), bytes([2] * 16))
METHOD = "coloan.v1.JointApproval/SubmitApplication"


def write_day(journal: Journal) -> None:
    """One record of every kind."""
    journal.start()
    journal.sending(METHOD, SEALED)
    journal.event(1, bytes([3] * 32), b"event 1")
    journal.applied(1, "ref-1")
    journal.hold(2, 3)
    journal.event(4, bytes([4] * 32), b"event 4")
    journal.event(3, bytes([5] * 32), b"event 3")
    journal.gap(5, 6)
    journal.settled(SEALED)


def state(journal: Journal) -> tuple[object, ...]:
    events = {sequence: (kept.digest, kept.envelope, kept.reference) for sequence, kept in journal.events.items()}
    return events, dict(journal.pending), journal.last_sequence, set(journal.held), journal.starts


def test_a_journal_remembers_what_was_durable(tmp_path: Path) -> None:
    file = tmp_path / "bank.journal"
    journal = Journal(file)
    write_day(journal)
    before = state(journal)
    journal.close()
    again = Journal(file)
    assert state(again) == before
    assert again.events[1].reference == "ref-1"
    assert (again.last_sequence, again.held, again.starts) == (6, {2}, 1)
    assert [kept.sequence for kept in again.unapplied()] == [3, 4]
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    again.close()


def test_a_message_on_its_way_is_pending_until_it_is_settled(tmp_path: Path) -> None:
    file = tmp_path / "bank.journal"
    journal = Journal(file)
    journal.sending(METHOD, SEALED)
    journal.close()
    again = Journal(file)
    assert again.pending[SEALED.message_id].sealed == SEALED
    assert again.pending[SEALED.message_id].method == METHOD
    again.settled(SEALED)
    assert again.pending == {}
    again.close()


def test_a_crash_at_every_byte_loses_nothing_that_was_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is cut off at every byte of every record, as a crash could: all records before it are there, nothing of
    it is, and it can be written again."""
    for sync in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, sync, lambda _fd: None)  # some thousand times
    whole_file = tmp_path / "whole.journal"
    whole = Journal(whole_file)
    write_day(whole)
    whole.close()
    lines = whole_file.read_bytes().splitlines(keepends=True)
    for count, line in enumerate(lines):
        before = b"".join(lines[:count])
        reference = tmp_path / "reference.journal"
        reference.write_bytes(before)
        expected = Journal(reference)
        expected_state = state(expected)
        expected.close()
        for cut in range(len(line)):
            file = tmp_path / "cut.journal"
            file.write_bytes(before + line[:cut])
            journal = Journal(file)
            assert state(journal) == expected_state
            starts = journal.start()
            journal.close()
            again = Journal(file)
            assert again.starts == starts
            again.close()


def test_damage_before_the_end_is_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "bank.journal"
    journal = Journal(file)
    write_day(journal)
    journal.close()
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="line 1 is damaged"):
        Journal(file)


def test_two_processes_do_not_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "bank.journal")
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "bank.journal")
    journal.close()


def test_a_journal_that_could_not_be_written_is_not_written_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="no space left"):
            journal.start()
    with pytest.raises(OSError, match="could not be written before"):
        journal.start()
    assert journal.starts == 0
