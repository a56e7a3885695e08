"""Events by a stream that comes back by itself and goes on where it was (chapter 8.1).

Each event is verified, written to the journal, acknowledged RECEIVED, taken over, acknowledged APPLIED: in the order of
their numbers, one at a time. An event that comes twice is acknowledged twice and taken over once. An acknowledgement is
not answered, so those that a break may have swallowed are sent again: the centre takes the same one twice.
"""

import os
import queue
import threading
import time
from collections.abc import Callable

import grpc
from coloan.v1.envelope_pb2 import DIRECTION_ACK, DIRECTION_EVENT, DIRECTION_REPLY, DIRECTION_REQUEST, Direction
from coloan.v1.push_pb2 import Ack, Credit, Drain, Event, Gap, Heartbeat, Held, Open
from google.protobuf.message import Message

from coloan_bank.client import Client, with_jitter
from coloan_bank.envelope import Sealed
from coloan_bank.intake import Intake, acknowledgement, applied, received
from coloan_bank.journal import KeptEvent
from coloan_bank.limits import OUTSTANDING_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN, SILENCE_MS_MAX
from coloan_bank.methods import DELIVER
from coloan_bank.refused import Refused, check

_SESSION_BYTES = 16
_OUTSTANDING_AT_FIRST = 100
_WATCH_S = 1.0
_FRAMES: dict[type[Message], Direction] = {
    Event: DIRECTION_EVENT,
    Heartbeat: DIRECTION_REPLY,
    Gap: DIRECTION_REPLY,
    Held: DIRECTION_REPLY,
    Drain: DIRECTION_REPLY,
}


class Deliver:
    """The stream of this process. `say` tells an operator."""

    def __init__(
        self,
        client: Client,
        intake: Intake,
        say: Callable[[str], None] = print,
        *,
        epoch: int | None = None,
        reconnect_ms: int = RECONNECT_MS_MIN,
    ) -> None:
        self.session: Session | None = None
        self._client = client
        self._intake = intake
        self._journal = intake.journal
        self._say = say
        self._session_id = os.urandom(_SESSION_BYTES)  # kept across reconnects ([COL-DEL-003])
        self._epoch = self._journal.start() if epoch is None else epoch
        self._reconnect_ms = reconnect_ms
        self._stopped = threading.Event()

    def run(self) -> None:
        """Runs until stop(), or until a newer process of this bank takes over: raises STREAM_FENCED, and does not come
        back by itself ([COL-DEL-005])."""
        delay_ms = self._reconnect_ms
        while not self._stopped.is_set():
            before = self._journal.last_sequence
            try:
                drain = self._run_session()
                delay_ms = drain.reconnect_after_ms if drain else delay_ms
            except Refused as refused:
                if refused.reason == "STREAM_FENCED":
                    raise
                self._say(f"the stream ended: {refused}")
            self._stopped.wait(with_jitter(delay_ms))
            progressed = self._journal.last_sequence > before
            delay_ms = self._reconnect_ms if progressed else min(2 * delay_ms, RECONNECT_MS_MAX)

    def _run_session(self) -> Drain | None:
        opening = Open(
            resume_after=self._journal.last_sequence,
            session_id=self._session_id,
            epoch=self._epoch,
            max_outstanding=_OUTSTANDING_AT_FIRST,
        )
        self.session = Session(self._client, self._intake, self._say, opening)
        if self._stopped.is_set():
            self.session.cut()
        return self.session.run()

    def stop(self) -> None:
        self._stopped.set()
        self.cut()

    def cut(self) -> None:
        """Breaks the connection, as a network would: run() comes back by itself."""
        if self.session:
            self.session.cut()


class Session:
    """One stream, from Open to its end."""

    def __init__(self, client: Client, intake: Intake, say: Callable[[str], None], opening: Open) -> None:
        self.heartbeat: Heartbeat | None = None  # the last one
        self._client = client
        self._intake = intake
        self._journal = intake.journal
        self._say = say
        self._outstanding = opening.max_outstanding
        self._drain: Drain | None = None
        self._cut = False
        self._heard = time.monotonic()
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._open = self._send(opening)
        self._call = client.stream(DELIVER, iter(self._frames.get, None))

    def cut(self) -> None:
        self._cut = True
        self._call.cancel()

    def run(self) -> Drain | None:
        """Gives the Drain that ended the stream in good order; None when it was cut here."""
        ended = threading.Event()
        threading.Thread(target=self._watch, args=(ended,), daemon=True).start()
        try:
            self._take_over_left()
            for data in self._call:
                self._heard = time.monotonic()
                self._take(data)
        except grpc.RpcError as failed:
            if not self._cut:
                raise self._client.refusal_of(failed, DELIVER, None) from None
        finally:
            ended.set()
            self._frames.put(None)
            self._call.cancel()
        return self._drain

    def _watch(self, ended: threading.Event) -> None:
        """A stream on which no heartbeat comes is broken, whatever TCP says."""
        while not ended.wait(_WATCH_S):
            if time.monotonic() - self._heard > SILENCE_MS_MAX / 1000:
                self._call.cancel()

    def _send(self, body: Message, direction: Direction = DIRECTION_REQUEST, in_reply_to: bytes = b"") -> Sealed:
        sealed = self._client.seal(DELIVER, body, direction=direction, in_reply_to=in_reply_to)
        self._frames.put(sealed.envelope)
        return sealed

    def _acknowledge(self, ack: Ack, kept: KeptEvent) -> None:
        self._send(ack, DIRECTION_ACK, kept.digest)

    def _take_over_left(self) -> None:
        """Events that were received before a crash and not taken over."""
        for kept in self._journal.unapplied():
            self._acknowledge(received(kept), kept)
            self._take_over(kept)

    def _take_over(self, kept: KeptEvent) -> None:
        self._intake.take_over(kept)
        self._acknowledge(applied(kept), kept)

    def _take(self, data: bytes) -> None:
        opened = self._client.open(data, DELIVER, _FRAMES, self._open.digest)
        match opened.read_body(opened.message):
            case Event():
                kept = self._intake.keep(self._intake.incoming(opened), data, in_order=True)
                self._acknowledge(received(kept), kept)
                self._take_over(kept)
            case Heartbeat() as heartbeat:
                self._beat(heartbeat)
            case Held() as held:
                self._journal.hold(*self._next_range(held))
            case Gap() as gap:
                first, last = self._next_range(gap)
                self._say(f"events {first} to {last} cannot be delivered: ask with GetApplication, and call the centre")
                self._journal.gap(first, last)
            case Drain() as drain:
                self._drain = drain

    def _next_range(self, named: Gap | Held) -> tuple[int, int]:
        first: int = getattr(named, "from")
        check(first == self._journal.last_sequence + 1 and named.to >= first, "SEQUENCE_WRONG")
        return first, named.to

    def _beat(self, heartbeat: Heartbeat) -> None:
        """After the first one of a stream what the centre may have missed is acknowledged again ([COL-DEL-015])."""
        is_first, self.heartbeat = self.heartbeat is None, heartbeat
        if is_first:
            for kept in self._intake.owed():
                self._acknowledge(acknowledgement(kept), kept)
        behind = heartbeat.head - self._journal.last_sequence
        more = min(behind, OUTSTANDING_MAX) - self._outstanding
        if more > 0:
            self._outstanding += more
            self._send(Credit(more=more))
