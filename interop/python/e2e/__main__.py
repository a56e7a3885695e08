"""usage: python -m e2e --target HOST:PORT --certs FOLDER [--inbox-port N] ...; --help tells the rest."""

import argparse
import os
import sys
import tempfile
import traceback
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # refused handshakes are what is asked for here

from coloan.v1.directory_pb2 import CapabilitiesQuery, KeysQuery

from coloan_bank.directory import Directory
from coloan_bank.dsse import SPEC_VERSION
from coloan_bank.methods import GET_CAPABILITIES, GET_KEYS
from e2e import refusals, stream
from e2e.callback import callback
from e2e.life import after_approval, life, other_ends
from e2e.steps import Steps, until
from e2e.world import BankUnderTest, Folder, Options, Persona, Stream, World

_HERE = Path(__file__).parent


def read_options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m e2e",
        description="A bank's whole day against a running centre, whose authorities have to know both personas.",
        epilog="FOLDER is what certs/make-dev makes, with directory.bin.",
    )
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--certs", required=True, metavar="FOLDER", type=Path)
    parser.add_argument("--centre", default="fund:cn-nj-prov")
    parser.add_argument("--environment", default="test")
    parser.add_argument("--bank", default="bank:cn-beta-js")
    parser.add_argument("--other", default="bank:cn-alpha-js", help="a second bank; its inbox is called")
    parser.add_argument("--persona", default=_HERE / "p01.json", type=Path, help="who gets a combined loan")
    parser.add_argument("--refused", default=_HERE / "p05.json", type=Path, help="whom the fund refuses")
    parser.add_argument("--inbox-port", type=int, help="where the centre calls the second bank; without: not tried")
    return Options(**vars(parser.parse_args(arguments)))


def first_words(world: World, step: Steps) -> None:
    client, options = world.client, world.options
    with step("GetCapabilities names the centre and its environment"):
        capabilities = client.call(GET_CAPABILITIES, CapabilitiesQuery())
        assert (capabilities.party, capabilities.environment) == (options.centre, options.environment)
        assert capabilities.spec_version_min == capabilities.spec_version_max == SPEC_VERSION
    with step("GetKeys gives the directory that is held, or a newer one"):
        answer = client.call(GET_KEYS, KeysQuery(known_number=0))
        assert answer.number >= client.directory.number
        assert Directory.load(answer.directory, client.directory.trust).number == answer.number


def run(options: Options, work: Path) -> int:
    """Gives how many steps passed."""
    folder = Folder.load(options.certs, options.centre, options.environment)
    persona, refused_persona = Persona.load(options.persona), Persona.load(options.refused)
    bank, other = (
        BankUnderTest(folder.client(options.target, party), work / f"{i}.journal", persona.income_fen)
        for i, party in enumerate((options.bank, options.other))
    )
    world = World(options, folder, persona, refused_persona, bank, other, work)
    step = Steps()
    first_words(world, step)
    refusals.rotation(world, step)
    delivering = Stream(bank)
    with step("the stream opens with a heartbeat"):
        until("a heartbeat", lambda: delivering.deliver.session and delivering.deliver.session.heartbeat)
    life(world, step)
    stream.resume(world, delivering, step)
    stream.asked_again(bank, step, "the stream")
    stream.same_chain(bank, step)
    other_ends(world, step)
    after_approval(world, step)
    refusals.hostile_bytes(world, step)
    refusals.hostile_headers(world, step)
    refusals.hostile_transport(world, step)
    refusals.hostile_parties(world, step)
    refusals.hostile_disclosures(world, step)
    refusals.hostile_streams(world, step)
    stream.fencing(world, step)
    if options.inbox_port:
        callback(world, step)
    delivering.stop()
    with step("nothing of a person stands in what the banks told their operators"):
        told = "\n".join(bank.said + other.said)
        assert told
        assert not any(value in told for value in persona.personal_values() + refused_persona.personal_values())
    return step.passed


def main() -> int:
    options = read_options(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="coloan-e2e-") as work:
        try:
            print(f"{run(options, Path(work))} steps passed")
        except Exception:
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
