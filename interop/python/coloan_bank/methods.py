"""What a bank may call (chapter 6): the path of each method, what it takes and what it gives."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from coloan.v1 import application_pb2 as application
from coloan.v1 import decision_pb2 as decision
from coloan.v1 import directory_pb2 as directory
from coloan.v1 import push_pb2 as push
from coloan.v1 import verification_pb2 as verification
from google.protobuf.message import Message

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

_JOINT = "coloan.v1.JointApproval/"
_DIRECTORY = "coloan.v1.Directory/"


@dataclass(frozen=True)
class Method(Generic[Q, A]):
    """One call: the name of the RPC, the body of its request and that of its reply."""

    name: str
    request: type[Q]
    reply: type[A]


SUBMIT_APPLICATION = Method(_JOINT + "SubmitApplication", application.Application, application.ApplicationReceipt)
SUPPLEMENT_APPLICATION = Method(
    _JOINT + "SupplementApplication", application.Application, application.ApplicationStatus
)
GET_APPLICATION = Method(_JOINT + "GetApplication", application.ApplicationQuery, application.ApplicationView)
LIST_APPLICATIONS = Method(_JOINT + "ListApplications", application.ApplicationListQuery, application.ApplicationList)
REPORT_VERIFICATIONS = Method(
    _JOINT + "ReportVerifications", verification.VerificationReport, application.ApplicationStatus
)
QUERY_VERIFICATIONS = Method(
    _JOINT + "QueryVerifications", verification.VerificationQuery, verification.VerificationAnswer
)
REPORT_BANK_DECISION = Method(_JOINT + "ReportBankDecision", decision.BankDecision, decision.JointOutcome)
WITHDRAW_APPLICATION = Method(_JOINT + "WithdrawApplication", application.Withdrawal, application.ApplicationStatus)
CONFIRM_OFFER = Method(_JOINT + "ConfirmOffer", application.OfferConfirmation, application.ApplicationStatus)
CHOOSE_RULES = Method(_JOINT + "ChooseRules", application.RuleChoice, application.ApplicationStatus)
WITHDRAW_CONSENT = Method(_JOINT + "WithdrawConsent", application.ConsentWithdrawal, application.ApplicationStatus)
REPORT_MILESTONE = Method(_JOINT + "ReportMilestone", application.Milestone, application.ApplicationStatus)
ACKNOWLEDGE_EVENT = Method(_JOINT + "AcknowledgeEvent", push.Ack, push.EventState)
LIST_EVENTS = Method(_JOINT + "ListEvents", push.EventListQuery, push.EventList)
GET_EVENT = Method(_JOINT + "GetEvent", push.EventQuery, push.EventView)
STEER_EVENTS = Method(_JOINT + "SteerEvents", push.EventSteering, push.EventList)
RECONCILE = Method(_JOINT + "Reconcile", push.ReconcileQuery, push.ReconcileAnswer)
GET_KEYS = Method(_DIRECTORY + "GetKeys", directory.KeysQuery, directory.KeysAnswer)
ROTATE_KEY = Method(_DIRECTORY + "RotateKey", directory.KeyRotation, directory.KeyRotationReceipt)
GET_CAPABILITIES = Method(_DIRECTORY + "GetCapabilities", directory.CapabilitiesQuery, directory.Capabilities)

DELIVER = _JOINT + "Deliver"  # a stream of frames, deliver.py
NOTIFY = "coloan.v1.BankInbox/Notify"  # ours, that the centre calls, inbox.py

# What a message that is kept, and sent again after a crash, was sent with.
BY_NAME: dict[str, Method[Message, Message]] = {
    method.name: method for method in list(globals().values()) if isinstance(method, Method)
}
