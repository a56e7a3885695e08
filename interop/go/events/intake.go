// Package events takes events over from the centre, by a stream that the bank keeps open and by calls of the centre, whichever
// it is at the moment (chapter 8).
//
// Both ways lead into one Intake: an event is verified, written to the journal, acknowledged RECEIVED. Behind the journal one
// goroutine takes the events over in their order and tells the centre so, APPLIED, by a call that is answered: unlike an
// acknowledgement on a stream it cannot be lost unseen. After a crash both go on with what the journal holds.
package events

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

// Handler takes an event over and gives the bank's own reference of it. It is called once for an event, unless the process
// dies or fails in between.
type Handler func(ctx context.Context, event *envelope.Message) (reference string, err error)

// Intake is the one place where events come in.
type Intake struct {
	client  *client.Client
	journal *journal.Journal
	handle  Handler
	say     func(string)
	mutex   sync.Mutex    // one event is received at a time
	arrived chan struct{} // wakes Run
}

// NewIntake makes one; say tells an operator, and nothing of a person.
func NewIntake(c *client.Client, j *journal.Journal, handle Handler, say func(string)) *Intake {
	return &Intake{client: c, journal: j, handle: handle, say: say, arrived: make(chan struct{}, 1)}
}

// order is what a way of delivery promises about the numbers of events.
type order int

const (
	inOrder  order = iota // a stream: a hole is named before it is passed over
	anyOrder              // calls: events of several applications come beside each other
)

// receive keeps an event that was verified, and gives the highest acknowledgement that is true of it.
func (in *Intake) receive(opened *envelope.Message, bytes []byte, order order) (*pb.Ack, error) {
	sequence := opened.Header.Sequence
	if opened.Header.ApplicationId != opened.Body.(*pb.Event).ApplicationId {
		return nil, refusal.FieldInvalid.At("application_id")
	}
	in.mutex.Lock()
	defer in.mutex.Unlock()
	if known, found := in.journal.Event(sequence); found {
		if known.Digest != opened.Digest {
			return nil, refusal.SequenceWrong.Because("event %d was another one before", sequence)
		}
		return acknowledgement(known), nil
	}
	if err := in.checkOrder(sequence, order); err != nil {
		return nil, err
	}
	if err := in.journal.Received(sequence, opened.Digest, bytes); err != nil {
		return nil, err
	}
	in.wake()
	return &pb.Ack{Sequence: sequence, Level: pb.AckLevel_ACK_LEVEL_RECEIVED}, nil
}

// checkOrder refuses what leaves a hole that nobody named. By calls there are such holes: they are noted, and fill later.
func (in *Intake) checkOrder(sequence uint64, order order) error {
	next := in.journal.Last() + 1
	if sequence == next || in.journal.ComesLater(sequence) {
		return nil
	}
	if order == inOrder || sequence < next {
		return refusal.SequenceWrong.Because("event %d where %d is next", sequence, next)
	}
	return in.hold(next, sequence-1)
}

// hold notes events that come later: one of their application was refused, or is parked, or they are on their way.
func (in *Intake) hold(from, to uint64) error {
	if from != in.journal.Last()+1 || to < from || to-from >= limits.HeldMax {
		return refusal.SequenceWrong
	}
	return in.journal.Held(from, to)
}

// pass notes events that never come.
func (in *Intake) pass(from, to uint64) error {
	if from != in.journal.Last()+1 || to < from {
		return refusal.SequenceWrong
	}
	in.say(fmt.Sprintf("events %d to %d cannot be delivered: ask with GetApplication, and call the centre", from, to))
	return in.journal.Gap(from, to)
}

func acknowledgement(event journal.Event) *pb.Ack {
	if event.Reference == "" {
		return &pb.Ack{Sequence: event.Sequence, Level: pb.AckLevel_ACK_LEVEL_RECEIVED}
	}
	return &pb.Ack{Sequence: event.Sequence, Level: pb.AckLevel_ACK_LEVEL_APPLIED, BankReference: event.Reference}
}

// -- Taking over ---------------------------------------------------------------------------------------------------

func (in *Intake) wake() {
	select {
	case in.arrived <- struct{}{}:
	default: // it is awake already
	}
}

// Run takes over what the journal holds, and what comes, until its context ends.
func (in *Intake) Run(ctx context.Context) {
	delay := limits.BackoffMin
	for ctx.Err() == nil {
		if in.takeAll(ctx) {
			delay = limits.BackoffMin
			select {
			case <-in.arrived:
			case <-ctx.Done():
			}
			continue
		}
		if client.Pause(ctx, delay) != nil {
			return
		}
		if delay *= 2; delay > limits.BackoffMax {
			delay = limits.BackoffMax
		}
	}
}

// takeAll goes through all that is open, in order; what fails is tried again later, and only its own application waits for it.
func (in *Intake) takeAll(ctx context.Context) (all bool) {
	all = true
	waiting := map[string]bool{}
	for _, event := range in.journal.Untold() {
		if ctx.Err() != nil {
			return false
		}
		opened, err := envelope.OpenKept(event.Envelope, in.client.Directory(), &pb.Event{})
		if err != nil {
			in.say(fmt.Sprintf("event %d of the journal: %v", event.Sequence, err))
			return false
		}
		application := opened.Header.ApplicationId
		if waiting[application] {
			continue
		}
		if err := in.take(ctx, event, opened); err != nil && ctx.Err() == nil {
			in.say(fmt.Sprintf("event %d: %v", event.Sequence, err))
			waiting[application], all = true, false
		}
	}
	return all
}

func (in *Intake) take(ctx context.Context, event journal.Event, opened *envelope.Message) error {
	if event.Reference == "" {
		reference, err := in.handle(ctx, opened)
		if err != nil {
			return err
		}
		if err := in.journal.Applied(event.Sequence, reference); err != nil {
			return err
		}
		event.Reference = reference
	}
	return in.tell(ctx, event, opened.Header.ApplicationId)
}

// tell says APPLIED. It need not be kept before it is sent: said anew it is the same acknowledgement (COL-DEL-010).
func (in *Intake) tell(ctx context.Context, event journal.Event, application string) error {
	options := client.Options{ApplicationID: application, Direction: pb.Direction_DIRECTION_ACK, InReplyTo: &event.Digest}
	_, err := client.Call[*pb.EventState](ctx, in.client, contract.AcknowledgeEvent, acknowledgement(event), options)
	if err != nil {
		return err
	}
	return in.journal.Told(event.Sequence)
}

// seal signs a frame or an answer about an event.
func (in *Intake) seal(method string, body proto.Message, inReplyTo *envelope.Digest) ([]byte, error) {
	sealed, err := in.client.Seal(method, body, client.Options{Direction: pb.Direction_DIRECTION_ACK, InReplyTo: inReplyTo})
	if err != nil {
		return nil, err
	}
	return sealed.Envelope, nil
}
