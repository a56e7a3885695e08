"""What a bank must not forget, in one append-only file: messages before they are first sent ([COL-DUP-001]), events
before they are acknowledged ([COL-DEL-008]).

A line is the CRC-32 of a JSON record, a space and the record. A last line that a crash cut off was never relied on and
is dropped; a line that is wrong anywhere else is damage, and the file is refused. A real bank keeps the same records in
its database, in the transaction that goes with them.
"""

import fcntl
import json
import os
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coloan_bank.envelope import Sealed

Record = dict[str, Any]


@dataclass
class KeptEvent:
    """An event that is ours; `reference` is the bank's own, empty as long as its core has not taken the event over."""

    sequence: int
    digest: bytes
    envelope: bytes = field(repr=False)
    reference: str = ""


@dataclass(frozen=True)
class Pending:
    """A message that was on its way, and the method that it was sent with."""

    method: str
    sealed: Sealed


class Journal:
    """The file and what it says. Threads may share it; a second process is refused."""

    def __init__(self, file: Path) -> None:
        self.events: dict[int, KeptEvent] = {}
        self.pending: dict[bytes, Pending] = {}  # by message id
        self.last_sequence = 0  # the highest that came or was named
        self.held: set[int] = set()  # sequences below it that come later
        self.starts = 0
        self._lock = threading.Lock()
        self._intact = True
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sync_folder(file.parent)
        self._read(file)

    def _read(self, file: Path) -> None:
        lines = file.read_bytes().splitlines(keepends=True)
        whole = 0
        for i, line in enumerate(lines):
            record = _unpack(line)
            if record is None and i < len(lines) - 1:
                raise ValueError(f"{file}: line {i + 1} is damaged")
            if record is not None:
                self._remember(record)
                whole += len(line)
        os.ftruncate(self._fd, whole)

    def _write(self, **record: Any) -> None:
        """Returns when the record is durable. When that fails nobody knows what the file holds, and it is not written
        again."""
        with self._lock:
            if not self._intact:
                raise OSError("the journal could not be written before")
            self._intact = False
            line = _pack(record)
            if os.write(self._fd, line) != len(line):
                raise OSError("the journal could not be written whole")
            os.fdatasync(self._fd)
            self._remember(record)
            self._intact = True

    def _remember(self, record: Record) -> None:
        match record:
            case {"kind": "start"}:
                self.starts += 1
            case {"kind": "sending", "id": message_id, "method": method, "digest": digest, "envelope": envelope}:
                sealed = Sealed(bytes.fromhex(envelope), bytes.fromhex(digest), bytes.fromhex(message_id))
                self.pending[sealed.message_id] = Pending(method, sealed)
            case {"kind": "settled", "id": message_id}:
                self.pending.pop(bytes.fromhex(message_id), None)
            case {"kind": "event", "sequence": sequence, "digest": digest, "envelope": envelope}:
                self.events[sequence] = KeptEvent(sequence, bytes.fromhex(digest), bytes.fromhex(envelope))
                self.held.discard(sequence)
                self.last_sequence = max(self.last_sequence, sequence)
            case {"kind": "applied", "sequence": sequence, "reference": reference}:
                self.events[sequence].reference = reference
            case {"kind": "held", "first": first, "last": last}:
                self.held.update(range(first, last + 1))
                self.last_sequence = last
            case {"kind": "gap", "last": last}:
                self.last_sequence = last
            case _:
                raise ValueError(f"the journal holds an unknown record '{record.get('kind')}'")

    def start(self) -> int:
        """A number that rises with each start of the process: the epoch of its stream sessions ([COL-DEL-004])."""
        self._write(kind="start")
        return self.starts

    def sending(self, method: str, sealed: Sealed) -> None:
        self._write(
            kind="sending",
            id=sealed.message_id.hex(),
            method=method,
            digest=sealed.digest.hex(),
            envelope=sealed.envelope.hex(),
        )

    def settled(self, sealed: Sealed) -> None:
        self._write(kind="settled", id=sealed.message_id.hex())

    def event(self, sequence: int, digest: bytes, envelope: bytes) -> None:
        self._write(kind="event", sequence=sequence, digest=digest.hex(), envelope=envelope.hex())

    def applied(self, sequence: int, reference: str) -> None:
        self._write(kind="applied", sequence=sequence, reference=reference)

    def hold(self, first: int, last: int) -> None:
        self._write(kind="held", first=first, last=last)

    def gap(self, first: int, last: int) -> None:
        self._write(kind="gap", first=first, last=last)

    def unapplied(self) -> list[KeptEvent]:
        """Events that are durable here and not yet taken over, in order."""
        with self._lock:
            waiting = [event for event in self.events.values() if not event.reference]
        return sorted(waiting, key=lambda event: event.sequence)

    def close(self) -> None:
        os.close(self._fd)


def _pack(record: Record) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _unpack(line: bytes) -> Record | None:
    """The record of a line; None when the line is not whole."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record


def _sync_folder(folder: Path) -> None:
    """A new file is there after a crash only when its folder is durable, too."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
