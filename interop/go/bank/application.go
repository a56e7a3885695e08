package bank

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

// PersonValues are what is personal about one person of an application.
type PersonValues struct{ Name, IDNumber, Mobile string }

// PersonalValues are what stands beside an application and not in it.
type PersonalValues struct {
	Persons []PersonValues // as many as the application has
	Address string
}

// Conceal gives the application with commitments in the place of its personal values, and the disclosures that travel beside it.
func Conceal(plain *pb.Application, values PersonalValues) (*pb.Application, []*pb.Disclosure, error) {
	if len(values.Persons) != len(plain.Persons) || len(plain.Persons) > limits.Persons || plain.Home == nil {
		return nil, nil, refusal.FieldInvalid.At("persons")
	}
	application := proto.Clone(plain).(*pb.Application)
	type field struct {
		path, text string
		into       *[]byte
	}
	fields := []field{{personal.PathAddress, values.Address, &application.Home.Address}}
	for i, person := range application.Persons {
		fields = append(fields,
			field{personal.PathName(i), values.Persons[i].Name, &person.Name},
			field{personal.PathIDNumber(i), values.Persons[i].IDNumber, &person.IdNumber},
			field{personal.PathMobile(i), values.Persons[i].Mobile, &person.Mobile})
	}
	disclosures := make([]*pb.Disclosure, 0, len(fields))
	for _, field := range fields {
		commitment, disclosure, err := personal.Conceal(field.path, field.text)
		if err != nil {
			return nil, nil, err
		}
		*field.into = commitment
		disclosures = append(disclosures, disclosure)
	}
	return application, disclosures, nil
}

// Consents are the four that each person of a submission gives: the letter is what the person signed.
func Consents(persons int, centre, bank string, until time.Time, letterSHA256 []byte, prefix string) []*pb.Consent {
	wanted := []struct {
		purpose  pb.ConsentPurpose
		receiver string
	}{
		{pb.ConsentPurpose_CONSENT_PURPOSE_VERIFY, centre},
		{pb.ConsentPurpose_CONSENT_PURPOSE_CREDIT_REPORT, centre},
		{pb.ConsentPurpose_CONSENT_PURPOSE_CREDIT_REPORT, bank},
		{pb.ConsentPurpose_CONSENT_PURPOSE_SHARE, bank},
	}
	var consents []*pb.Consent
	for person := 0; person < persons; person++ {
		for i, one := range wanted {
			consents = append(consents, &pb.Consent{
				ConsentId:      fmt.Sprintf("%s-%d-%d", prefix, person, i),
				Person:         uint32(person),
				Purpose:        one.purpose,
				Receiver:       one.receiver,
				UntilMs:        until.UnixMilli(),
				DocumentSha256: letterSHA256,
			})
		}
	}
	return consents
}
