package bank_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/events"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

var (
	background = context.Background()
	key        = bytes.Repeat([]byte{1}, journal.KeyBytes)
)

// core approves whatever comes.
type core struct{}

func (core) Verify(*pb.Application, personal.Values) ([]*pb.VerificationResult, error) {
	return []*pb.VerificationResult{{Item: pb.Item_ITEM_INCOME, Outcome: pb.ItemOutcome_ITEM_OUTCOME_PASS}}, nil
}

func (core) Decide(*pb.OfferTerms, *pb.Application) (*pb.BankDecision, error) {
	return &pb.BankDecision{Verdict: pb.BankVerdict_BANK_VERDICT_APPROVE, BankReference: "ref"}, nil
}

type world struct {
	*centretest.Centre
	t       *testing.T
	name    string
	journal *journal.Journal
	client  *client.Client
	bank    *bank.Bank
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Centre: centretest.Start(t), t: t, name: filepath.Join(t.TempDir(), "bank.journal")}
	for _, method := range []contract.Method{contract.ReportVerifications, contract.ReportBankDecision, contract.SubmitApplication} {
		reply := method.Reply
		w.Answer(method, func(*envelope.Message) (proto.Message, error) { return reply, nil })
	}
	w.boot()
	return w
}

func (w *world) boot() {
	w.t.Helper()
	j, err := journal.Open(w.name, key)
	w.journal = centretest.Must(w.t, j, err)
	w.t.Cleanup(func() { j.Close() })
	w.client = w.Client()
	b, err := bank.New(w.client, j, core{}, func(text string) { w.t.Log(text) })
	w.bank = centretest.Must(w.t, b, err)
}

func (w *world) reboot() {
	w.t.Helper()
	if err := w.journal.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.boot()
}

// live takes events over until it is stopped.
func (w *world) live() (stop func()) {
	w.t.Helper()
	stream, err := events.NewStream(w.bank.Intake, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(background)
	ended := make(chan struct{}, 2)
	b := w.bank
	go func() { b.Intake.Run(ctx); ended <- struct{}{} }()
	go func() { stream.Run(ctx); ended <- struct{}{} }()
	return func() {
		cancel()
		<-ended
		<-ended
	}
}

var values = bank.PersonalValues{
	Persons: []bank.PersonValues{{Name: "测试甲", IDNumber: "990101199603150019", Mobile: "19900010000"}},
	Address: "测试市虚构路1号1幢101室",
}

func submission(t *testing.T) (*pb.Application, []*pb.Disclosure) {
	t.Helper()
	plain := &pb.Application{ExternalRef: "A-1", Bank: centretest.BankParty, Home: &pb.Home{},
		Persons:  []*pb.Person{{Role: pb.PersonRole_PERSON_ROLE_BORROWER}},
		Consents: bank.Consents(1, centretest.CentreParty, centretest.BankParty, time.Now().Add(time.Hour), make([]byte, 32), "C")}
	application, disclosures, err := bank.Conceal(plain, values)
	if err != nil {
		t.Fatal(err)
	}
	return application, disclosures
}

// -- Requests ------------------------------------------------------------------------------------------------------

// Covers: COL-DUP-001, COL-DUP-006
func TestTheSameBytesAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.client.Tries = 1
	w.Lose(2)
	application, disclosures := submission(t)
	for i := 0; i < 2; i++ { // nothing new is said for the same purpose
		_, err := w.bank.Submit(background, application, disclosures)
		expect(t, refusal.PeerUnreachable, err)
	}
	w.reboot()
	if err := w.bank.Resume(background); err != nil {
		t.Fatal(err)
	}
	sent := w.Sent()
	if len(sent) != 3 || !bytes.Equal(sent[0], sent[1]) || !bytes.Equal(sent[0], sent[2]) || len(w.journal.AllPending()) != 0 {
		t.Errorf("sent %d times, %d pending", len(sent), len(w.journal.AllPending()))
	}
}

func TestARefusalSettles(t *testing.T) {
	w := newWorld(t)
	application, disclosures := submission(t)
	w.Fail(refusal.FieldInvalid)
	_, err := w.bank.Submit(background, application, disclosures)
	expect(t, refusal.FieldInvalid, err)
	if len(w.journal.AllPending()) != 0 {
		t.Error("it is still on its way")
	}
	if _, err := w.bank.Submit(background, application, disclosures); err != nil {
		t.Fatal(err)
	}
	if sent := w.Sent(); bytes.Equal(sent[0], sent[1]) {
		t.Error("what was refused was sent again")
	}
}

func TestNothingIsSentThatIsNotKept(t *testing.T) {
	w := newWorld(t)
	w.journal.Close()
	application, disclosures := submission(t)
	if _, err := w.bank.Submit(background, application, disclosures); err == nil || len(w.Sent()) != 0 {
		t.Errorf("got %v, sent %d", err, len(w.Sent()))
	}
}

// -- Events --------------------------------------------------------------------------------------------------------

// applicationEvent tells of a submission that the bank made itself.
func (w *world) applicationEvent() *pb.Event {
	w.t.Helper()
	application, disclosures := submission(w.t)
	sealed, err := w.client.Seal(contract.SubmitApplication.Name, application, client.Options{})
	event := &pb.Event{
		Kind:                pb.EventKind_EVENT_KIND_APPLICATION,
		ApplicationId:       caseID,
		Status:              &pb.ApplicationStatus{Bank: centretest.BankParty, BankEpoch: 1},
		ApplicationEnvelope: centretest.Must(w.t, sealed, err).Envelope,
	}
	w.Push(event, disclosures...)
	return event
}

func (w *world) decide(t *testing.T) {
	t.Helper()
	w.Push(&pb.Event{Kind: pb.EventKind_EVENT_KIND_FUND_DECISION, ApplicationId: caseID, Status: &pb.ApplicationStatus{},
		FundDecision: &pb.FundDecision{ApplicationId: caseID, Verdict: pb.FundVerdict_FUND_VERDICT_APPROVE, Offer: offer(t, terms())}})
	w.Push(&pb.Event{Kind: pb.EventKind_EVENT_KIND_JOINT_DECISION, ApplicationId: caseID, Status: &pb.ApplicationStatus{},
		JointDecision: decided{t, w.Scheme, w.client}.joint()})
}

func (w *world) settled() bool { return len(w.journal.After(0)) > 0 && len(w.journal.Untold()) == 0 }

// Covers: COL-SUB-009
func TestWholeCase(t *testing.T) {
	w := newWorld(t)
	w.applicationEvent()
	w.decide(t)
	stop := w.live()
	centretest.Until(t, "the last reference", func() bool { return len(w.journal.After(0)) == 3 && w.settled() })
	stop()
	answers := map[string]int{}
	for _, method := range w.Calls() {
		answers[method]++
	}
	if answers[contract.ReportVerifications.Name] != 1 || answers[contract.ReportBankDecision.Name] != 1 {
		t.Errorf("the bank said %v", answers)
	}
	check := func() {
		t.Helper()
		known, found := w.bank.Case(caseID)
		if !found || !known.Approved || known.Terms.Version != 1 || known.Values[personal.PathName(0)] != "测试甲" {
			t.Errorf("the bank knows %v", found)
		}
	}
	check()
	before := len(w.Calls())
	w.reboot() // the journal tells it all again, and nothing is said again
	check()
	if len(w.Calls()) != before {
		t.Error("something was said again")
	}
}

// TestCrashAtEveryStep: wherever the process died, the next one ends up with the same case, and takes no event over twice.
func TestCrashAtEveryStep(t *testing.T) {
	w := newWorld(t)
	w.applicationEvent()
	w.decide(t)
	done := func() bool { return len(w.journal.After(0)) == 3 && w.settled() }
	stop := w.live()
	centretest.Until(t, "the whole case", done)
	stop()
	whole, err := os.ReadFile(w.name)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for length := 0; length < len(whole); length += 4 + int(binary.BigEndian.Uint32(whole[length:])) { // from record to record
		w.name = filepath.Join(t.TempDir(), "bank.journal")
		if err := os.WriteFile(w.name, whole[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		w.reboot()
		if err := w.bank.Resume(background); err != nil {
			t.Fatal(err)
		}
		stop := w.live()
		centretest.Until(t, "the whole case", done)
		stop()
		if known, _ := w.bank.Case(caseID); !known.Approved || w.journal.Last() != 3 {
			t.Errorf("after %d records: approved %v, the last event is %d", steps, known.Approved, w.journal.Last())
		}
		steps++
	}
	if steps < 13 { // three events with three records each, two requests with two
		t.Errorf("only %d steps", steps)
	}
}

// TestCrashBeforeApplied: an answer that the centre has already is not said as something new when its event is taken over again.
func TestCrashBeforeApplied(t *testing.T) {
	w := newWorld(t)
	w.Answer(contract.ReportVerifications, func(*envelope.Message) (proto.Message, error) { return nil, refusal.StateConflict })
	w.applicationEvent()
	stop := w.live()
	centretest.Until(t, "the reference", w.settled)
	stop()
}

// Covers: COL-CON-004
func TestConsentWithdrawn(t *testing.T) {
	w := newWorld(t)
	w.applicationEvent()
	w.Push(&pb.Event{Kind: pb.EventKind_EVENT_KIND_CONSENT_WITHDRAWN, ApplicationId: caseID, ConsentId: "C-0-3"})
	stop := w.live()
	centretest.Until(t, "the reference", func() bool { return len(w.journal.After(0)) == 2 && w.settled() })
	stop()
	if known, _ := w.bank.Case(caseID); known.Application == nil || len(known.Values) != 0 {
		t.Errorf("%d values are kept", len(known.Values))
	}
}

func TestReleased(t *testing.T) {
	w := newWorld(t)
	w.applicationEvent()
	w.Push(&pb.Event{Kind: pb.EventKind_EVENT_KIND_RELEASED, ApplicationId: caseID})
	stop := w.live()
	centretest.Until(t, "the reference", func() bool { return len(w.journal.After(0)) == 2 && w.settled() })
	stop()
	if _, found := w.bank.Case(caseID); found {
		t.Error("the case is still here")
	}
}

// Covers: COL-SUB-009
func TestSubmissionsThatAreNone(t *testing.T) {
	w := newWorld(t)
	foreign := &pb.Disclosure{Path: personal.PathName(0), Salt: make([]byte, 16), Value: []byte("测试乙")}
	read := func(event *pb.Event, disclosures ...*pb.Disclosure) error {
		_, err := bank.ReadSubmission(event, disclosures, w.Directory, centretest.BankParty)
		return err
	}
	event := w.applicationEvent()
	expect(t, "", read(event))
	expect(t, refusal.DisclosureMismatch, read(event, foreign))
	event.Status.Bank = centretest.OtherParty
	expect(t, refusal.BankUnknown, read(event))
	event.Status = nil
	expect(t, refusal.BankUnknown, read(event))
	event = w.applicationEvent()
	event.ApplicationEnvelope = w.Event(t, 1, &pb.Event{}).Envelope
	expect(t, refusal.PayloadTypeWrong, read(event))
	application, _ := submission(t)
	sealed, err := w.client.Seal(contract.GetApplication.Name, application, client.Options{})
	event.ApplicationEnvelope = centretest.Must(t, sealed, err).Envelope
	expect(t, refusal.MethodWrong, read(event))
}

// TestEventsOfNoUse: what does not verify is not taken over, and the bank says nothing to it.
func TestEventsOfNoUse(t *testing.T) {
	w := newWorld(t)
	wrong := offer(t, terms())
	wrong.TermsDigest[0] ^= 1
	w.Push(&pb.Event{Kind: pb.EventKind_EVENT_KIND_FUND_DECISION, ApplicationId: caseID,
		FundDecision: &pb.FundDecision{ApplicationId: caseID, Verdict: pb.FundVerdict_FUND_VERDICT_APPROVE, Offer: wrong}})
	stop := w.live()
	centretest.Until(t, "the event", func() bool { return w.journal.Last() == 1 })
	time.Sleep(50 * time.Millisecond)
	stop()
	if known, _ := w.bank.Case(caseID); known.Terms != nil || len(w.Calls()) != 0 {
		t.Errorf("the bank said %v", w.Calls())
	}
}
