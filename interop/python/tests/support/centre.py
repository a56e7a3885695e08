"""A small centre for tests: real mutual TLS and gRPC, all checks of messages, and what a test tells it to do. It has no
cases and no rules; the whole life of an application is tried against a real one (e2e)."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from coloan.v1.directory_pb2 import Capabilities, KeysAnswer, KeysQuery
from coloan.v1.envelope_pb2 import (
    DIRECTION_ACK,
    DIRECTION_EVENT,
    DIRECTION_REFUSAL,
    DIRECTION_REPLY,
    DIRECTION_REQUEST,
    Refusal,
    SignedHeader,
)
from coloan.v1.push_pb2 import (
    ACK_LEVEL_APPLIED,
    EVENT_KIND_STATUS,
    Ack,
    Credit,
    Drain,
    Event,
    EventList,
    EventState,
    Heartbeat,
    Open,
)
from google.protobuf.message import Message
from google.rpc.status_pb2 import Any as AnyDetail
from google.rpc.status_pb2 import ErrorInfo, RetryInfo, Status

from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import now_ms, uuid7
from coloan_bank.envelope import Expected, Opened, Sealed, open_envelope, seal
from coloan_bank.keys import Signer, load_public_key
from coloan_bank.limits import LIFE_MS_MAX
from coloan_bank.methods import ACKNOWLEDGE_EVENT, BY_NAME, DELIVER, GET_CAPABILITIES, GET_KEYS, LIST_EVENTS
from coloan_bank.refused import Refused, check
from coloan_bank.transport import SERVER_OPTIONS, TlsFiles, listen
from tests.support.folder import BANK, CENTRE, ENVIRONMENT

APPLICATION = "01900000-0000-7000-8000-000000000000"
_RETRY_NANOS = 1_000_000
Answer = Callable[[Message], Message]


def any_of(name: str, value: bytes) -> AnyDetail:
    return AnyDetail(type_url=f"type.googleapis.com/{name}", value=value)


class Centre(grpc.GenericRpcHandler):
    """`answers`: what each method says to a body. `refuse_next`: (reason, may be sent again) for the next calls.
    `drop_next`: replies that get lost on the way."""

    def __init__(self, folder: Path) -> None:
        trust = Trust(load_public_key(folder / "directory.pub"), CENTRE, ENVIRONMENT)
        self.directory = Directory.load((folder / "directory.bin").read_bytes(), trust)
        self.signer = Signer.load(CENTRE, folder / "cn-nj-prov.sign.key")
        self.refuse_next: list[tuple[str, bool]] = []
        self.drop_next = 0
        self.received: list[bytes] = []  # every request, byte for byte
        self.replies: dict[bytes, bytes] = {}  # by digest of the request
        self.events: list[Sealed] = []
        self.acks: list[Ack] = []
        self.streams: list[CentreStream] = []
        self.answers: dict[str, Answer] = {
            GET_CAPABILITIES.name: lambda _: Capabilities(party=CENTRE),
            GET_KEYS.name: self._keys,
            LIST_EVENTS.name: lambda _: EventList(head=len(self.events), applied_floor=self.applied_floor()),
            ACKNOWLEDGE_EVENT.name: self._acknowledged,
        }
        self._server = grpc.server(futures.ThreadPoolExecutor(8), options=SERVER_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.port = listen(self._server, "127.0.0.1:0", TlsFiles.load(folder, CENTRE))
        self._server.start()

    def stop(self) -> None:
        for stream in self.streams:
            stream.end()
        self._server.stop(0).wait()

    def service(self, details: Any) -> Any:
        method = details.method.removeprefix("/")
        if method == DELIVER:
            return grpc.stream_stream_rpc_method_handler(self._deliver)
        return grpc.unary_unary_rpc_method_handler(lambda data, context: self._unary(method, data, context))

    # -- Messages --------------------------------------------------------------------------------------------------

    def say(self, method: str, body: Message, direction: Any, **fields: Any) -> Sealed:
        created = now_ms()
        right: dict[str, Any] = {
            "environment": ENVIRONMENT,
            "message_id": uuid7(created),
            "recipient": BANK,
            "method": method,
            "direction": direction,
            "created_ms": created,
            "expires_ms": 0 if direction == DIRECTION_EVENT else created + LIFE_MS_MAX,
        }
        return seal(self.signer, SignedHeader(**right | fields), body)

    def _open(self, data: bytes, method: str, bodies: dict[type[Message], Any]) -> Opened:
        expected = Expected(self.directory, ENVIRONMENT, BANK, CENTRE, method, bodies, now_ms())
        return open_envelope(data, expected)

    def refusal(self, reason: str, again: bool, method: str, refused: bytes) -> bytes:
        info = ErrorInfo(reason=reason, domain="coloan.v1").SerializeToString()
        signed = self.say(method, Refusal(reason=reason), DIRECTION_REFUSAL, in_reply_to=refused).envelope
        details = [any_of("google.rpc.ErrorInfo", info), any_of("coloan.v1.Envelope", signed)]
        if again:
            retry = RetryInfo()
            retry.retry_delay.nanos = _RETRY_NANOS
            details.append(any_of("google.rpc.RetryInfo", retry.SerializeToString()))
        return Status(code=9, message=reason, details=details).SerializeToString()

    # -- Calls -----------------------------------------------------------------------------------------------------

    def _unary(self, method: str, data: bytes, context: grpc.ServicerContext) -> bytes:
        self.received.append(data)
        request = BY_NAME[method].request
        direction = DIRECTION_ACK if request is Ack else DIRECTION_REQUEST
        opened = self._open(data, method, {request: direction})
        if self.refuse_next:
            reason, again = self.refuse_next.pop(0)
            details = self.refusal(reason, again, method, opened.digest)
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
        if opened.digest not in self.replies:
            body = self.answers[method](opened.read_body(request))
            self.replies[opened.digest] = self.say(method, body, DIRECTION_REPLY, in_reply_to=opened.digest).envelope
        if self.drop_next:
            self.drop_next -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
        return self.replies[opened.digest]

    def _keys(self, query: Message) -> KeysAnswer:
        assert isinstance(query, KeysQuery)
        data = self.directory.data if query.known_number != self.directory.number else b""
        return KeysAnswer(number=self.directory.number, directory=data)

    def _acknowledged(self, ack: Message) -> EventState:
        assert isinstance(ack, Ack)
        self.acks.append(ack)
        return EventState(sequence=ack.sequence)

    # -- Events ----------------------------------------------------------------------------------------------------

    def event(self, sequence: int, note: str = "") -> Sealed:
        """An event that nothing follows from."""
        event = Event(kind=EVENT_KIND_STATUS, application_id=APPLICATION)
        event.status.external_ref = note
        return self.say(DELIVER, event, DIRECTION_EVENT, application_id=APPLICATION, sequence=sequence)

    def push(self) -> None:
        self.events.append(self.event(len(self.events) + 1))
        if self.streams:
            self.streams[-1].send(self.events[-1].envelope)

    def applied_floor(self) -> int:
        applied = {ack.sequence for ack in self.acks if ack.level == ACK_LEVEL_APPLIED}
        return next(floor for floor in range(len(self.events) + 1) if floor + 1 not in applied)

    def _deliver(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        stream = CentreStream(self, frames, context)
        self.streams.append(stream)
        return stream.run()


class CentreStream:
    """One stream of the bank; a test may send whatever it likes on it."""

    def __init__(self, centre: Centre, frames: Iterator[bytes], context: grpc.ServicerContext) -> None:
        self.opening = Open()
        self.credit = 0
        self.opened = threading.Event()
        self._centre = centre
        self._frames = frames
        self._context = context
        self._out: queue.SimpleQueue[bytes | Refused | None] = queue.SimpleQueue()
        context.add_callback(self.end)

    def send(self, frame: bytes) -> None:
        self._out.put(frame)

    def tell(self, body: Message) -> None:
        self.send(self._centre.say(DELIVER, body, DIRECTION_REPLY, in_reply_to=self._digest).envelope)

    def end(self) -> None:
        self._out.put(None)

    def drain(self, reconnect_after_ms: int) -> None:
        self.tell(Drain(reconnect_after_ms=reconnect_after_ms))
        self.end()

    def refuse(self, reason: str) -> None:
        self._out.put(Refused(reason))

    def run(self) -> Iterator[bytes]:
        threading.Thread(target=self._read, daemon=True).start()
        while (frame := self._out.get()) is not None:
            if isinstance(frame, Refused):
                details = self._centre.refusal(frame.reason, False, DELIVER, self._digest)
                self._context.set_trailing_metadata((("grpc-status-details-bin", details),))
                self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, frame.reason)
            yield frame

    def _read(self) -> None:
        bodies: dict[type[Message], Any] = {
            Open: DIRECTION_REQUEST,
            Credit: DIRECTION_REQUEST,
            Ack: DIRECTION_ACK,
        }
        try:
            for data in self._frames:
                self._take(self._centre._open(data, DELIVER, bodies))
        except grpc.RpcError:
            return  # the bank cut it

    def _take(self, opened: Opened) -> None:
        if opened.message is Open:
            self.opening, self._digest = opened.read_body(Open), opened.digest
            self.tell(Heartbeat(head=len(self._centre.events)))
            for event in self._centre.events[self.opening.resume_after :]:
                self.send(event.envelope)
            self.opened.set()
        elif opened.message is Credit:
            self.credit += opened.read_body(Credit).more
        else:
            ack = opened.read_body(Ack)
            event = self._centre.events[ack.sequence - 1]
            check(opened.header.in_reply_to == event.digest, "ACK_WRONG")
            self._centre.acks.append(ack)
