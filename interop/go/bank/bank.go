// Package bank is a bank's side of the joint approval (chapter 7): it hands applications in, answers for its own items, decides
// on its own money, and believes nothing that it has not checked itself.
package bank

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/events"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

// Core is the bank's own business. A real one answers from its systems; both methods may be asked again after a crash.
type Core interface {
	// Verify answers for the items that a bank owns: INCOME, and CREDIT_BANK for each person.
	Verify(application *pb.Application, values personal.Values) ([]*pb.VerificationResult, error)
	// Decide gives verdict, bank_reference, and with COUNTER the part that the bank would lend.
	Decide(terms *pb.OfferTerms, application *pb.Application) (*pb.BankDecision, error)
}

// Case is what the bank knows of one application.
type Case struct {
	Submission
	FundDecision *pb.FundDecision
	Terms        *pb.OfferTerms // of the current offer, or of the joint decision
	Joint        *pb.JointDecision
	Approved     bool
	Status       *pb.ApplicationStatus
}

// Bank ties the client, the journal and the core together.
type Bank struct {
	Intake  *events.Intake
	client  *client.Client
	journal *journal.Journal
	core    Core
	mutex   sync.Mutex
	cases   map[string]Case
}

// New makes a bank that knows what its journal knows; say tells an operator.
func New(c *client.Client, j *journal.Journal, core Core, say func(string)) (*Bank, error) {
	b := &Bank{client: c, journal: j, core: core, cases: map[string]Case{}}
	b.Intake = events.NewIntake(c, j, b.take, say)
	for _, event := range j.After(0) {
		if event.Reference == "" {
			continue // the intake brings it
		}
		opened, err := envelope.OpenKept(event.Envelope, c.Directory(), &pb.Event{})
		if err != nil {
			return nil, fmt.Errorf("event %d of the journal: %w", event.Sequence, err)
		}
		if err := b.learn(opened); err != nil {
			return nil, fmt.Errorf("event %d of the journal: %w", event.Sequence, err)
		}
	}
	return b, nil
}

// Case gives what is known of an application.
func (b *Bank) Case(application string) (Case, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	known, found := b.cases[application]
	return known, found
}

func (b *Bank) update(application string, change func(*Case)) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	known := b.cases[application]
	change(&known)
	b.cases[application] = known
}

// -- Requests ------------------------------------------------------------------------------------------------------

// Send makes a request that changes something: kept before it is sent, and sent until its outcome is known. One that is on its
// way for the same purpose goes again instead: nothing new is said for it before (COL-DUP-006).
func (b *Bank) Send(ctx context.Context, purpose string, method contract.Method, body proto.Message,
	options client.Options) (*client.Reply, error) {
	if pending, found := b.journal.Pending(purpose); found {
		return b.settle(ctx, pending)
	}
	sealed, err := b.client.Seal(method.Name, body, options)
	if err != nil {
		return nil, err
	}
	if err := b.journal.Sending(purpose, method.Name, sealed); err != nil {
		return nil, err
	}
	return b.settle(ctx, journal.Pending{Purpose: purpose, Method: method.Name, Sealed: *sealed})
}

// settle sends what is kept. It stays kept for as long as nobody knows what became of it.
func (b *Bank) settle(ctx context.Context, pending journal.Pending) (*client.Reply, error) {
	method, found := contract.Lookup(pending.Method)
	if !found {
		return nil, refusal.MethodUnknown.Because("%s", pending.Method)
	}
	reply, err := b.client.Send(ctx, method, &pending.Sealed)
	if _, unknown := refusal.Again(err); unknown || err != nil && !refusal.Is(err) {
		return nil, err
	}
	if kept := b.journal.Settled(pending.Purpose); kept != nil {
		return nil, kept
	}
	return reply, err
}

// Resume sends again, byte for byte, what was on its way when the process died.
func (b *Bank) Resume(ctx context.Context) error {
	for _, pending := range b.journal.AllPending() {
		if _, err := b.settle(ctx, pending); err != nil && !isOver(err) {
			return err
		}
	}
	return nil
}

// isOver tells whether a refusal says that there is nothing left to do: the centre has our answer already, or the case is
// another bank's and a RELEASED event is on its way, or the message was never processed and never will be.
func isOver(err error) bool {
	return errors.Is(err, refusal.StateConflict) || errors.Is(err, refusal.StaleEpoch) || errors.Is(err, refusal.Expired)
}

// Submit hands an application in.
func (b *Bank) Submit(ctx context.Context, application *pb.Application, disclosures []*pb.Disclosure) (*pb.ApplicationReceipt, error) {
	reply, err := b.Send(ctx, "submit "+application.ExternalRef, contract.SubmitApplication, application,
		client.Options{Disclosures: disclosures})
	if err != nil {
		return nil, err
	}
	return reply.Body.(*pb.ApplicationReceipt), nil
}

// Report tells what the bank did after the approval: a contract signed, a leg paid or repaid. The reference is used once for
// each kind and leg of a case, so that it names the purpose, too.
func (b *Bank) Report(ctx context.Context, application string, milestone *pb.Milestone,
	disclosures []*pb.Disclosure) (*pb.ApplicationStatus, error) {
	purpose := fmt.Sprintf("milestone %s %s %s %s", application, milestone.Kind, milestone.Leg, milestone.Reference)
	options := client.Options{ApplicationID: application, Disclosures: disclosures}
	reply, err := b.Send(ctx, purpose, contract.ReportMilestone, milestone, options)
	if err != nil {
		return nil, err
	}
	return reply.Body.(*pb.ApplicationStatus), nil
}

// -- Events --------------------------------------------------------------------------------------------------------

// take learns what an event tells, and says what the bank has to say to it. If that fails for now, the event comes again.
func (b *Bank) take(ctx context.Context, opened *envelope.Message) (string, error) {
	if err := b.learn(opened); err != nil {
		return "", err
	}
	if err := b.answer(ctx, opened); err != nil {
		return "", err
	}
	return fmt.Sprintf("go-%d", opened.Header.Sequence), nil
}

// learn changes what the bank knows, and nothing else: after a restart it is done again for every event of the journal.
func (b *Bank) learn(opened *envelope.Message) error {
	event := opened.Body.(*pb.Event)
	application := event.ApplicationId
	if event.Kind != pb.EventKind_EVENT_KIND_APPLICATION && len(opened.Disclosures) > 0 {
		return refusal.DisclosureUnexpected
	}
	switch event.Kind {
	case pb.EventKind_EVENT_KIND_APPLICATION:
		submission, err := ReadSubmission(event, opened.Disclosures, b.client.Directory(), b.client.Party())
		if err != nil {
			return err
		}
		b.update(application, func(known *Case) { *known = Case{Submission: *submission} })
	case pb.EventKind_EVENT_KIND_FUND_DECISION:
		if err := b.learnFundDecision(application, event.FundDecision); err != nil {
			return err
		}
	case pb.EventKind_EVENT_KIND_JOINT_DECISION:
		if err := b.learnJointDecision(application, event.JointDecision); err != nil {
			return err
		}
	case pb.EventKind_EVENT_KIND_CONSENT_WITHDRAWN:
		b.update(application, func(known *Case) { known.Values = known.withoutConsent(event.ConsentId) })
	case pb.EventKind_EVENT_KIND_RELEASED:
		b.mutex.Lock()
		defer b.mutex.Unlock()
		delete(b.cases, application) // another bank's now
		return nil
	}
	b.update(application, func(known *Case) { known.Status = event.Status })
	return nil
}

func (b *Bank) learnFundDecision(application string, decision *pb.FundDecision) error {
	if decision == nil || decision.ApplicationId != application {
		return refusal.FieldInvalid.At("fund_decision")
	}
	var terms *pb.OfferTerms
	if decision.Verdict == pb.FundVerdict_FUND_VERDICT_APPROVE {
		read, err := ReadOffer(decision.Offer, application, b.client.Party())
		if err != nil {
			return err
		}
		terms = read
	}
	b.update(application, func(known *Case) { // a new round: what was decided before holds no longer
		known.FundDecision, known.Terms, known.Joint, known.Approved = decision, terms, nil, false
	})
	return nil
}

func (b *Bank) learnJointDecision(application string, joint *pb.JointDecision) error {
	if joint == nil || joint.ApplicationId != application {
		return refusal.FieldInvalid.At("joint_decision")
	}
	verified, err := VerifyJointDecision(joint, b.client.Directory(), b.client.Party())
	if err != nil {
		return err
	}
	b.update(application, func(known *Case) {
		known.Joint, known.Approved, known.Terms = joint, verified.Approved, verified.Terms
	})
	return nil
}

// withoutConsent gives the values that may be kept when a consent is withdrawn: none of its person, and the address goes with
// the borrower, who is the first.
func (known *Case) withoutConsent(id string) personal.Values {
	kept := personal.Values{}
	for path, value := range known.Values {
		kept[path] = value
	}
	for _, consent := range known.Application.GetConsents() {
		if consent.ConsentId != id || consent.Purpose != pb.ConsentPurpose_CONSENT_PURPOSE_SHARE {
			continue
		}
		person := int(consent.Person)
		for _, path := range []string{personal.PathName(person), personal.PathIDNumber(person), personal.PathMobile(person)} {
			delete(kept, path)
		}
		if person == 0 {
			delete(kept, personal.PathAddress)
			delete(kept, personal.PathAccount)
		}
	}
	return kept
}

// answer sends what an event asks for.
func (b *Bank) answer(ctx context.Context, opened *envelope.Message) error {
	event := opened.Body.(*pb.Event)
	known, _ := b.Case(event.ApplicationId)
	purpose := fmt.Sprintf("event %d", opened.Header.Sequence)
	options := client.Options{ApplicationID: event.ApplicationId}
	switch event.Kind {
	case pb.EventKind_EVENT_KIND_APPLICATION:
		results, err := b.core.Verify(known.Application, known.Values)
		if err != nil {
			return err
		}
		return b.tell(ctx, purpose, contract.ReportVerifications, &pb.VerificationReport{Results: results}, options)
	case pb.EventKind_EVENT_KIND_FUND_DECISION:
		if known.Terms.GetCommercial().GetAmountFen() == 0 {
			return nil // nothing to decide: a JOINT_DECISION follows, or the fund decides anew
		}
		decision, err := b.core.Decide(known.Terms, known.Application)
		if err != nil {
			return err
		}
		decision.OfferVersion = known.Terms.Version
		decision.TermsDigest = known.FundDecision.Offer.TermsDigest
		decision.BankEpoch = known.Terms.BankEpoch
		return b.tell(ctx, purpose, contract.ReportBankDecision, decision, options)
	default:
		return nil
	}
}

// tell sends an answer to an event. The event may be taken over again after a crash: then the centre may have it already.
func (b *Bank) tell(ctx context.Context, purpose string, method contract.Method, body proto.Message, options client.Options) error {
	_, err := b.Send(ctx, purpose, method, body, options)
	if errors.Is(err, refusal.StateConflict) || errors.Is(err, refusal.StaleEpoch) {
		return nil
	}
	return err
}
