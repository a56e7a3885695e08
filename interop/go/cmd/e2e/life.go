package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

const year = 365 * 24 * time.Hour

// -- Meeting the centre --------------------------------------------------------------------------------------------

func (w *world) meeting() []step {
	return []step{
		{"GetCapabilities names the centre and its environment", func(ctx context.Context) error {
			capabilities, err := client.Call[*pb.Capabilities](ctx, w.main.client, contract.GetCapabilities, &pb.CapabilitiesQuery{},
				client.Options{})
			if err != nil {
				return err
			}
			return first(
				equal("the party", capabilities.Party, w.centre),
				equal("the environment", capabilities.Environment, w.environment),
				equal("the oldest version", capabilities.SpecVersionMin, envelope.SpecVersion), // a window of one version so far
				equal("the newest version", capabilities.SpecVersionMax, envelope.SpecVersion))
		}},
		{"GetKeys gives the directory that is held, or a newer one", func(ctx context.Context) error {
			answer, err := client.Call[*pb.KeysAnswer](ctx, w.main.client, contract.Keys, &pb.KeysQuery{}, client.Options{})
			if err != nil {
				return err
			}
			given, err := directory.Load(answer.Directory, w.directory.Trust, w.directory.Number-1)
			if err != nil {
				return err
			}
			return equal("the number", given.Number, answer.Number)
		}},
	}
}

// freshKey makes a key and its entry of a directory, with its proof of possession.
func freshKey(party, environment string) (*pb.Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := keys.NewSigner(party, private)
	if err != nil {
		return nil, err
	}
	possession, err := signer.ProvePossession(environment)
	return &pb.Key{
		Party:        party,
		Purpose:      pb.KeyPurpose_KEY_PURPOSE_SIGN,
		Environment:  environment,
		Algorithm:    pb.KeyAlgorithm_KEY_ALGORITHM_ED25519,
		PublicKey:    signer.PublicKey().Bytes(),
		ValidFromMs:  time.Now().UnixMilli(),
		ValidUntilMs: time.Now().Add(year).UnixMilli(),
		Status:       pb.KeyStatus_KEY_STATUS_ACTIVE,
		Possession:   possession,
	}, err
}

func (w *world) rotate(ctx context.Context, key *pb.Key) (*pb.KeyRotationReceipt, error) {
	rotation := &pb.KeyRotation{NewKey: key, Reason: pb.RotationReason_ROTATION_REASON_SCHEDULED}
	return client.Call[*pb.KeyRotationReceipt](ctx, w.main.client, contract.RotateKey, rotation, client.Options{})
}

func (w *world) rotation() []step {
	var ours *pb.Key
	return []step{
		{"another party's key is KEY_NOT_OWNED", func(ctx context.Context) error {
			key, err := freshKey(w.other, w.environment)
			if err != nil {
				return err
			}
			_, err = w.rotate(ctx, key)
			return refused(refusal.KeyNotOwned, err)
		}},
		{"a key that nobody proves to hold is KEY_POSSESSION", func(ctx context.Context) error {
			key, err := freshKey(w.bank, w.environment)
			if err != nil {
				return err
			}
			key.Possession = bytes.Repeat([]byte{1}, ed25519.SignatureSize)
			_, err = w.rotate(ctx, key)
			return refused(refusal.KeyPossession, err)
		}},
		{"a new key of ours waits for the next directory", func(ctx context.Context) error {
			key, err := freshKey(w.bank, w.environment)
			if err != nil {
				return err
			}
			ours = key
			receipt, err := w.rotate(ctx, ours)
			if err != nil {
				return err
			}
			return first(
				equal("the state", receipt.State, pb.RotationState_ROTATION_STATE_PENDING),
				equal("the directory in force", receipt.Number, w.main.client.Directory().Number))
		}},
		{"the same key again is KEY_KNOWN", func(ctx context.Context) error {
			_, err := w.rotate(ctx, ours)
			return refused(refusal.KeyKnown, err)
		}},
	}
}

// -- The life of an application ------------------------------------------------------------------------------------

func (w *world) life() []step {
	var (
		application *pb.Application
		disclosures []*pb.Disclosure
		sealed      *envelope.Sealed
	)
	known := func() bank.Case {
		known, _ := w.main.bank.Case(w.open)
		return known
	}
	return []step{
		{"the stream opens with a heartbeat", func(ctx context.Context) error {
			return until(ctx, "a heartbeat", func() bool { count, _ := w.heartbeats.read(); return count > 0 })
		}},
		{"an application is accepted", func(ctx context.Context) (err error) {
			application, disclosures, err = w.approved.submission(w.centre, w.bank, "approve")
			if err != nil {
				return err
			}
			sealed, err = w.main.client.Seal(contract.SubmitApplication.Name, application, client.Options{Disclosures: disclosures})
			if err != nil {
				return err
			}
			reply, err := w.main.client.Send(ctx, contract.SubmitApplication, sealed)
			if err != nil {
				return err
			}
			w.open = reply.Body.(*pb.ApplicationReceipt).ApplicationId
			return nil
		}},
		{"the same message again gets the same reply, byte for byte", func(ctx context.Context) error {
			once, err := w.main.client.SendOnce(ctx, contract.SubmitApplication, sealed)
			if err != nil {
				return err
			}
			again, err := w.main.client.SendOnce(ctx, contract.SubmitApplication, sealed)
			if err != nil {
				return err
			}
			return first(
				equal("the second reply", string(again.Bytes), string(once.Bytes)),
				equal("the application", again.Body.(*pb.ApplicationReceipt).ApplicationId, w.open))
		}},
		{"the same id with other bytes is MESSAGE_ID_REUSED", func(ctx context.Context) error {
			other := proto.Clone(application).(*pb.Application)
			other.ExternalRef += "x"
			options := client.Options{Disclosures: disclosures, MessageID: sealed.MessageID}
			return refusedSigned(refusal.MessageIDReused, w.sendOnce(ctx, w.main, contract.SubmitApplication, other, options))
		}},
		{"the APPLICATION event carries the submission and the values the consents allow", func(ctx context.Context) error {
			if err := until(ctx, "the event", func() bool { return known().Application != nil }); err != nil {
				return err
			}
			return first(
				equal("the digest of the submission", known().Digest, sealed.Digest),
				equal("the borrower's name", known().Values[personal.PathName(0)], w.approved.values.Persons[0].Name),
				equal("the number of values", len(known().Values), len(disclosures)))
		}},
		{"the FUND_DECISION event carries an offer", func(ctx context.Context) error {
			if err := until(ctx, "the event", func() bool { return known().Terms != nil }); err != nil {
				return err
			}
			terms := known().Terms
			say(fmt.Sprintf("fund %d yuan, commercial %d yuan", terms.Fund.AmountFen/100, terms.Commercial.AmountFen/100))
			return equal("the verdict", known().FundDecision.Verdict, pb.FundVerdict_FUND_VERDICT_APPROVE)
		}},
		{"the JOINT_DECISION event carries both signatures over the same terms", func(ctx context.Context) error {
			decided, err := w.main.decided(ctx, w.open)
			if err != nil {
				return err
			}
			return first(
				equal("the outcome", decided.Joint.Outcome, pb.Outcome_OUTCOME_APPROVED_COMBINED),
				equal("approved", decided.Approved, true))
		}},
		{"GetApplication says so, too", func(ctx context.Context) error {
			view, err := w.view(ctx)
			if err != nil {
				return err
			}
			return equal("the state", view.Status.State, pb.CaseState_CASE_STATE_APPROVED)
		}},
		{"ListApplications begins with it", func(ctx context.Context) error {
			list, err := client.Call[*pb.ApplicationList](ctx, w.main.client, contract.ListApplications,
				&pb.ApplicationListQuery{PageSize: 1}, client.Options{})
			if err != nil {
				return err
			}
			return first(
				equal("the length", len(list.Applications), 1),
				equal("the first", list.Applications[0].ApplicationId, w.open))
		}},
		{"QueryVerifications gives what the bank may see, and no more", func(ctx context.Context) error {
			return w.queryVerifications(ctx, application)
		}},
		{"QueryVerifications without the persons' consent is CONSENT_MISSING", func(ctx context.Context) error {
			_, err := client.Call[*pb.VerificationAnswer](ctx, w.main.client, contract.QueryVerifications,
				&pb.VerificationQuery{ConsentId: "x"}, client.Options{ApplicationID: w.open})
			return refused(refusal.ConsentMissing, err)
		}},
	}
}

// sendOnce seals and tries once.
func (w *world) sendOnce(ctx context.Context, p *party, method contract.Method, body proto.Message, options client.Options) error {
	sealed, err := p.client.Seal(method.Name, body, options)
	if err != nil {
		return err
	}
	_, err = p.client.SendOnce(ctx, method, sealed)
	return err
}

func (w *world) view(ctx context.Context) (*pb.ApplicationView, error) {
	return client.Call[*pb.ApplicationView](ctx, w.main.client, contract.GetApplication,
		&pb.ApplicationQuery{ApplicationId: w.open}, client.Options{ApplicationID: w.open})
}

func (w *world) queryVerifications(ctx context.Context, application *pb.Application) error {
	consent := ""
	for _, one := range application.Consents {
		if one.Purpose == pb.ConsentPurpose_CONSENT_PURPOSE_SHARE {
			consent = one.ConsentId
		}
	}
	answer, err := client.Call[*pb.VerificationAnswer](ctx, w.main.client, contract.QueryVerifications,
		&pb.VerificationQuery{ConsentId: consent}, client.Options{ApplicationID: w.open})
	if err != nil {
		return err
	}
	facts := map[pb.Item]string{}
	for _, result := range answer.Results {
		names := []string{}
		for _, fact := range result.Facts {
			names = append(names, fact.Name)
		}
		sort.Strings(names)
		facts[result.Item] = strings.Join(names, " ")
	}
	_, credit := facts[pb.Item_ITEM_CREDIT_FUND]
	verdict, contribution := facts[pb.Item_ITEM_CONTRIBUTION]
	return first(
		equal("what the contract tells", facts[pb.Item_ITEM_HOME_CONTRACT], "area_centi_m2 price_fen"),
		equal("the contribution's result is there", contribution, true),
		equal("what it tells but its verdict", verdict, ""),
		equal("the centre's credit report is there", credit, false))
}

// -- After the approval --------------------------------------------------------------------------------------------

// contracts goes on with the approved application until both contracts are signed, and takes them back: what would follow takes
// the register's time.
func (w *world) contracts() []step {
	var terms *pb.OfferTerms
	report := func(ctx context.Context, milestone *pb.Milestone) (*pb.ApplicationStatus, error) {
		milestone.BankEpoch = terms.BankEpoch
		milestone.HappenedMs = time.Now().UnixMilli()
		return w.main.bank.Report(ctx, w.open, milestone, nil)
	}
	signed := func(leg pb.Leg, state pb.CaseState) func(context.Context) error {
		return func(ctx context.Context) error {
			status, err := report(ctx, &pb.Milestone{Kind: pb.MilestoneKind_MILESTONE_KIND_SIGNED, Leg: leg, Reference: "C-" + leg.String()})
			if err != nil {
				return err
			}
			return equal("the state", status.State, state)
		}
	}
	return []step{
		{"the borrower confirms the terms that both have signed", func(ctx context.Context) error {
			decided, err := w.main.decided(ctx, w.open)
			if err != nil {
				return err
			}
			terms = decided.Terms
			paper := sha256.Sum256([]byte("the offer, accepted"))
			confirmation := &pb.OfferConfirmation{OfferVersion: terms.Version, TermsDigest: decided.Joint.TermsDigest, DocumentSha256: paper[:]}
			reply, err := w.main.bank.Send(ctx, "confirm "+w.open, contract.ConfirmOffer, confirmation, client.Options{ApplicationID: w.open})
			if err != nil {
				return err
			}
			return equal("the state", reply.Body.(*pb.ApplicationStatus).State, pb.CaseState_CASE_STATE_CONFIRMED)
		}},
		{"the fund's contract is signed", signed(pb.Leg_LEG_FUND, pb.CaseState_CASE_STATE_SIGNING)},
		{"the commercial contract is signed", signed(pb.Leg_LEG_COMMERCIAL, pb.CaseState_CASE_STATE_SIGNED)},
		{"a contract that is signed twice is STATE_CONFLICT", func(ctx context.Context) error {
			_, err := report(ctx, &pb.Milestone{Kind: pb.MilestoneKind_MILESTONE_KIND_SIGNED, Leg: pb.Leg_LEG_FUND, Reference: "C-again"})
			return refused(refusal.StateConflict, err)
		}},
		{"a leg that is paid before the mortgage is registered is STATE_CONFLICT", func(ctx context.Context) error {
			account, disclosure, err := personal.Conceal(personal.PathAccount, "990000000000001")
			if err != nil {
				return err
			}
			paid := &pb.Milestone{Kind: pb.MilestoneKind_MILESTONE_KIND_DISBURSED, Leg: pb.Leg_LEG_COMMERCIAL, BankEpoch: terms.BankEpoch,
				AmountFen: terms.Commercial.AmountFen, Reference: "P-1", HappenedMs: time.Now().UnixMilli(), Account: account}
			_, err = w.main.bank.Report(ctx, w.open, paid, []*pb.Disclosure{disclosure})
			return refused(refusal.StateConflict, err)
		}},
		{"both contracts are cancelled by agreement", func(ctx context.Context) error {
			status, err := report(ctx, &pb.Milestone{Kind: pb.MilestoneKind_MILESTONE_KIND_CANCELLED, Reference: "X-" + w.open})
			if err != nil {
				return err
			}
			w.open = ""
			return equal("the state", status.State, pb.CaseState_CASE_STATE_CANCELLED)
		}},
	}
}

func (w *world) otherEnds() []step {
	end := func(who persona, prefix string, check func(bank.Case) error) func(context.Context) error {
		return func(ctx context.Context) error {
			application, err := w.submit(ctx, w.main, who, prefix)
			if err != nil {
				return err
			}
			decided, err := w.main.decided(ctx, application)
			if err != nil {
				return err
			}
			return check(decided)
		}
	}
	return []step{
		{"a counter-offer leads to a second offer, which both sign", end(w.approved, "counter", func(decided bank.Case) error {
			return first(
				equal("the outcome", decided.Joint.Outcome, pb.Outcome_OUTCOME_APPROVED_COMBINED),
				equal("the version", decided.Terms.Version, 2))
		})},
		{"a bank's decline ends the case, signed by both", end(w.approved, "decline", func(decided bank.Case) error {
			return first(
				equal("the outcome", decided.Joint.Outcome, pb.Outcome_OUTCOME_DECLINED_BANK),
				equal("approved", decided.Approved, false))
		})},
		{"the fund's refusal ends the case without the bank", end(w.refused, "approve", func(decided bank.Case) error {
			return first(
				equal("the outcome", decided.Joint.Outcome, pb.Outcome_OUTCOME_REJECTED_FUND),
				equal("the bank's part", len(decided.Joint.BankEnvelope), 0),
				equal("there are reasons", len(decided.FundDecision.Reasons) > 0, true))
		})},
	}
}

// -- The stream ----------------------------------------------------------------------------------------------------

func (w *world) resuming() []step {
	return []step{
		{"after a cut the stream comes back and everything is acknowledged", func(ctx context.Context) error {
			before, _ := w.heartbeats.read()
			w.main.line.cut()
			return until(ctx, "a heartbeat that has all", func() bool {
				count, last := w.heartbeats.read()
				return count > before && last.ReceivedFloor == w.main.journal.Last()
			})
		}},
		{"events that came while the stream was cut are delivered, once", func(ctx context.Context) error {
			before := w.main.journal.Last()
			w.main.line.cut()
			application, err := w.submit(ctx, w.main, w.approved, "approve")
			if err != nil {
				return err
			}
			if _, err := w.main.decided(ctx, application); err != nil {
				return err
			}
			for i, event := range w.main.journal.After(before) {
				if err := equal("the next event", event.Sequence, before+1+uint64(i)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"an event that is asked for again is taken over once and acknowledged", func(ctx context.Context) error {
			return w.askAgain(ctx, w.main)
		}},
		{"the chain over all events is the same on both sides", func(ctx context.Context) error {
			query := &pb.ReconcileQuery{Sequences: []uint64{1, w.main.journal.Last()}}
			answer, err := client.Call[*pb.ReconcileAnswer](ctx, w.main.client, contract.Reconcile, query, client.Options{})
			if err != nil {
				return err
			}
			ours := chainOf(w.main)
			return first(
				equal("the last event", answer.Head.Sequence, w.main.journal.Last()),
				equal("the chain", string(answer.Head.Chain), string(ours)),
				equal("the mark", string(answer.Marks[1].Chain), string(ours)))
		}},
	}
}

// askAgain has the last event delivered once more, and waits until the centre has nothing left to deliver.
func (w *world) askAgain(ctx context.Context, p *party) error {
	last := p.journal.Last()
	before, _ := p.journal.Event(last)
	steering := &pb.EventSteering{Action: pb.SteeringAction_STEERING_ACTION_REPLAY, From: last, To: last, Note: "try it"}
	if _, err := client.Call[*pb.EventList](ctx, p.client, contract.SteerEvents, steering, client.Options{}); err != nil {
		return err
	}
	if err := w.delivered(ctx, p); err != nil {
		return err
	}
	after, _ := p.journal.Event(last)
	return first(
		equal("the last event", p.journal.Last(), last),
		equal("its reference", after.Reference, before.Reference))
}

// delivered waits until every event is acknowledged.
func (w *world) delivered(ctx context.Context, p *party) error {
	var failed error
	err := until(ctx, "the last acknowledgement", func() bool {
		list, err := client.Call[*pb.EventList](ctx, p.client, contract.ListEvents, &pb.EventListQuery{Limit: 10, Pending: true},
			client.Options{})
		failed = err
		return err != nil || len(list.Events) == 0
	})
	return first(failed, err) // an error ends the waiting, too
}

// chainOf computes what stands for all events of a journal (COL-DEL-029).
func chainOf(p *party) []byte {
	chain := make([]byte, sha256.Size)
	for _, event := range p.journal.After(0) {
		text := append([]byte("coloan events v1\n"), chain...)
		text = binary.BigEndian.AppendUint64(text, event.Sequence)
		next := sha256.Sum256(append(text, event.Digest[:]...))
		chain = next[:]
	}
	return chain
}
