package events

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

const sessionBytes = 16

// Stream keeps one stream open, which comes back by itself and goes on behind the last event of the journal.
type Stream struct {
	intake  *Intake
	session []byte // of this process, kept across reconnects
	epoch   uint64
	Watch   func(*pb.Heartbeat) // is shown every heartbeat; may be nil
}

// NewStream makes one. The epoch rises with each start of the process, as Journal.Start counts or a clock goes: a higher one
// fences older processes.
func NewStream(intake *Intake, epoch uint64) (*Stream, error) {
	session := make([]byte, sessionBytes)
	if _, err := rand.Read(session); err != nil {
		return nil, err
	}
	return &Stream{intake: intake, session: session, epoch: epoch}, nil
}

// Run goes on until its context ends, until another process of this bank takes the stream (STREAM_FENCED), or until a fault of
// ours, such as a full disk.
func (s *Stream) Run(ctx context.Context) error {
	delay := limits.BackoffMin
	for ctx.Err() == nil {
		before := s.intake.journal.Last()
		drain, err := s.runOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, refusal.StreamFenced):
			return err
		case err != nil && !refusal.Is(err):
			return err
		case err != nil:
			s.intake.say("stream ended: " + err.Error())
		}
		if s.intake.journal.Last() > before {
			delay = limits.BackoffMin
		}
		wait := delay
		if drain != nil {
			wait = time.Duration(drain.ReconnectAfterMs) * time.Millisecond
		}
		if client.Pause(ctx, wait) != nil {
			return nil
		}
		if delay *= 2; delay > limits.BackoffMax {
			delay = limits.BackoffMax
		}
	}
	return nil
}

// session is one stream from Open to its end.
type session struct {
	*Stream
	stream transport.Stream
	open   *envelope.Sealed
	beaten bool // the first heartbeat has come
	drain  *pb.Drain
}

// runOnce gives the Drain that ended the stream in good order, if one did.
func (s *Stream) runOnce(ctx context.Context) (*pb.Drain, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.intake.client.OpenStream(ctx, contract.Deliver)
	if err != nil {
		return nil, s.intake.client.Refused(ctx, err, contract.Deliver, nil)
	}
	one := &session{Stream: s, stream: stream}
	if err := one.begin(); err != nil {
		return nil, err
	}
	silence := time.AfterFunc(limits.Silence, cancel)
	defer silence.Stop()
	for {
		bytes, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return one.drain, nil
		}
		if err != nil {
			return nil, s.intake.client.Refused(ctx, err, contract.Deliver, nil)
		}
		silence.Reset(limits.Silence)
		if err := one.frame(ctx, bytes); err != nil {
			return nil, err
		}
	}
}

func (s *session) begin() error {
	open, err := s.intake.client.Seal(contract.Deliver, &pb.Open{
		ResumeAfter:    s.intake.journal.Last(),
		SessionId:      s.session,
		Epoch:          s.epoch,
		MaxOutstanding: limits.Outstanding,
	}, client.Options{})
	if err != nil {
		return err
	}
	s.open = open
	return s.send(open.Envelope)
}

// send: when the stream has ended, the reason comes with the next Receive.
func (s *session) send(bytes []byte) error {
	if err := s.stream.Send(bytes); err != nil && !errors.Is(err, io.EOF) {
		return refusal.PeerUnreachable
	}
	return nil
}

func (s *session) acknowledge(ack *pb.Ack, digest envelope.Digest) error {
	bytes, err := s.intake.seal(contract.Deliver, ack, &digest)
	if err != nil {
		return err
	}
	return s.send(bytes)
}

// -- Frames --------------------------------------------------------------------------------------------------------

func frames() []envelope.Body {
	bodies := []envelope.Body{{Message: &pb.Event{}, Direction: pb.Direction_DIRECTION_EVENT}}
	for _, message := range []proto.Message{&pb.Heartbeat{}, &pb.Gap{}, &pb.Held{}, &pb.Drain{}} {
		bodies = append(bodies, envelope.Body{Message: message, Direction: pb.Direction_DIRECTION_REPLY})
	}
	return bodies
}

func (s *session) frame(ctx context.Context, bytes []byte) error {
	opened, err := s.intake.client.Open(ctx, bytes, contract.Deliver, &s.open.Digest, frames()...)
	if err != nil {
		return err
	}
	switch body := opened.Body.(type) {
	case *pb.Event:
		ack, err := s.intake.receive(opened, bytes, inOrder)
		if err != nil {
			return err
		}
		return s.acknowledge(ack, opened.Digest)
	case *pb.Heartbeat:
		return s.beat(body)
	case *pb.Gap:
		return s.intake.pass(body.From, body.To)
	case *pb.Held:
		return s.intake.hold(body.From, body.To)
	case *pb.Drain:
		s.drain = body
	}
	return nil
}

func (s *session) beat(heartbeat *pb.Heartbeat) error {
	if s.Watch != nil {
		s.Watch(heartbeat)
	}
	if s.beaten {
		return nil
	}
	s.beaten = true
	if err := s.repeat(heartbeat.ReceivedFloor); err != nil {
		return err
	}
	return s.extend(heartbeat.Head)
}

// repeat acknowledges again what the centre does not know to be here: acknowledgements on a stream are not answered.
func (s *session) repeat(floor uint64) error {
	for _, event := range s.intake.journal.After(floor) {
		if err := s.acknowledge(acknowledgement(event), event.Digest); err != nil {
			return err
		}
	}
	return nil
}

// extend gives credit for what has gathered while there was no stream.
func (s *session) extend(head uint64) error {
	last := s.intake.journal.Last()
	if head <= last+limits.Outstanding {
		return nil
	}
	more := head - last - limits.Outstanding
	if more > limits.OutstandingMax-limits.Outstanding {
		more = limits.OutstandingMax - limits.Outstanding
	}
	credit, err := s.intake.client.Seal(contract.Deliver, &pb.Credit{More: uint32(more)}, client.Options{})
	if err != nil {
		return err
	}
	return s.send(credit.Envelope)
}
