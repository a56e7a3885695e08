package bank

import (
	"bytes"
	"crypto/sha256"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/wire"
)

const termsDomain = "coloan terms v1\n"

// -- Offers --------------------------------------------------------------------------------------------------------

// ReadOffer checks an offer before anybody decides on it: its digest, its sums, and that it is made to this bank.
func ReadOffer(offer *pb.Offer, application, bank string) (*pb.OfferTerms, error) {
	if offer == nil {
		return nil, refusal.FieldMissing.At("offer")
	}
	digest := sha256.Sum256(append([]byte(termsDomain), offer.Terms...))
	if !bytes.Equal(offer.TermsDigest, digest[:]) {
		return nil, refusal.TermsDigestWrong
	}
	terms := &pb.OfferTerms{}
	if err := wire.Decode(offer.Terms, terms); err != nil {
		return nil, err
	}
	if terms.ApplicationId != application || terms.Bank != bank || terms.Version == 0 {
		return nil, refusal.FieldInvalid.At("offer.terms")
	}
	if terms.Fund == nil || terms.Commercial == nil {
		return nil, refusal.FieldMissing.At("offer.terms")
	}
	if terms.PriceFen-terms.Fund.AmountFen-terms.Commercial.AmountFen != terms.DownPaymentFen {
		return nil, refusal.AmountInvalid.At("down_payment_fen")
	}
	for _, part := range []*pb.LoanPart{terms.Fund, terms.Commercial} {
		if err := checkInstalment(part); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

func checkInstalment(part *pb.LoanPart) error {
	if part.AmountFen == 0 {
		return nil // nothing is lent, and no method has to be named
	}
	instalment, err := InstalmentFen(part)
	if err != nil {
		return err
	}
	if part.InstalmentFen != instalment {
		return refusal.AmountInvalid.At("instalment_fen")
	}
	return nil
}

// -- Submissions ---------------------------------------------------------------------------------------------------

// Submission is an application as somebody signed it, with the values that its persons let this bank see.
type Submission struct {
	Application *pb.Application
	Values      personal.Values
	Digest      envelope.Digest
	Sender      string
}

// ReadSubmission checks the submission in an APPLICATION event. It names the bank of its time: after a change of bank that is
// another one, and only the status names this one.
func ReadSubmission(event *pb.Event, disclosures []*pb.Disclosure, known *directory.Directory, bank string) (*Submission, error) {
	kept, err := envelope.OpenKept(event.ApplicationEnvelope, known, &pb.Application{})
	if err != nil {
		return nil, err
	}
	if kept.Header.Recipient != known.Trust.Centre {
		return nil, refusal.RecipientWrong
	}
	if method := kept.Header.Method; method != contract.SubmitApplication.Name && method != contract.SupplementApplication.Name {
		return nil, refusal.MethodWrong
	}
	application := kept.Body.(*pb.Application)
	status := event.GetStatus()
	if status.GetBank() != bank || status.GetBankEpoch() <= 1 && application.Bank != bank {
		return nil, refusal.BankUnknown
	}
	fields, err := personal.Fields(application)
	if err != nil {
		return nil, err
	}
	values, err := personal.Reveal(fields, disclosures)
	if err != nil {
		return nil, err
	}
	return &Submission{Application: application, Values: values, Digest: kept.Digest, Sender: kept.Header.Sender}, nil
}

// -- Joint decisions -----------------------------------------------------------------------------------------------

// agreement is what both sides must have said for an outcome.
type agreement struct {
	approved bool
	fund     pb.FundVerdict
	bank     pb.BankVerdict // UNSPECIFIED when it was reached without the bank
}

var agreements = map[pb.Outcome]agreement{
	pb.Outcome_OUTCOME_APPROVED_COMBINED: {
		approved: true, fund: pb.FundVerdict_FUND_VERDICT_APPROVE, bank: pb.BankVerdict_BANK_VERDICT_APPROVE},
	pb.Outcome_OUTCOME_APPROVED_FUND_ONLY: {
		approved: true, fund: pb.FundVerdict_FUND_VERDICT_APPROVE},
	pb.Outcome_OUTCOME_REJECTED_FUND: {
		fund: pb.FundVerdict_FUND_VERDICT_REJECT},
	pb.Outcome_OUTCOME_DECLINED_BANK: {
		fund: pb.FundVerdict_FUND_VERDICT_APPROVE, bank: pb.BankVerdict_BANK_VERDICT_DECLINE},
}

// Verified is a joint decision of which everything has been checked.
type Verified struct {
	Approved bool
	Terms    *pb.OfferTerms // nil when the fund made no offer
}

// VerifyJointDecision is what anybody who holds the directory can do, without the centre: both signatures, and that both mean
// the same terms.
func VerifyJointDecision(joint *pb.JointDecision, known *directory.Directory, bank string) (*Verified, error) {
	agreed, declared := agreements[joint.Outcome]
	if !declared {
		return nil, refusal.FieldInvalid.At("outcome")
	}
	fund, err := openFundSide(joint, known, bank)
	if err != nil {
		return nil, err
	}
	if fund.Verdict != agreed.fund {
		return nil, refusal.FieldInvalid.At("fund_envelope")
	}
	verified := &Verified{Approved: agreed.approved}
	if fund.Verdict == pb.FundVerdict_FUND_VERDICT_APPROVE {
		if verified.Terms, err = ReadOffer(fund.Offer, joint.ApplicationId, bank); err != nil {
			return nil, err
		}
	}
	if err := checkBankSide(joint, agreed, fund.Offer, verified.Terms, known, bank); err != nil {
		return nil, err
	}
	return verified, checkTerms(joint, agreed, fund.Offer, verified.Terms)
}

func openFundSide(joint *pb.JointDecision, known *directory.Directory, bank string) (*pb.FundDecision, error) {
	kept, err := envelope.OpenKept(joint.FundEnvelope, known, &pb.Event{})
	if err != nil {
		return nil, err
	}
	if kept.Header.Sender != known.Trust.Centre {
		return nil, refusal.SenderWrong
	}
	if kept.Header.Recipient != bank || kept.Header.Method != contract.Deliver {
		return nil, refusal.RecipientWrong
	}
	decision := kept.Body.(*pb.Event).FundDecision
	if decision == nil || decision.ApplicationId != joint.ApplicationId {
		return nil, refusal.FieldInvalid.At("fund_envelope")
	}
	return decision, nil
}

// checkBankSide: the bank's own decision is there exactly when the outcome needs it, and names the terms that the fund offered.
func checkBankSide(joint *pb.JointDecision, agreed agreement, offer *pb.Offer, terms *pb.OfferTerms, known *directory.Directory,
	bank string) error {
	needed := agreed.bank != pb.BankVerdict_BANK_VERDICT_UNSPECIFIED
	if (len(joint.BankEnvelope) > 0) != needed {
		return refusal.FieldMissing.At("bank_envelope")
	}
	if !needed {
		return nil
	}
	kept, err := envelope.OpenKept(joint.BankEnvelope, known, &pb.BankDecision{})
	if err != nil {
		return err
	}
	decision := kept.Body.(*pb.BankDecision)
	switch {
	case kept.Header.Sender != bank:
		return refusal.SenderWrong
	case kept.Header.Recipient != known.Trust.Centre:
		return refusal.RecipientWrong
	case kept.Header.Method != contract.ReportBankDecision.Name:
		return refusal.MethodWrong
	case kept.Header.ApplicationId != joint.ApplicationId || decision.Verdict != agreed.bank:
		return refusal.FieldInvalid.At("bank_envelope")
	case !bytes.Equal(decision.TermsDigest, offer.TermsDigest):
		return refusal.TermsDigestWrong
	case decision.OfferVersion != terms.Version || decision.BankEpoch != terms.BankEpoch:
		return refusal.OfferStale
	default:
		return nil
	}
}

// checkTerms: an approval names the terms that were offered, and was reached with the bank exactly when the bank lends.
func checkTerms(joint *pb.JointDecision, agreed agreement, offer *pb.Offer, terms *pb.OfferTerms) error {
	if !agreed.approved {
		if len(joint.TermsDigest) > 0 {
			return refusal.TermsDigestWrong
		}
		return nil
	}
	if !bytes.Equal(joint.TermsDigest, offer.TermsDigest) {
		return refusal.TermsDigestWrong
	}
	byBank := agreed.bank != pb.BankVerdict_BANK_VERDICT_UNSPECIFIED
	if byBank != (terms.Commercial.AmountFen > 0) {
		return refusal.AmountInvalid.At("commercial")
	}
	return nil
}
