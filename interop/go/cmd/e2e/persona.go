package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/personal"
)

// Nobody in these files is real; the simulated authorities know them.
//
//go:embed personas
var personas embed.FS

// persona is a household: its application, what is personal about it, and what the bank finds out.
type persona struct {
	application *pb.Application
	values      bank.PersonalValues
	incomeFen   int64
}

func readPersona(name string) (persona, error) {
	text, err := personas.ReadFile("personas/" + name + ".json")
	if err != nil {
		return persona{}, err
	}
	var content struct {
		Application json.RawMessage
		Persons     []struct {
			Name     string
			IDNumber string `json:"id_number"`
			Mobile   string
		}
		Address   string
		IncomeFen int64 `json:"income_fen"`
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return persona{}, err
	}
	p := persona{application: &pb.Application{}, incomeFen: content.IncomeFen}
	p.values.Address = content.Address
	for _, one := range content.Persons {
		p.values.Persons = append(p.values.Persons, bank.PersonValues(one))
	}
	return p, protojson.Unmarshal(content.Application, p.application)
}

// submission is an application of the persona that nobody has seen before, with its disclosures.
func (p persona) submission(centre, lender, prefix string) (*pb.Application, []*pb.Disclosure, error) {
	id, err := envelope.NewUUID(time.Now())
	if err != nil {
		return nil, nil, err
	}
	reference := prefix + "-" + hex.EncodeToString(id)
	letter := sha256.Sum256([]byte("letter"))
	plain := proto.Clone(p.application).(*pb.Application)
	plain.ExternalRef = reference
	plain.Bank = lender
	plain.Consents = bank.Consents(len(plain.Persons), centre, lender, time.Now().Add(24*time.Hour), letter[:], reference)
	return bank.Conceal(plain, p.values)
}

// core is the bank's own business, with the persona's answers.
type core struct{ incomeFen int64 }

// Verify gives of a credit report the conclusion only: the report itself is never shared.
func (c core) Verify(application *pb.Application, _ personal.Values) ([]*pb.VerificationResult, error) {
	now := time.Now().UnixMilli()
	results := []*pb.VerificationResult{{
		Item:          pb.Item_ITEM_INCOME,
		Outcome:       pb.ItemOutcome_ITEM_OUTCOME_PASS,
		ObservedMs:    now,
		SourceReceipt: "go-income",
		Facts:         []*pb.Fact{{Name: "monthly_fen", Number: c.incomeFen}},
	}}
	for person := range application.Persons {
		results = append(results, &pb.VerificationResult{
			Item:          pb.Item_ITEM_CREDIT_BANK,
			Person:        uint32(person),
			Outcome:       pb.ItemOutcome_ITEM_OUTCOME_PASS,
			ObservedMs:    now,
			SourceReceipt: fmt.Sprintf("go-credit-%d", person),
		})
	}
	return results, nil
}

const counterByFen = 4_000_000

// Decide approves, unless the reference of the application says otherwise.
func (core) Decide(terms *pb.OfferTerms, application *pb.Application) (*pb.BankDecision, error) {
	decision := &pb.BankDecision{
		Verdict:       pb.BankVerdict_BANK_VERDICT_APPROVE,
		BankReference: fmt.Sprintf("go-%d", terms.Version),
	}
	if strings.HasPrefix(application.ExternalRef, "decline") {
		decision.Verdict = pb.BankVerdict_BANK_VERDICT_DECLINE
	}
	if !strings.HasPrefix(application.ExternalRef, "counter") || terms.Version > 1 {
		return decision, nil
	}
	counter := proto.Clone(terms.Commercial).(*pb.LoanPart)
	counter.AmountFen -= counterByFen
	instalment, err := bank.InstalmentFen(counter)
	if err != nil {
		return nil, err
	}
	counter.InstalmentFen = instalment
	decision.Verdict, decision.Counter = pb.BankVerdict_BANK_VERDICT_COUNTER, counter
	return decision, nil
}
