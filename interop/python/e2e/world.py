"""Who takes part: the folder of keys and certificates, the banks, and the personas that apply."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coloan.v1.application_pb2 import Application
from coloan.v1.decision_pb2 import (
    BANK_VERDICT_APPROVE,
    BANK_VERDICT_COUNTER,
    BANK_VERDICT_DECLINE,
    BankDecision,
    OfferTerms,
)
from coloan.v1.envelope_pb2 import Disclosure
from coloan.v1.verification_pb2 import (
    ITEM_CREDIT_BANK,
    ITEM_INCOME,
    ITEM_OUTCOME_PASS,
    Fact,
    VerificationResult,
)
from google.protobuf.json_format import ParseDict

from coloan_bank.bank import Bank, conceal_all, consents_for
from coloan_bank.client import Client
from coloan_bank.deliver import Deliver
from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import now_ms, uuid7
from coloan_bank.instalment import instalment_fen
from coloan_bank.journal import Journal
from coloan_bank.keys import Signer, load_public_key
from coloan_bank.personal import PERSON_FIELDS
from coloan_bank.refused import Refused
from coloan_bank.transport import TlsFiles, connect

DAY_MS = 86_400_000
_LESS_FEN = 4_000_000  # by which the bank counters


@dataclass(frozen=True)
class Folder:
    """What certs/make-dev makes, with directory.bin."""

    path: Path
    trust: Trust

    @classmethod
    def load(cls, path: Path, centre: str, environment: str) -> "Folder":
        return cls(path, Trust(load_public_key(path / "directory.pub"), centre, environment))

    def directory(self) -> Directory:
        return Directory.load((self.path / "directory.bin").read_bytes(), self.trust)

    def signer(self, party: str) -> Signer:
        return Signer.load(party, self.path / f"{party.partition(':')[2]}.sign.key")

    def tls(self, party: str) -> TlsFiles:
        return TlsFiles.load(self.path, party)

    def client(self, target: str, party: str) -> Client:
        channel = connect(target, self.trust.centre, self.tls(party))
        return Client(channel, self.signer(party), self.directory())


@dataclass(frozen=True)
class Persona:
    """An application without its personal values, and these."""

    application: Application
    persons: list[dict[str, str]]
    address: str
    income_fen: int

    @classmethod
    def load(cls, file: Path) -> "Persona":
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        persons = [{name: person.pop(name) for name in PERSON_FIELDS} for person in data["persons"]]
        address, income_fen = data["home"].pop("address"), int(data.pop("income_fen"))
        return cls(ParseDict(data, Application()), persons, address, income_fen)

    def personal_values(self) -> list[str]:
        return [self.address, *(value for person in self.persons for value in person.values())]

    def apply(self, bank: str, centre: str, prefix: str) -> tuple[Application, list[Disclosure]]:
        """A fresh application. Its reference says what the bank will decide."""
        reference = f"{prefix}-{uuid7(now_ms()).hex()[:24]}"
        application = Application(external_ref=reference, bank=bank)
        application.MergeFrom(self.application)
        letter = hashlib.sha256(b"letter").digest()
        consents = consents_for(len(self.persons), centre, bank, now_ms() + DAY_MS, letter, reference)
        application.consents.extend(consents)
        return application, conceal_all(application, self.persons, self.address)


class PersonaCore:
    """The bank's own business: approves, unless the reference of the application says otherwise."""

    def __init__(self, income_fen: int) -> None:
        self._income_fen = income_fen

    def verify(self, application: Application, values: Mapping[str, str]) -> list[VerificationResult]:  # noqa: ARG002
        income = self._passed(item=ITEM_INCOME, facts=[Fact(name="monthly_fen", number=self._income_fen)])
        # The conclusion only: the credit report itself is never shared.
        credit = [self._passed(item=ITEM_CREDIT_BANK, person=i) for i in range(len(application.persons))]
        return [income, *credit]

    @staticmethod
    def _passed(**fields: Any) -> VerificationResult:
        return VerificationResult(
            outcome=ITEM_OUTCOME_PASS, observed_ms=now_ms(), source_receipt="py-receipt", **fields
        )

    def decide(self, terms: OfferTerms, application: Application) -> BankDecision:
        decision = BankDecision(verdict=BANK_VERDICT_APPROVE, bank_reference=f"py-{terms.version}")
        if application.external_ref.startswith("decline"):
            decision.verdict = BANK_VERDICT_DECLINE
        if application.external_ref.startswith("counter") and terms.version == 1:
            decision.verdict = BANK_VERDICT_COUNTER
            decision.counter.CopyFrom(terms.commercial)
            decision.counter.amount_fen -= _LESS_FEN
            decision.counter.instalment_fen = instalment_fen(decision.counter)
        return decision


@dataclass
class BankUnderTest:
    """A bank of this run with its journal, and what it told its operator."""

    client: Client
    journal_file: Path
    income_fen: int
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """As a new process would: everything from the journal."""
        self.journal = Journal(self.journal_file)
        self.bank = Bank(self.client, self.journal, PersonaCore(self.income_fen), self.said.append)
        self.bank.recover()

    @property
    def party(self) -> str:
        return self.bank.party


class Stream:
    """A Deliver that runs beside; what ended it is told when it is stopped."""

    def __init__(self, bank: BankUnderTest) -> None:
        # The journal is new with each run: the clock rises where its counter cannot.
        self.deliver = Deliver(bank.client, bank.bank.intake, bank.said.append, epoch=now_ms())
        self._fault: Refused | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.deliver.run()
        except Refused as refused:
            self._fault = refused

    def stop(self) -> None:
        self.deliver.stop()
        self._thread.join()
        if self._fault:
            raise self._fault


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    target: str
    certs: Path
    centre: str
    environment: str
    bank: str
    other: str
    persona: Path
    refused: Path
    inbox_port: int | None


@dataclass(frozen=True)
class World:
    """Everything a step may need."""

    options: Options
    folder: Folder
    persona: Persona
    refused: Persona
    bank: BankUnderTest
    other: BankUnderTest
    work: Path

    @property
    def client(self) -> Client:
        return self.bank.client
