"""A folder of certificates and keys as certs/make-dev makes it, with a key directory beside them."""

import subprocess
from pathlib import Path
from typing import Any

from coloan.v1.directory_pb2 import (
    KEY_ALGORITHM_ED25519,
    KEY_PURPOSE_SIGN,
    KEY_STATUS_ACTIVE,
    Key,
    KeyDirectory,
)
from coloan.v1.envelope_pb2 import DIRECTION_EVENT, SignedHeader

from coloan_bank.dsse import now_ms, uuid7
from coloan_bank.envelope import seal
from coloan_bank.keys import Signer

MAKE_DEV = Path(__file__).parents[4] / "certs" / "make-dev"
DAY_MS = 86_400_000
CENTRE = "fund:cn-nj-prov"
BANK = "bank:cn-beta-js"
OTHER = "bank:cn-alpha-js"
ENVIRONMENT = "test"


def key_of(signer: Signer, at_ms: int, **fields: Any) -> Key:
    """An entry of a directory for a key of ours; `fields` are put in place of its own."""
    right: dict[str, Any] = {
        "party": signer.party,
        "purpose": KEY_PURPOSE_SIGN,
        "environment": ENVIRONMENT,
        "algorithm": KEY_ALGORITHM_ED25519,
        "public_key": signer.public_key,
        "valid_from_ms": at_ms - DAY_MS,
        "valid_until_ms": at_ms + 90 * DAY_MS,
        "status": KEY_STATUS_ACTIVE,
        "possession": signer.prove_possession(ENVIRONMENT),
    }
    return Key(**right | fields)


def issue(root: Signer, keys: list[Key], at_ms: int, number: int = 1, **fields: Any) -> bytes:
    """A directory signed by `root`; `fields` are put in place of those of its header."""
    directory = KeyDirectory(number=number, environment=ENVIRONMENT, issued_ms=at_ms, keys=keys)
    right: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "message_id": uuid7(at_ms),
        "method": "coloan.v1.Directory/GetKeys",
        "direction": DIRECTION_EVENT,
        "created_ms": at_ms,
        "sequence": number,
    }
    return seal(root, SignedHeader(**right | fields), directory).envelope


def make(folder: Path) -> None:
    """Fills a folder that is new."""
    subprocess.run([MAKE_DEV, folder], check=True, capture_output=True)
    now = now_ms()
    parties = (CENTRE, BANK, OTHER)
    signers = [Signer.load(party, folder / f"{party.partition(':')[2]}.sign.key") for party in parties]
    root = Signer.load(CENTRE, folder / "directory.key")
    (folder / "directory.bin").write_bytes(issue(root, [key_of(signer, now) for signer in signers], now))
