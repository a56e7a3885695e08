"""Everything a bank may not do, each with the reason that it has to be refused with."""

import hashlib
import queue
import subprocess
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from coloan.v1.application_pb2 import ApplicationQuery
from coloan.v1.directory_pb2 import (
    KEY_ALGORITHM_ED25519,
    KEY_PURPOSE_SIGN,
    KEY_STATUS_ACTIVE,
    ROTATION_REASON_SCHEDULED,
    ROTATION_STATE_PENDING,
    CapabilitiesQuery,
    Key,
    KeyRotation,
    KeyRotationReceipt,
    KeysQuery,
)
from coloan.v1.envelope_pb2 import DIRECTION_ACK, Disclosure, Envelope
from coloan.v1.push_pb2 import ACK_LEVEL_RECEIVED, Ack, Credit, Open
from google.protobuf.message import Message

from coloan_bank.client import Client
from coloan_bank.directory import Trust
from coloan_bank.dsse import now_ms
from coloan_bank.envelope import Sealed
from coloan_bank.keys import Signer
from coloan_bank.methods import (
    DELIVER,
    GET_APPLICATION,
    GET_CAPABILITIES,
    LIST_APPLICATIONS,
    ROTATE_KEY,
    SUBMIT_APPLICATION,
)
from coloan_bank.transport import TlsFiles, connect
from e2e.steps import Steps, refused
from e2e.world import DAY_MS, World

HOUR_MS = 3_600_000
NOBODY = ApplicationQuery(application_id="01900000-0000-7000-8000-000000000000")
_SHORT_MS = 3000
_NOWHERE = 1_000_000  # a sequence that no bank of a test centre reaches


def ask_for_nobody(client: Client, **header: Any) -> Sealed:
    """A request that changes nothing."""
    return client.seal(GET_APPLICATION.name, NOBODY, **header)


# -- Messages ----------------------------------------------------------------------------------------------------------


def hostile_bytes(world: World, step: Steps) -> None:
    client = world.client
    with step("a flipped bit of the payload is SIGNATURE_INVALID"), refused("SIGNATURE_INVALID"):
        envelope = Envelope.FromString(ask_for_nobody(client).envelope)
        envelope.payload = flip(envelope.payload)
        send_bytes(client, envelope.SerializeToString())
    with step("a flipped bit of the signature is SIGNATURE_INVALID"), refused("SIGNATURE_INVALID"):
        envelope = Envelope.FromString(ask_for_nobody(client).envelope)
        envelope.signatures[0].sig = flip(envelope.signatures[0].sig)
        send_bytes(client, envelope.SerializeToString())
    with step("a field that is not of this version is WIRE_UNKNOWN_FIELD"), refused("WIRE_UNKNOWN_FIELD"):
        send_bytes(client, ask_for_nobody(client).envelope + bytes([0x78, 1]))
    with step("another payload type is PAYLOAD_TYPE_WRONG"), refused("PAYLOAD_TYPE_WRONG"):
        client.send_once(GET_APPLICATION, client.seal(GET_APPLICATION.name, KeysQuery()))


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def send_bytes(client: Client, envelope: bytes) -> None:
    client.send_once(GET_APPLICATION, replace(ask_for_nobody(client), envelope=envelope))


def hostile_headers(world: World, step: Steps) -> None:
    client, directory = world.client, world.client.directory

    def believing(trust: Trust) -> Client:
        return Client(client.channel, client.signer, replace(directory, trust=trust))

    unproven = {
        "RECIPIENT_WRONG": ask_for_nobody(believing(replace(directory.trust, centre="fund:cn-elsewhere"))),
        "ENVIRONMENT_WRONG": ask_for_nobody(believing(replace(directory.trust, environment="conf/another-run"))),
        "METHOD_WRONG": client.seal(LIST_APPLICATIONS.name, NOBODY),
        "DIRECTION_WRONG": ask_for_nobody(client, direction=DIRECTION_ACK, in_reply_to=digest("nothing")),
        "MESSAGE_ID_INVALID": ask_for_nobody(client, message_id=bytes([1] * 16)),
    }
    proven = {
        "EXPIRED": ask_for_nobody(client, created_ms=now_ms() - HOUR_MS),
        "CREATED_IN_FUTURE": ask_for_nobody(client, created_ms=now_ms() + HOUR_MS),
        "LIFETIME_WRONG": ask_for_nobody(client, life_ms=HOUR_MS),
        "APPLICATION_UNKNOWN": ask_for_nobody(client),
    }
    for reason, sealed in unproven.items():
        with step(f"{reason} is refused"), refused(reason):
            client.send_once(GET_APPLICATION, sealed)
    for reason, sealed in proven.items():
        with step(f"{reason} is refused, and the refusal is signed"), refused(reason, signed=True):
            client.send_once(GET_APPLICATION, sealed)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def hostile_disclosures(world: World, step: Steps) -> None:
    client = world.client

    def submit(change: Any) -> None:
        application, disclosures = world.persona.apply(world.bank.party, client.directory.centre, "hostile")
        changed = client.seal(SUBMIT_APPLICATION.name, application, disclosures=change(disclosures))
        client.send_once(SUBMIT_APPLICATION, changed)

    def lie(first: Disclosure) -> Disclosure:
        return Disclosure(path=first.path, salt=first.salt, value="测试乙".encode())

    def elsewhere(first: Disclosure) -> Disclosure:
        return Disclosure(path="persons[3].name", salt=first.salt, value=first.value)

    with step("a commitment without its value is DISCLOSURE_MISSING"), refused("DISCLOSURE_MISSING"):
        submit(lambda disclosures: disclosures[1:])
    with step("a value that was not committed to is DISCLOSURE_MISMATCH"), refused("DISCLOSURE_MISMATCH"):
        submit(lambda disclosures: [lie(disclosures[0]), *disclosures[1:]])
    with step("a value for a path that is not there is DISCLOSURE_UNEXPECTED"), refused("DISCLOSURE_UNEXPECTED"):
        submit(lambda disclosures: [*disclosures, elsewhere(disclosures[0])])


# -- Parties and connections -------------------------------------------------------------------------------------------


def hostile_transport(world: World, step: Steps) -> None:
    options, client = world.options, world.client
    with step("a compressed message is not even looked at"), refused("METHOD_UNKNOWN"):
        tls = world.folder.tls(options.bank)
        sealed = client.seal(GET_CAPABILITIES.name, CapabilitiesQuery())
        with closing(connect(options.target, options.centre, tls, compression=grpc.Compression.Gzip)) as squeezing:
            Client(squeezing, client.signer, client.directory).send_once(GET_CAPABILITIES, sealed)


def hostile_parties(world: World, step: Steps) -> None:
    options, client, folder = world.options, world.client, world.folder
    tls = folder.tls(options.bank)

    def through(channel: grpc.Channel, signer: Signer = client.signer) -> None:
        with closing(channel):
            party = Client(channel, signer, client.directory)
            party.send_once(GET_APPLICATION, ask_for_nobody(party), deadline_ms=_SHORT_MS)

    def others() -> grpc.Channel:
        return connect(options.target, options.centre, folder.tls(options.other))

    with step("a message of ours on another bank's connection is KEY_UNKNOWN"), refused("KEY_UNKNOWN"):
        through(others())
    with step("a message that another bank signed in our name is SENDER_WRONG"), refused("SENDER_WRONG"):
        through(others(), replace(folder.signer(options.other), party=options.bank))
    with step("a certificate of a stranger does not connect"), refused("PEER_UNREACHABLE"):
        through(connect(options.target, options.centre, stranger(tls, options.bank)))
    with step("a server that is not the centre is not talked to"), refused("PEER_UNREACHABLE"):
        through(connect(options.target, "fund:cn-elsewhere", tls))


def stranger(tls: TlsFiles, party: str) -> TlsFiles:
    """A certificate that says the right name and comes from nobody we agreed on."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        command += ["-days", "1", "-subj", "/CN=stranger", "-addext", f"subjectAltName=URI:urn:coloan:party:{party}"]
        command += ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        return TlsFiles(tls.ca, certificate.read_bytes(), key.read_bytes())


def rotation(world: World, step: Steps) -> None:
    client, options = world.client, world.options

    def rotate(key: Key) -> KeyRotationReceipt:
        return client.call(ROTATE_KEY, KeyRotation(new_key=key, reason=ROTATION_REASON_SCHEDULED))

    with step("another party's key is KEY_NOT_OWNED"), refused("KEY_NOT_OWNED"):
        rotate(fresh_key(options.other, options.environment))
    with step("a key that nobody proves to hold is KEY_POSSESSION"), refused("KEY_POSSESSION"):
        unproven = fresh_key(options.bank, options.environment)
        unproven.possession = bytes([1] * 64)
        rotate(unproven)
    key = fresh_key(options.bank, options.environment)
    with step("a new key of ours waits for the next directory"):
        receipt = rotate(key)
        assert receipt.state == ROTATION_STATE_PENDING
        assert receipt.number == client.directory.number
    with step("the same key again is KEY_KNOWN"), refused("KEY_KNOWN"):
        rotate(key)


def fresh_key(party: str, environment: str) -> Key:
    """A new key as a directory's entry, with its proof of possession."""
    signer = Signer.generate(party)
    return Key(
        party=party,
        purpose=KEY_PURPOSE_SIGN,
        environment=environment,
        algorithm=KEY_ALGORITHM_ED25519,
        public_key=signer.public_key,
        valid_from_ms=now_ms(),
        valid_until_ms=now_ms() + 365 * DAY_MS,
        status=KEY_STATUS_ACTIVE,
        possession=signer.prove_possession(environment),
    )


# -- Streams -----------------------------------------------------------------------------------------------------------


def hostile_streams(world: World, step: Steps) -> None:
    """On streams of the other bank, which has no events yet."""
    client = world.other.client

    def frame(body: Message, **header: Any) -> bytes:
        return client.seal(DELIVER, body, **header).envelope

    def opening(**fields: Any) -> bytes:
        right: dict[str, Any] = {"session_id": digest("s")[:16], "epoch": now_ms(), "max_outstanding": 1}
        return frame(Open(**right | fields))

    def ack(sequence: int) -> bytes:
        received = Ack(sequence=sequence, level=ACK_LEVEL_RECEIVED)
        return frame(received, direction=DIRECTION_ACK, in_reply_to=digest("event"))

    rows = [
        ("a stream that does not begin with Open", "STATE_CONFLICT", [ack(1)]),
        ("a second Open", "STATE_CONFLICT", [opening(), opening()]),
        ("an Open that lets nothing be sent", "FIELD_INVALID", [opening(max_outstanding=0)]),
        ("an Open with half a session id", "FIELD_INVALID", [opening(session_id=bytes(8))]),
        ("an Open past the last event", "SEQUENCE_WRONG", [opening(resume_after=_NOWHERE)]),
        ("more credit than there may be", "FIELD_INVALID", [opening(), frame(Credit(more=1000))]),
        ("an acknowledgement of no event", "EVENT_UNKNOWN", [opening(), ack(_NOWHERE)]),
    ]
    for name, reason, frames in rows:
        with step(f"{name} is {reason}"), refused(reason):
            run_stream(client, frames)


def run_stream(client: Client, frames: list[bytes]) -> None:
    """Sends the frames and raises what ended the stream."""
    sending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    for frame in frames:
        sending.put(frame)
    try:
        for _ in client.stream(DELIVER, iter(sending.get, None)):
            pass
    except grpc.RpcError as failed:
        raise client.refusal_of(failed, DELIVER, None) from None
    finally:
        sending.put(None)
