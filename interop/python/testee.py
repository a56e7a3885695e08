"""This bank behind the questions of coloan-conform: frames on standard input, answers on standard output
(interop/conform/proto). It has no batch signatures, and says so."""

import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from coloan.conform.v1 import testee_pb2 as conform
from coloan.conform.v1.testee_pb2 import Answer, Question
from coloan.v1.application_pb2 import Application
from coloan.v1.envelope_pb2 import Direction
from google.protobuf.message import Message

from coloan_bank.contract import MESSAGES
from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import digest_of, pae
from coloan_bank.envelope import Expected, Opened, open_envelope, stored_form
from coloan_bank.keys import Signer, key_id, possession_text, verify
from coloan_bank.personal import commit, commitments_of, reveal_all
from coloan_bank.refused import Refused

_LENGTH_BYTES = 4


def sign(ask: conform.Sign) -> Answer:
    signer = Signer.from_seed("bank:testee", ask.seed)
    text = pae(ask.payload_type, ask.payload)
    signed = conform.Signed(
        pae=text,
        digest=digest_of(ask.payload_type, ask.payload),
        public_key=signer.public_key,
        signature=signer.sign(text),
    )
    return Answer(signed=signed)


def name_key(ask: conform.NameKey) -> Answer:
    return Answer(key_id=key_id(ask.public_key))


def commit_to(ask: conform.Commit) -> Answer:
    return Answer(commitment=commit(ask.path, ask.salt, ask.value))


def judge_possession(ask: conform.JudgePossession) -> Answer:
    text = possession_text(ask.party, ask.environment, ask.public_key)
    return Answer(reason="OK" if verify(ask.public_key, text, ask.possession) else "KEY_POSSESSION")


def judge_signature(ask: conform.JudgeSignature) -> Answer:
    return Answer(reason="OK" if verify(ask.public_key, ask.message, ask.signature) else "SIGNATURE_INVALID")


def judge_directory(ask: conform.JudgeDirectory) -> Answer:
    Directory.load(ask.directory, trust_of(ask.trust), ask.held_number)
    return Answer(reason="OK")


def judge_envelope(ask: conform.JudgeEnvelope) -> Answer:
    if ask.batch:
        return Answer(not_implemented=True)
    opened = receive(ask)
    stored = stored_form(opened.envelope)
    return Answer(opened=conform.Opened(digest=opened.digest, message_id=opened.header.message_id, stored=stored))


def trust_of(trust: conform.Trust) -> Trust:
    return Trust(trust.directory_key, trust.centre, trust.environment)


def receive(ask: conform.JudgeEnvelope) -> Opened:
    """All of a receiver's checks but duplicates and business."""
    direction: Any = Direction.Value(f"DIRECTION_{ask.direction}")
    expected = Expected(
        directory=Directory.load(ask.directory, trust_of(ask.trust)),
        environment=ask.environment,
        sender=ask.sender,
        recipient=ask.recipient,
        method=ask.method,
        bodies={MESSAGES[ask.body_type]: direction},
        now_ms=ask.now_ms,
        in_reply_to=ask.in_reply_to or None,
    )
    opened = open_envelope(ask.envelope, expected)
    body = opened.read_body(opened.message)
    reveal_all(commitments_of(body) if isinstance(body, Application) else {}, opened.disclosures)
    return opened


_ANSWERS: dict[str, Callable[[Any], Answer]] = {
    "sign": sign,
    "name_key": name_key,
    "commit": commit_to,
    "judge_possession": judge_possession,
    "judge_signature": judge_signature,
    "judge_directory": judge_directory,
    "judge_envelope": judge_envelope,
}


def answer(question: Question) -> Answer:
    asked = question.WhichOneof("ask")
    if asked not in _ANSWERS:
        return Answer(number=question.number, not_implemented=True)
    try:
        made = _ANSWERS[asked](getattr(question, asked))
    except Refused as refused:
        made = Answer(reason=refused.reason)
    made.number = question.number
    return made


def write_frame(out: BinaryIO, message: Message) -> None:
    data = message.SerializeToString()
    out.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    out.flush()


def main() -> None:
    while length := sys.stdin.buffer.read(_LENGTH_BYTES):
        question = Question.FromString(sys.stdin.buffer.read(int.from_bytes(length, "big")))
        write_frame(sys.stdout.buffer, answer(question))


if __name__ == "__main__":
    main()
