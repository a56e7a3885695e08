"""Calls to the centre: one message, sent again with the same bytes until its outcome is known ([COL-DUP-006])."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import grpc
from coloan.v1.directory_pb2 import KeysQuery
from coloan.v1.envelope_pb2 import (
    DIRECTION_REFUSAL,
    DIRECTION_REPLY,
    DIRECTION_REQUEST,
    Direction,
    Disclosure,
    Refusal,
    SignedHeader,
)
from google.protobuf.message import Message

from coloan_bank.directory import Directory
from coloan_bank.dsse import now_ms, uuid7
from coloan_bank.envelope import Expected, Opened, Sealed, open_envelope, seal
from coloan_bank.keys import Signer
from coloan_bank.limits import DEADLINE_MS_DEFAULT, LIFE_MS_MAX
from coloan_bank.methods import GET_KEYS, A, Method, Q
from coloan_bank.refusals import answer_invalid, refusal_of
from coloan_bank.refused import Action, Refused

_TRIES_DEFAULT = 8
_JITTER = 0.2  # not all banks at the same moment
_STALE_DIRECTORY = ("KEY_UNKNOWN", "KEY_NOT_VALID")


class Stream(Protocol):
    """What comes on a bidirectional stream."""

    def __iter__(self) -> Iterator[bytes]: ...

    def cancel(self) -> bool: ...


def with_jitter(delay_ms: int) -> float:
    """A delay in seconds, up to a fifth longer."""
    return delay_ms / 1000 * (1 + random.random() * _JITTER)  # noqa: S311 (no secret)


class Client:
    """A party that talks to the centre. Threads may share it."""

    def __init__(self, channel: grpc.Channel, signer: Signer, directory: Directory) -> None:
        self.channel = channel
        self.signer = signer
        self.directory = directory

    # -- Messages --------------------------------------------------------------------------------------------------

    def seal(
        self,
        method: str,
        body: Message,
        *,
        direction: Direction = DIRECTION_REQUEST,
        in_reply_to: bytes = b"",
        application_id: str = "",
        disclosures: Iterable[Disclosure] = (),
        message_id: bytes | None = None,
        created_ms: int | None = None,
        life_ms: int = LIFE_MS_MAX,
    ) -> Sealed:
        """Signs a message to the centre. Keep its bytes durably before the first send, and send only those."""
        created_ms = now_ms() if created_ms is None else created_ms
        header = SignedHeader(
            environment=self.directory.environment,
            message_id=uuid7(created_ms) if message_id is None else message_id,
            recipient=self.directory.centre,
            method=method,
            direction=direction,
            created_ms=created_ms,
            expires_ms=created_ms + life_ms,
            in_reply_to=in_reply_to,
            application_id=application_id,
        )
        return seal(self.signer, header, body, disclosures)

    def open(
        self,
        data: bytes,
        method: str,
        bodies: Mapping[type[Message], Direction],
        in_reply_to: bytes | None = None,
    ) -> Opened:
        """Opens what the centre says ([COL-CHK-008]). A key that is not in force here may be in a newer directory,
        which is fetched once before the message is refused."""
        try:
            return self._open(data, method, bodies, in_reply_to)
        except Refused as refused:
            if refused.reason not in _STALE_DIRECTORY or not self.refresh_directory():
                raise
            return self._open(data, method, bodies, in_reply_to)

    def _open(
        self, data: bytes, method: str, bodies: Mapping[type[Message], Direction], in_reply_to: bytes | None
    ) -> Opened:
        expected = Expected(
            directory=self.directory,
            environment=self.directory.environment,
            sender=self.directory.centre,
            recipient=self.signer.party,
            method=method,
            bodies=bodies,
            now_ms=now_ms(),
            in_reply_to=in_reply_to,
        )
        return open_envelope(data, expected)

    # -- Calls -----------------------------------------------------------------------------------------------------

    def call(self, method: Method[Q, A], body: Q, **header: Any) -> A:
        """Seals and sends: for what changes nothing when it is asked twice."""
        return self.send(method, self.seal(method.name, body, **header))

    def send(self, method: Method[Q, A], sealed: Sealed, *, tries: int = _TRIES_DEFAULT) -> A:
        """Sends the same bytes as long as the centre, or the way there, says so. Gives the body of the reply; raises
        Refused, and OutcomeUnknown when all tries did not tell."""
        for left in reversed(range(tries)):
            try:
                return self._read_reply(method, self.send_once(method, sealed), sealed)
            except Refused as refused:
                if refused.action is not Action.SEND_AGAIN or left == 0:
                    raise
                time.sleep(with_jitter(refused.retry_after_ms or 0))
        raise ValueError("tries: one at least")

    def send_once(self, method: Method[Q, A], sealed: Sealed, *, deadline_ms: int = DEADLINE_MS_DEFAULT) -> bytes:
        """One try; gives the bytes of the reply, which nobody has verified yet."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(f"/{method.name}")
        try:
            return call(sealed.envelope, timeout=deadline_ms / 1000)
        except grpc.RpcError as failed:
            raise self.refusal_of(failed, method.name, sealed.digest) from None

    def _read_reply(self, method: Method[Q, A], reply: bytes, sealed: Sealed) -> A:
        try:
            return self.open(reply, method.name, {method.reply: DIRECTION_REPLY}, sealed.digest).read_body(method.reply)
        except Refused as fault:
            raise answer_invalid(str(fault)) from fault  # the centre did something, and this does not prove what

    def stream(self, method: str, frames: Iterator[bytes]) -> Stream:
        """A bidirectional stream of envelopes: sends what `frames` gives, and is an iterator of what comes."""
        call: grpc.StreamStreamMultiCallable[bytes, bytes] = self.channel.stream_stream(f"/{method}")
        return call(frames)

    def refusal_of(self, failed: Any, method: str, in_reply_to: bytes | None) -> Refused:
        def open_refusal(data: bytes) -> str:
            return self._open(data, method, {Refusal: DIRECTION_REFUSAL}, in_reply_to).read_body(Refusal).reason

        return refusal_of(failed, open_refusal)

    # -- The key directory -----------------------------------------------------------------------------------------

    def refresh_directory(self) -> bool:
        """Takes a newer directory over, if there is one; it has to verify with the pinned key ([COL-KEY-010])."""
        sealed = self.seal(GET_KEYS.name, KeysQuery(known_number=self.directory.number))
        reply = self.send_once(GET_KEYS, sealed)
        opened = self._open(reply, GET_KEYS.name, {GET_KEYS.reply: DIRECTION_REPLY}, sealed.digest)
        data = opened.read_body(GET_KEYS.reply).directory
        if not data:
            return False
        self.directory = Directory.load(data, self.directory.trust, self.directory.number)
        return True
