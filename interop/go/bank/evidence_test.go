package bank_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

const caseID = "01900000-0000-7000-8000-000000000000"

func expect(t *testing.T, reason refusal.Reason, err error) {
	t.Helper()
	if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
		t.Errorf("got %v, not %q", err, reason)
	}
}

// terms are those of the specification's worked example.
func terms() *pb.OfferTerms {
	part := func(amountFen int64, ratePpm int32, instalmentFen int64) *pb.LoanPart {
		return &pb.LoanPart{AmountFen: amountFen, RatePpm: ratePpm, TermMonths: 360, InstalmentFen: instalmentFen,
			Method: pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_INSTALMENT}
	}
	return &pb.OfferTerms{ApplicationId: caseID, Version: 1, BankEpoch: 1, Bank: centretest.BankParty, PriceFen: 130_000_000,
		DownPaymentFen: 26_000_000, Fund: part(80_000_000, 26_000, 320_272), Commercial: part(24_000_000, 30_500, 101_833)}
}

func offer(t *testing.T, terms *pb.OfferTerms) *pb.Offer {
	t.Helper()
	bytes, err := proto.Marshal(terms)
	digest := sha256.Sum256(append([]byte("coloan terms v1\n"), centretest.Must(t, bytes, err)...))
	return &pb.Offer{Terms: bytes, TermsDigest: digest[:]}
}

// Covers: COL-OFR-001, COL-OFR-002, COL-OFR-003
func TestReadOffer(t *testing.T) {
	for name, row := range map[string]struct {
		reason refusal.Reason
		change func(*pb.OfferTerms)
	}{
		"as it should be":        {"", func(*pb.OfferTerms) {}},
		"the fund alone":         {"", func(terms *pb.OfferTerms) { terms.Commercial, terms.DownPaymentFen = &pb.LoanPart{}, 50_000_000 }},
		"another application":    {refusal.FieldInvalid, func(terms *pb.OfferTerms) { terms.ApplicationId = "b" }},
		"another bank":           {refusal.FieldInvalid, func(terms *pb.OfferTerms) { terms.Bank = centretest.OtherParty }},
		"no version":             {refusal.FieldInvalid, func(terms *pb.OfferTerms) { terms.Version = 0 }},
		"no commercial part":     {refusal.FieldMissing, func(terms *pb.OfferTerms) { terms.Commercial = nil }},
		"another sum":            {refusal.AmountInvalid, func(terms *pb.OfferTerms) { terms.DownPaymentFen++ }},
		"another instalment":     {refusal.AmountInvalid, func(terms *pb.OfferTerms) { terms.Fund.InstalmentFen++ }},
		"an unheard-of method":   {refusal.FieldInvalid, func(terms *pb.OfferTerms) { terms.Fund.Method = 0 }},
		"an amount below nought": {refusal.FieldInvalid, func(terms *pb.OfferTerms) { terms.Fund.AmountFen, terms.DownPaymentFen = -1, 106_000_001 }},
	} {
		t.Run(name, func(t *testing.T) {
			changed := terms()
			row.change(changed)
			_, err := bank.ReadOffer(offer(t, changed), caseID, centretest.BankParty)
			expect(t, row.reason, err)
		})
	}
	wrong := offer(t, terms())
	wrong.TermsDigest[0] ^= 1
	_, err := bank.ReadOffer(wrong, caseID, centretest.BankParty)
	expect(t, refusal.TermsDigestWrong, err)
	_, err = bank.ReadOffer(nil, caseID, centretest.BankParty)
	expect(t, refusal.FieldMissing, err)
}

// decided is a joint decision of a scheme, and how its parts are made anew.
type decided struct {
	t      *testing.T
	scheme *centretest.Scheme
	bank   *client.Client
}

func (d decided) fundSide(verdict pb.FundVerdict, offer *pb.Offer) []byte {
	d.t.Helper()
	event := &pb.Event{Kind: pb.EventKind_EVENT_KIND_FUND_DECISION, ApplicationId: caseID,
		FundDecision: &pb.FundDecision{ApplicationId: caseID, Verdict: verdict, Offer: offer}}
	return d.scheme.Event(d.t, 2, event).Envelope
}

func (d decided) bankSide(change func(*pb.BankDecision)) []byte {
	d.t.Helper()
	decision := &pb.BankDecision{OfferVersion: 1, BankEpoch: 1, TermsDigest: offer(d.t, terms()).TermsDigest,
		Verdict: pb.BankVerdict_BANK_VERDICT_APPROVE, BankReference: "ref"}
	change(decision)
	sealed, err := d.bank.Seal(contract.ReportBankDecision.Name, decision, client.Options{ApplicationID: caseID})
	return centretest.Must(d.t, sealed, err).Envelope
}

func (d decided) joint() *pb.JointDecision {
	return &pb.JointDecision{
		ApplicationId: caseID,
		Outcome:       pb.Outcome_OUTCOME_APPROVED_COMBINED,
		TermsDigest:   offer(d.t, terms()).TermsDigest,
		FundEnvelope:  d.fundSide(pb.FundVerdict_FUND_VERDICT_APPROVE, offer(d.t, terms())),
		BankEnvelope:  d.bankSide(func(*pb.BankDecision) {}),
	}
}

// flipped changes a bit of the signature, which stands before the 34 bytes of the key id.
func flipped(envelope []byte) []byte {
	changed := append([]byte(nil), envelope...)
	changed[len(changed)-35] ^= 1
	return changed
}

// Covers: COL-JNT-003, COL-JNT-004
func TestVerifyJointDecision(t *testing.T) {
	scheme := centretest.NewScheme(t)
	d := decided{t, scheme, client.New(nil, scheme.Signers[centretest.BankParty], scheme.Directory)}
	alone := terms()
	alone.Commercial, alone.DownPaymentFen = &pb.LoanPart{}, 50_000_000
	for name, row := range map[string]struct {
		reason refusal.Reason
		change func(*pb.JointDecision)
	}{
		"approved by both": {"", func(*pb.JointDecision) {}},
		"approved by the fund alone": {"", func(joint *pb.JointDecision) {
			joint.Outcome, joint.BankEnvelope = pb.Outcome_OUTCOME_APPROVED_FUND_ONLY, nil
			joint.FundEnvelope = d.fundSide(pb.FundVerdict_FUND_VERDICT_APPROVE, offer(t, alone))
			joint.TermsDigest = offer(t, alone).TermsDigest
		}},
		"refused by the fund": {"", func(joint *pb.JointDecision) {
			joint.Outcome, joint.BankEnvelope, joint.TermsDigest = pb.Outcome_OUTCOME_REJECTED_FUND, nil, nil
			joint.FundEnvelope = d.fundSide(pb.FundVerdict_FUND_VERDICT_REJECT, nil)
		}},
		"declined by the bank": {"", func(joint *pb.JointDecision) {
			joint.Outcome, joint.TermsDigest = pb.Outcome_OUTCOME_DECLINED_BANK, nil
			joint.BankEnvelope = d.bankSide(func(decision *pb.BankDecision) { decision.Verdict = pb.BankVerdict_BANK_VERDICT_DECLINE })
		}},

		"a forged fund side": {refusal.SignatureInvalid, func(joint *pb.JointDecision) { joint.FundEnvelope = flipped(joint.FundEnvelope) }},
		"no fund side":       {refusal.MessageEmpty, func(joint *pb.JointDecision) { joint.FundEnvelope = nil }},
		"no bank side":       {refusal.FieldMissing, func(joint *pb.JointDecision) { joint.BankEnvelope = nil }},
		"other terms":        {refusal.TermsDigestWrong, func(joint *pb.JointDecision) { joint.TermsDigest = make([]byte, 32) }},
		"the bank meant others": {refusal.TermsDigestWrong, func(joint *pb.JointDecision) {
			joint.BankEnvelope = d.bankSide(func(decision *pb.BankDecision) { decision.TermsDigest = make([]byte, 32) })
		}},
		"the bank meant another version": {refusal.OfferStale, func(joint *pb.JointDecision) {
			joint.BankEnvelope = d.bankSide(func(decision *pb.BankDecision) { decision.OfferVersion = 2 })
		}},
		"the bank meant another epoch": {refusal.OfferStale, func(joint *pb.JointDecision) {
			joint.BankEnvelope = d.bankSide(func(decision *pb.BankDecision) { decision.BankEpoch = 2 })
		}},
		"the bank said something else": {refusal.FieldInvalid, func(joint *pb.JointDecision) {
			joint.BankEnvelope = d.bankSide(func(decision *pb.BankDecision) { decision.Verdict = pb.BankVerdict_BANK_VERDICT_DECLINE })
		}},
		"the fund said something else": {refusal.FieldInvalid, func(joint *pb.JointDecision) {
			joint.FundEnvelope = d.fundSide(pb.FundVerdict_FUND_VERDICT_REJECT, nil)
		}},
		"another outcome":        {refusal.FieldInvalid, func(joint *pb.JointDecision) { joint.Outcome = pb.Outcome_OUTCOME_DECLINED_BANK }},
		"no outcome of these":    {refusal.FieldInvalid, func(joint *pb.JointDecision) { joint.Outcome = pb.Outcome_OUTCOME_PENDING }},
		"the fund alone, by two": {refusal.FieldMissing, func(joint *pb.JointDecision) { joint.Outcome = pb.Outcome_OUTCOME_APPROVED_FUND_ONLY }},
		"sides exchanged": {refusal.PayloadTypeWrong, func(joint *pb.JointDecision) {
			joint.FundEnvelope, joint.BankEnvelope = joint.BankEnvelope, joint.FundEnvelope
		}},
		"another application": {refusal.FieldInvalid, func(joint *pb.JointDecision) { joint.ApplicationId = "another" }},
		"alone, with a commercial part": {refusal.AmountInvalid, func(joint *pb.JointDecision) {
			joint.Outcome, joint.BankEnvelope = pb.Outcome_OUTCOME_APPROVED_FUND_ONLY, nil
		}},
		"refused, with terms": {refusal.TermsDigestWrong, func(joint *pb.JointDecision) {
			joint.Outcome, joint.BankEnvelope = pb.Outcome_OUTCOME_REJECTED_FUND, nil
			joint.FundEnvelope = d.fundSide(pb.FundVerdict_FUND_VERDICT_REJECT, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			joint := d.joint()
			row.change(joint)
			_, err := bank.VerifyJointDecision(joint, scheme.Directory, centretest.BankParty)
			expect(t, row.reason, err)
		})
	}
}
