"""Mutual TLS 1.3 for both roles: who calls the centre, and who is called by it (chapter 2). Where the older versions go
is told in __init__.py.

The name of the server ([COL-TLS-005]) is compared with every alternative name of its certificate, and so with the one
URI that is the identity. From 1.78 on grpcio compares DNS names only, and would not connect.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc

from coloan_bank.limits import MESSAGE_BYTES_MAX, METADATA_BYTES_MAX
from coloan_bank.refused import check

_URN = "urn:coloan:party:"
_KEEPALIVE_MS = 60_000
_SIZES = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
]


@dataclass(frozen=True)
class TlsFiles:
    """The scheme's CA, our certificate and its key, in PEM. The key is TLS's alone: it never signs a message."""

    ca: bytes
    certificate: bytes
    key: bytes = field(repr=False)

    @classmethod
    def load(cls, folder: Path, party: str) -> "TlsFiles":
        """From a folder as certs/make-dev makes it."""
        name = party.partition(":")[2]
        return cls(*((folder / file).read_bytes() for file in ("ca.pem", f"{name}.pem", f"{name}.key")))


def connect(target: str, centre: str, tls: TlsFiles, *, compression: grpc.Compression | None = None) -> grpc.Channel:
    """A connection to the centre and to nobody else. It is made with the first call, and made again when it broke."""
    credentials = grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate)
    options: list[tuple[str, Any]] = [
        *_SIZES,
        ("grpc.ssl_target_name_override", _URN + centre),
        ("grpc.default_authority", target),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.enable_retries", 0),  # who sends again is client.py, and it is the same bytes
        ("grpc.enable_http_proxy", 0),
        ("grpc.use_local_subchannel_pool", 1),  # connections of two parties in one process stay apart
    ]
    return grpc.secure_channel(target, credentials, options, compression)


def listen(server: grpc.Server, address: str, tls: TlsFiles) -> int:
    """Opens a port to holders of the scheme's certificates; gives its number."""
    pair = (tls.key, tls.certificate)
    credentials = grpc.ssl_server_credentials([pair], tls.ca, require_client_auth=True)
    return server.add_secure_port(address, credentials)


SERVER_OPTIONS = [*_SIZES, ("grpc.so_reuseport", 0)]


def check_caller(context: grpc.ServicerContext, party: str) -> None:
    """The certificate's only URI name is the party, whatever its host names say ([COL-TLS-003], [COL-CAL-001])."""
    names = cast(Mapping[str, Iterable[bytes]], context.auth_context())
    uris = [uri.decode() for uri in names.get("peer_uri", ())]
    check(len(uris) == 1 and uris[0].startswith(_URN), "CERTIFICATE_IDENTITY")
    check(uris[0] == _URN + party, "CALLER_NOT_ALLOWED")
