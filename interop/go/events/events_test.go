package events_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/events"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

// log is what the bank's core took over, and what an operator was told.
type log struct {
	mutex sync.Mutex
	taken []uint64
	said  []string
	fails func(sequence uint64) error // may be nil
}

func (l *log) handle(_ context.Context, event *envelope.Message) (string, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.fails != nil {
		if err := l.fails(event.Header.Sequence); err != nil {
			return "", err
		}
	}
	l.taken = append(l.taken, event.Header.Sequence)
	return "ref", nil
}

func (l *log) say(text string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.said = append(l.said, text)
}

func (l *log) took(wanted ...uint64) func() bool {
	return func() bool {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if len(l.taken) != len(wanted) {
			return false
		}
		for i, sequence := range wanted {
			if l.taken[i] != sequence {
				return false
			}
		}
		return true
	}
}

func (l *log) was(part string) func() bool {
	return func() bool {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		return strings.Contains(strings.Join(l.said, "\n"), part)
	}
}

// world is a centre and a bank.
type world struct {
	*centretest.Centre
	log
	t       *testing.T
	name    string // of the journal's file
	journal *journal.Journal
	intake  *events.Intake
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Centre: centretest.Start(t), t: t, name: filepath.Join(t.TempDir(), "bank.journal")}
	w.boot()
	return w
}

var key = bytes.Repeat([]byte{1}, journal.KeyBytes)

// boot starts the bank's process, with what its journal holds.
func (w *world) boot() {
	w.t.Helper()
	j, err := journal.Open(w.name, key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { j.Close() })
	w.journal = j
	w.intake = events.NewIntake(w.Client(), j, w.handle, w.say)
}

// during runs something beside the test; what it gives back stops it.
func (w *world) during(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	w.t.Cleanup(stop)
	return stop
}

// live takes events over, from a stream.
func (w *world) live() (stop func()) {
	stream := w.newStream(1)
	stopIntake := w.during(w.intake.Run)
	stopStream := w.during(func(ctx context.Context) {
		if err := stream.Run(ctx); err != nil {
			w.say("the stream is over: " + err.Error())
		}
	})
	return func() {
		stopStream()
		stopIntake()
	}
}

func (w *world) newStream(epoch uint64) *events.Stream {
	w.t.Helper()
	stream, err := events.NewStream(w.intake, epoch)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

func status(application string) *pb.Event {
	return &pb.Event{Kind: pb.EventKind_EVENT_KIND_STATUS, ApplicationId: application}
}

func (w *world) until(what string, condition func() bool) {
	w.t.Helper()
	centretest.Until(w.t, what, condition)
}

func (w *world) untold() int { return len(w.journal.Untold()) }

// -- The stream ----------------------------------------------------------------------------------------------------

// Covers: COL-DEL-007, COL-DEL-011, COL-DEL-017
func TestOnceAndInOrder(t *testing.T) {
	w := newWorld(t)
	w.Push(status("a"))
	w.live()
	w.until("the first event", w.took(1))
	w.End(refusal.PeerUnreachable) // cut off
	w.Push(status("b"))
	w.until("the second event", w.took(1, 2))
	w.Tell(&pb.Drain{ReconnectAfterMs: 1})
	w.End(nil)
	w.Push(status("a"))
	w.until("the third event", w.took(1, 2, 3))
	w.until("the last reference", func() bool { return w.untold() == 0 })
	w.until("the last acknowledgement", func() bool { return len(w.Acks()) >= 3 })
}

// Covers: COL-DEL-008
func TestReceivedAndNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.fails = func(uint64) error { return errors.New("the core is down") }
	stop := w.live()
	w.until("a stream", func() bool { _, live := w.Streams(); return live })
	w.Push(status("a"))
	w.until("the failure", w.was("the core is down"))
	stop()
	if err := w.journal.Close(); err != nil {
		t.Fatal(err)
	}
	w.log = log{}
	w.boot()
	w.during(w.intake.Run) // without a stream: the journal has it
	w.until("the event", w.took(1))
	w.until("its reference", func() bool { return w.untold() == 0 })
}

// TestOthersDoNotWait: what cannot be taken over keeps its own application waiting, and nothing else.
func TestOthersDoNotWait(t *testing.T) {
	w := newWorld(t)
	w.fails = func(sequence uint64) error {
		if sequence == 1 && len(w.taken) == 0 {
			return errors.New("the core is not ready")
		}
		return nil
	}
	w.Push(status("a"))
	w.Push(status("a"))
	w.Push(status("b"))
	w.live()
	w.until("all events", w.took(3, 1, 2))
}

// Covers: COL-DEL-015
func TestAcknowledgedAgain(t *testing.T) {
	w := newWorld(t)
	w.Push(status("a"))
	stop := w.live()
	w.until("the reference", func() bool { return w.untold() == 0 && len(w.journal.After(0)) == 1 })
	stop()
	w.until("the acknowledgement", func() bool { return len(w.Acks()) == 1 })
	w.Forget() // the centre lost what it had: the event and its acknowledgement
	sealed := w.journal.After(0)[0]
	w.Restore(sealed.Envelope, sealed.Digest)
	w.live()
	w.until("an acknowledgement that tells all", func() bool {
		acks := w.Acks()
		return len(acks) == 1 && acks[0].Level == pb.AckLevel_ACK_LEVEL_APPLIED && acks[0].BankReference == "ref"
	})
}

// Covers: COL-DEL-012, COL-DEL-016
func TestHoleAndGap(t *testing.T) {
	w := newWorld(t)
	for i := 0; i < 3; i++ {
		w.Push(status("a"))
	}
	w.Drop(2)
	stop := w.live()
	w.until("the refusal", w.was("event 3 where 2 is next"))
	if w.journal.Last() != 1 {
		t.Errorf("the last is %d", w.journal.Last())
	}
	stop()
	w.BeforeEvents(&pb.Gap{From: 2, To: 2})
	w.live()
	w.until("what is behind the gap", w.took(1, 3))
	w.until("a word to the operator", w.was("events 2 to 2 cannot be delivered"))
}

// Covers: COL-DEL-024
func TestHeld(t *testing.T) {
	w := newWorld(t)
	for i := 0; i < 3; i++ {
		w.Push(status("a"))
	}
	later := w.Drop(2)
	first := w.Drop(1)
	w.BeforeEvents(&pb.Held{From: 1, To: 2})
	w.live()
	w.until("what is not held", w.took(3))
	w.Send(later.Envelope)
	w.until("what was held", w.took(3, 2))
	w.Send(first.Envelope)
	w.until("all", w.took(3, 2, 1))
}

func TestHeldWithoutEnd(t *testing.T) {
	w := newWorld(t)
	w.BeforeEvents(&pb.Held{From: 1, To: 1 << 60})
	w.live()
	w.until("the refusal", w.was("SEQUENCE_WRONG"))
	if w.journal.Last() != 0 {
		t.Errorf("the last is %d", w.journal.Last())
	}
}

// Covers: COL-DEL-012
func TestAnotherEventUnderTheSameNumber(t *testing.T) {
	w := newWorld(t)
	w.Push(status("a"))
	w.live()
	w.until("the event", w.took(1))
	w.until("its acknowledgement", func() bool { return len(w.Acks()) == 1 })
	w.Forget()
	w.Push(status("b"))
	w.until("the refusal", w.was("event 1 was another one before"))
	if len(w.Acks()) != 0 {
		t.Error("it is acknowledged")
	}
}

// Covers: COL-DEL-005
func TestFenced(t *testing.T) {
	w := newWorld(t)
	stream := w.newStream(1)
	ended := make(chan error, 1)
	w.during(func(ctx context.Context) { ended <- stream.Run(ctx) })
	w.until("a stream", func() bool { _, live := w.Streams(); return live })
	w.Fence()
	if err := <-ended; !errors.Is(err, refusal.StreamFenced) {
		t.Errorf("got %v", err)
	}
	if count, _ := w.Streams(); count != 1 {
		t.Errorf("%d streams", count)
	}
}

// Covers: COL-DEL-002, COL-DEL-003, COL-DEL-004, COL-DEL-006
func TestOpenAndCredit(t *testing.T) {
	w := newWorld(t)
	const backlog = 250
	for i := 0; i < backlog; i++ {
		w.Push(status("a"))
	}
	stop := w.live()
	w.until("all events", func() bool { return w.journal.Last() == backlog })
	w.until("the credit", func() bool { return len(w.Frames()) == 2 })
	stop()
	w.live()
	w.until("the second stream", func() bool { return len(w.Frames()) == 3 })
	first, credit, second := w.Frames()[0].Body.(*pb.Open), w.Frames()[1].Body.(*pb.Credit), w.Frames()[2].Body.(*pb.Open)
	if first.ResumeAfter != 0 || second.ResumeAfter != backlog || credit.More != backlog-first.MaxOutstanding {
		t.Errorf("first %v, then %v, then %v", first, credit, second)
	}
	if len(first.SessionId) != 16 || first.Epoch != 1 {
		t.Errorf("session %x, epoch %d", first.SessionId, first.Epoch)
	}
}

// TestFaultOfOurs: an event that cannot be kept is not acknowledged, and the stream does not go on as if it were.
func TestFaultOfOurs(t *testing.T) {
	w := newWorld(t)
	w.journal.Close()
	w.Push(status("a"))
	stream := w.newStream(1)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := stream.Run(ctx); err == nil || refusal.Is(err) {
		t.Errorf("got %v", err)
	}
	if len(w.Acks()) != 0 {
		t.Error("it is acknowledged")
	}
}

// -- Calls ---------------------------------------------------------------------------------------------------------

// serve opens the inbox and gives the centre's way to it.
func (w *world) serve() func([]byte) ([]byte, error) {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	inbox := events.NewInbox(w.intake)
	w.during(func(ctx context.Context) {
		if err := inbox.Serve(ctx, listener, w.IdentityOf(w.t, centretest.BankParty)); err != nil {
			w.say("the inbox is over: " + err.Error())
		}
	})
	connection, err := transport.Dial(listener.Addr().String(), centretest.BankParty, w.IdentityOf(w.t, centretest.CentreParty))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { connection.Close() })
	return func(event []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return transport.Call(ctx, connection, contract.Notify, event)
	}
}

// answered checks the bank's answer as a centre does.
func (w *world) answered(event *envelope.Sealed, answer []byte, err error) *pb.Ack {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := envelope.Open(answer, envelope.Expected{
		Keyring:   w.Directory,
		Sender:    centretest.BankParty,
		Recipient: centretest.CentreParty,
		Method:    contract.Notify,
		Bodies:    []envelope.Body{{Message: &pb.Ack{}, Direction: pb.Direction_DIRECTION_ACK}},
		InReplyTo: &event.Digest,
		Now:       time.Now(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return opened.Body.(*pb.Ack)
}

// Covers: COL-CAL-002, COL-DEL-030
func TestCalls(t *testing.T) {
	w := newWorld(t)
	notify := w.serve()
	event := w.Event(t, 1, status("a"))
	answer, err := notify(event.Envelope)
	if ack := w.answered(event, answer, err); ack.Sequence != 1 || ack.Level != pb.AckLevel_ACK_LEVEL_RECEIVED {
		t.Errorf("the answer is %v", ack)
	}
	w.during(w.intake.Run)
	w.until("the reference", func() bool { return w.untold() == 0 })
	answer, err = notify(event.Envelope) // again
	if ack := w.answered(event, answer, err); ack.Level != pb.AckLevel_ACK_LEVEL_APPLIED || ack.BankReference != "ref" {
		t.Errorf("the answer is %v", ack)
	}
	if !w.took(1)() {
		t.Error("it was taken over again")
	}
}

// TestCallsBesideEachOther: events of several applications come in any order, and a stream afterwards goes on behind them.
func TestCallsBesideEachOther(t *testing.T) {
	w := newWorld(t)
	notify := w.serve()
	sealed := []*envelope.Sealed{}
	for i := 0; i < 3; i++ {
		sealed = append(sealed, w.Push(status([]string{"a", "b", "c"}[i])))
	}
	for _, i := range []int{2, 0} {
		answer, err := notify(sealed[i].Envelope)
		w.answered(sealed[i], answer, err)
	}
	if w.journal.Last() != 3 || !w.journal.ComesLater(2) || w.journal.ComesLater(1) {
		t.Errorf("the last is %d", w.journal.Last())
	}
	w.live()
	w.until("the stream", func() bool { return len(w.Frames()) == 1 })
	if open := w.Frames()[0].Body.(*pb.Open); open.ResumeAfter != 3 {
		t.Errorf("it resumes after %d", open.ResumeAfter)
	}
	w.Send(sealed[1].Envelope)
	w.until("what was missing", func() bool { return len(w.journal.After(0)) == 3 && w.untold() == 0 })
}

// Covers: COL-CAL-003
func TestCallsThatFail(t *testing.T) {
	w := newWorld(t)
	notify := w.serve()
	event := w.Event(t, 1, status("a"))
	flipped := append([]byte(nil), event.Envelope...)
	flipped[len(flipped)-40] ^= 1 // in the signature
	stranger := centretest.NewScheme(t).Event(t, 1, status("a"))
	other := w.Say(t, status("b"), func(header *pb.SignedHeader) {
		header.Method, header.Direction, header.ExpiresMs, header.Sequence = contract.Deliver, pb.Direction_DIRECTION_EVENT, 0, 1
		header.ApplicationId = "a"
	})
	for name, row := range map[string]struct {
		bytes  []byte
		reason refusal.Reason
	}{
		"nothing":                    {nil, refusal.MessageEmpty},
		"bytes of another kind":      {[]byte{0xff}, refusal.WireMalformed},
		"a flipped bit":              {flipped, refusal.SignatureInvalid},
		"another centre's":           {stranger.Envelope, refusal.KeyUnknown},
		"of another application":     {other.Envelope, refusal.FieldInvalid},
		"a reply, which is no event": {w.Reply(t, contract.Deliver, event.Digest, &pb.Heartbeat{}).Envelope, refusal.PayloadTypeWrong},
	} {
		_, err := notify(row.bytes)
		if reason := w.Client().Refused(context.Background(), err, contract.Notify, nil); !errors.Is(reason, row.reason) {
			t.Errorf("%s: got %v, not %s", name, reason, row.reason)
		}
	}
	if w.journal.Last() != 0 {
		t.Error("something was kept")
	}
	w.journal.Close()
	_, err := notify(event.Envelope)
	if reason := w.Client().Refused(context.Background(), err, contract.Notify, nil); !errors.Is(reason, refusal.Internal) {
		t.Errorf("a fault of ours: got %v", reason)
	}
}
