package events

import (
	"context"
	"net"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

// Inbox takes the centre's calls while the bank has no stream open.
type Inbox struct{ intake *Intake }

// NewInbox makes one.
func NewInbox(intake *Intake) *Inbox { return &Inbox{intake: intake} }

// Serve answers the centre, and nobody else, until its context ends.
func (b *Inbox) Serve(ctx context.Context, listener net.Listener, identity transport.Identity) error {
	server := transport.NewServer(b.intake.client.Centre(), identity)
	transport.Handle(server, "coloan.v1.BankInbox", "Notify", b.notify)
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-ctx.Done():
			server.GracefulStop()
		case <-stopped:
		}
	}()
	return server.Serve(listener)
}

// notify answers as soon as the event is durable; APPLIED follows by AcknowledgeEvent.
func (b *Inbox) notify(ctx context.Context, bytes []byte) ([]byte, error) {
	answer, err := b.receive(ctx, bytes)
	if err != nil {
		b.intake.say("call refused: " + err.Error())
		return nil, failure(err)
	}
	return answer, nil
}

func (b *Inbox) receive(ctx context.Context, bytes []byte) ([]byte, error) {
	event := envelope.Body{Message: &pb.Event{}, Direction: pb.Direction_DIRECTION_EVENT}
	opened, err := b.intake.client.Open(ctx, bytes, contract.Deliver, nil, event) // an event names Deliver, whichever way it comes
	if err != nil {
		return nil, err
	}
	ack, err := b.intake.receive(opened, bytes, anyOrder)
	if err != nil {
		return nil, err
	}
	return b.intake.seal(contract.Notify, ack, &opened.Digest)
}

// failure is what a failed call says: the reason, and nothing about a fault of ours.
func failure(err error) error {
	reason, code := refusal.Internal, codes.Internal
	if refusal.Is(err) {
		reason, code = refusal.ReasonOf(err), codes.FailedPrecondition
	}
	said, err := status.New(code, string(reason)).WithDetails(&errdetails.ErrorInfo{Reason: string(reason), Domain: "coloan.v1"})
	if err != nil {
		return status.Error(code, string(reason))
	}
	return said.Err()
}
