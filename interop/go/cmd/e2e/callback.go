package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/events"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

// callBack takes the other bank's events by calls of the centre, then by a stream, then by calls again: one journal, one order.
func (w *world) callBack() []step {
	if w.inboxPort == 0 {
		say("call-back left out: there is no -inbox-port")
		return nil
	}
	var (
		other         *party
		inbox, stream running
	)
	decided := func(ctx context.Context) error {
		application, err := w.submit(ctx, other, w.approved, "approve")
		if err != nil {
			return err
		}
		known, err := other.decided(ctx, application)
		if err != nil {
			return err
		}
		return equal("the outcome", known.Joint.Outcome, pb.Outcome_OUTCOME_APPROVED_COMBINED)
	}
	delivered := func(ctx context.Context) error { return w.delivered(ctx, other) }
	isWhole := func(context.Context) error { return w.isWhole(other) }
	return []step{
		{"the inbox of the other bank opens", func(ctx context.Context) (err error) {
			if err := w.giveUp(ctx, w.main); err != nil {
				return err
			}
			if other, err = w.newParty(ctx, w.other); err != nil {
				return err
			}
			inbox, err = w.openInbox(ctx, other)
			return err
		}},
		{"a whole approval comes by calls of the centre, each event once", func(ctx context.Context) error {
			return inTurn(ctx, decided, delivered, isWhole)
		}},
		{"the centre knows that each was taken over, under the bank's reference", func(ctx context.Context) error {
			return w.allApplied(ctx, other)
		}},
		{"an event that is called with again is answered and not taken over again", func(ctx context.Context) error {
			return w.askAgain(ctx, other)
		}},
		{"another bank's call does not get in", func(ctx context.Context) error {
			return refused(refusal.PeerUnreachable, w.callInbox(ctx, w.main))
		}},
		{"an event that nobody could be called with comes by the stream", func(ctx context.Context) (err error) {
			if err := inbox.stop(); err != nil {
				return err
			}
			before := other.journal.Last()
			if err := w.giveUp(ctx, other); err != nil {
				return err
			}
			if stream, err = other.listen(ctx, nil); err != nil {
				return err
			}
			return until(ctx, "the event", func() bool { return len(other.journal.After(before)) > 0 })
		}},
		{"a whole approval comes by the stream, behind what came by calls", func(ctx context.Context) error {
			return inTurn(ctx, decided, delivered, isWhole)
		}},
		{"and by calls again when the stream is closed", func(ctx context.Context) (err error) {
			if err := stream.stop(); err != nil {
				return err
			}
			if inbox, err = w.openInbox(ctx, other); err != nil {
				return err
			}
			return inTurn(ctx, decided, delivered, isWhole)
		}},
		{"the inbox closes", func(ctx context.Context) error {
			defer other.close()
			givenUp := func(ctx context.Context) error { return w.giveUp(ctx, other) }
			applied := func(ctx context.Context) error { return w.allApplied(ctx, other) }
			return inTurn(ctx, givenUp, delivered, applied, func(context.Context) error { return inbox.stop() })
		}},
	}
}

func (w *world) openInbox(ctx context.Context, p *party) (running, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", w.inboxPort))
	if err != nil {
		return running{}, err
	}
	inbox := events.NewInbox(p.bank.Intake)
	return start(ctx, func(ctx context.Context) error { return inbox.Serve(ctx, listener, p.identity) }), nil
}

// isWhole tells whether a journal has every event from 1 on.
func (w *world) isWhole(p *party) error {
	for i, event := range p.journal.After(0) {
		if err := equal("the next event", event.Sequence, uint64(i)+1); err != nil {
			return err
		}
	}
	return equal("the number of events", uint64(len(p.journal.After(0))), p.journal.Last())
}

// allApplied waits until the bank has told the centre of every event, and compares what the centre has on record.
func (w *world) allApplied(ctx context.Context, p *party) error {
	if err := until(ctx, "the last reference", func() bool { return len(p.journal.Untold()) == 0 }); err != nil {
		return err
	}
	list, err := client.Call[*pb.EventList](ctx, p.client, contract.ListEvents, &pb.EventListQuery{Limit: 100}, client.Options{})
	if err != nil {
		return err
	}
	for _, state := range list.Events {
		known, _ := p.journal.Event(state.Sequence)
		err := first(
			equal("the state", state.State, pb.DeliveryState_DELIVERY_STATE_APPLIED),
			equal("the reference", state.BankReference, known.Reference))
		if err != nil {
			return err
		}
	}
	return equal("the number of events", uint64(len(list.Events)), p.journal.Last())
}

// callInbox plays the centre with a certificate that is not the centre's.
func (w *world) callInbox(ctx context.Context, impostor *party) error {
	connection, err := transport.Dial(fmt.Sprintf("localhost:%d", w.inboxPort), w.other, impostor.identity)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	nothing := envelope.Digest{}
	_, err = transport.Call(ctx, connection, contract.Notify, []byte{1})
	if err == nil {
		return nil
	}
	return impostor.client.Refused(ctx, err, contract.Notify, &nothing)
}
