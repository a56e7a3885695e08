"""Events by call-back: the centre calls BankInbox.Notify with one event at a time (chapter 8.2).

The answer says RECEIVED as soon as the event is durable, for the centre waits ten seconds at most; a worker takes the
event over afterwards and says APPLIED with AcknowledgeEvent.
"""

import threading
from collections.abc import Callable
from concurrent import futures

import grpc
from coloan.v1.envelope_pb2 import DIRECTION_ACK

from coloan_bank.client import Client
from coloan_bank.intake import Intake, acknowledgement
from coloan_bank.methods import ACKNOWLEDGE_EVENT, NOTIFY
from coloan_bank.refused import Refused
from coloan_bank.transport import SERVER_OPTIONS, TlsFiles, check_caller, listen

_CALLS_AT_ONCE = 16
_RETRY_S = 5.0
_GRACE_S = 1.0


class Inbox:
    """The bank as a server, for the centre alone. `say` tells an operator."""

    def __init__(
        self, client: Client, intake: Intake, tls: TlsFiles, address: str, say: Callable[[str], None] = print
    ) -> None:
        self._client = client
        self._intake = intake
        self._say = say
        self._work = threading.Event()
        self._stopped = False
        self._worker = threading.Thread(target=self._run, daemon=True)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_CALLS_AT_ONCE), options=SERVER_OPTIONS, maximum_concurrent_rpcs=_CALLS_AT_ONCE
        )
        service, _, method = NOTIFY.partition("/")
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method: grpc.unary_unary_rpc_method_handler(self._notify)
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = listen(self._server, address, tls)

    def start(self) -> None:
        self._worker.start()
        self._server.start()
        self._work.set()  # what a crash left

    def stop(self) -> None:
        self._server.stop(_GRACE_S).wait()
        self._stopped = True
        self._work.set()
        self._worker.join()

    # -- Received --------------------------------------------------------------------------------------------------

    def _notify(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """Whatever is wrong fails the call and changes nothing else: the centre calls again ([COL-CAL-003])."""
        try:
            check_caller(context, self._client.directory.centre)
            return self._take(data)
        except Refused as refused:
            self._say(f"a call was refused: {refused}")
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, refused.reason)

    def _take(self, data: bytes) -> bytes:
        incoming = self._intake.verify(data)
        kept = self._intake.keep(incoming, data, in_order=False)
        self._work.set()
        return self._client.seal(
            NOTIFY, acknowledgement(kept), direction=DIRECTION_ACK, in_reply_to=kept.digest
        ).envelope

    # -- Applied ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopped:
            self._work.wait()
            self._work.clear()
            try:
                self._take_over_all()
            except Refused as refused:
                self._say(f"an event waits: {refused}")
                self._work.wait(_RETRY_S)
                self._work.set()

    def _take_over_all(self) -> None:
        for kept in self._intake.journal.unapplied():
            self._intake.take_over(kept)
        for kept in self._intake.owed():
            ack = acknowledgement(kept)
            self._client.call(ACKNOWLEDGE_EVENT, ack, direction=DIRECTION_ACK, in_reply_to=kept.digest)
