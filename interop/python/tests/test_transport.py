"""Who is talked to, and how: against Python's own TLS, which says what it sees."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from coloan.v1.directory_pb2 import CapabilitiesQuery

from coloan_bank.client import Client
from coloan_bank.keys import Signer
from coloan_bank.methods import GET_CAPABILITIES
from coloan_bank.transport import TlsFiles, connect
from tests.support.centre import Centre
from tests.support.folder import BANK, CENTRE, OTHER
from tests.support.refusing import refused

_LOOKS_MS = 2000


def ask(client: Client) -> str:
    sealed = client.seal(GET_CAPABILITIES.name, CapabilitiesQuery())
    client.send_once(GET_CAPABILITIES, sealed, deadline_ms=_LOOKS_MS)
    return "answered"


@pytest.fixture
def client_for(folder: Path, centre: Centre) -> Callable[[str, str], Client]:
    def make(target: str, party: str) -> Client:
        signer = Signer.load(BANK, folder / "cn-beta-js.sign.key")
        return Client(connect(target, party, TlsFiles.load(folder, BANK)), signer, centre.directory)

    return make


def test_the_centre_is_who_its_certificate_names(centre: Centre, client_for: Callable[[str, str], Client]) -> None:
    target = f"127.0.0.1:{centre.port}"
    assert ask(client_for(target, CENTRE)) == "answered"
    for other in ("fund:cn-elsewhere", OTHER, BANK):
        with refused("PEER_UNREACHABLE"):
            ask(client_for(target, other))


def test_host_names_are_no_identity(folder: Path, client_for: Callable[[str, str], Client], centre: Centre) -> None:
    """The other bank's certificate is good for localhost, and is not the centre's."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = server_context(folder, OTHER)
    threading.Thread(target=serve_one, args=(listening, context, []), daemon=True).start()
    with refused("PEER_UNREACHABLE"):
        ask(client_for(f"localhost:{listening.getsockname()[1]}", CENTRE))
    listening.close()


def server_context(folder: Path, party: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    name = party.partition(":")[2]
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context


def serve_one(listening: socket.socket, context: ssl.SSLContext, seen: list[str]) -> None:
    connection, _ = listening.accept()
    connection.settimeout(_LOOKS_MS / 1000)
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            seen.append(tls.version() or "")
            tls.recv(1)
    except (ssl.SSLError, OSError) as failed:
        seen.append(type(failed).__name__)


@pytest.mark.parametrize(
    ("version", "due"), [(ssl.TLSVersion.TLSv1_3, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "SSLError")]
)
def test_nothing_older_than_tls_1_3_is_offered(
    folder: Path, client_for: Callable[[str, str], Client], version: ssl.TLSVersion, due: str
) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    context = server_context(folder, CENTRE)
    context.maximum_version = version
    seen: list[str] = []
    serving = threading.Thread(target=serve_one, args=(listening, context, seen), daemon=True)
    serving.start()
    with pytest.raises(Exception, match=r"PEER_UNREACHABLE|DEADLINE_EXCEEDED"):
        ask(client_for(f"localhost:{listening.getsockname()[1]}", CENTRE))
    serving.join()
    listening.close()
    assert seen[0] == due


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_nothing_older_than_tls_1_3_is_accepted(folder: Path, centre: Centre, version: ssl.TLSVersion) -> None:
    """The small centre listens as an inbox does."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cn-beta-js.pem", folder / "cn-beta-js.key")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    connection = socket.create_connection(("127.0.0.1", centre.port))
    if version == ssl.TLSVersion.TLSv1_3:
        with context.wrap_socket(connection, server_hostname="localhost") as tls:
            assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", "h2")
    else:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_hostname="localhost")
        connection.close()
