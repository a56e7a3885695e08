// Package personal keeps personal values out of signed bytes: the body holds salted commitments, the values travel beside it
// (chapter 9).
package personal

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/wire"
)

const domain = "coloan field v1"

// Paths of what belongs to no person.
const (
	PathAddress = "home.address"
	PathAccount = "account"
)

// PathName, PathIDNumber and PathMobile are the paths of a person's values.
func PathName(person int) string     { return fmt.Sprintf("persons[%d].name", person) }
func PathIDNumber(person int) string { return fmt.Sprintf("persons[%d].id_number", person) }
func PathMobile(person int) string   { return fmt.Sprintf("persons[%d].mobile", person) }

// Commitments are the fields of a body that stand for values, by path.
type Commitments map[string][]byte

// Values are the texts that were revealed, by path. They are never logged.
type Values map[string]string

// Commit computes a commitment.
func Commit(path string, salt, value []byte) []byte {
	hash := sha256.New()
	hash.Write([]byte(domain)) // a hash never fails
	for _, part := range [][]byte{[]byte(path), salt, value} {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		hash.Write(length[:])
		hash.Write(part)
	}
	return hash.Sum(nil)
}

// Conceal commits to a text: the commitment goes into the body, the disclosure beside it. Every field has a salt of its own.
func Conceal(path, text string) ([]byte, *pb.Disclosure, error) {
	value := []byte(text)
	if !isValue(value) {
		return nil, nil, refusal.FieldInvalid.At(path)
	}
	salt := make([]byte, limits.SaltBytes)
	if _, err := rand.Read(salt); err != nil {
		return nil, nil, err
	}
	return Commit(path, salt, value), &pb.Disclosure{Path: path, Salt: salt, Value: value}, nil
}

func isValue(value []byte) bool {
	return len(value) >= 1 && len(value) <= limits.ValueBytes && wire.CheckText(value) == nil
}

// Fields gives the commitments of an application.
func Fields(application *pb.Application) (Commitments, error) {
	fields := Commitments{PathAccount: application.Account, PathAddress: application.GetHome().GetAddress()}
	for i, person := range application.Persons {
		fields[PathName(i)] = person.Name
		fields[PathIDNumber(i)] = person.IdNumber
		fields[PathMobile(i)] = person.Mobile
	}
	for path, commitment := range fields {
		switch len(commitment) {
		case sha256.Size:
		case 0:
			delete(fields, path) // not committed to
		default:
			return nil, refusal.FieldInvalid.At(path)
		}
	}
	return fields, nil
}

// Reveal checks disclosures against commitments: fewer may come, but no wrong one.
func Reveal(fields Commitments, disclosures []*pb.Disclosure) (Values, error) {
	values, salts := Values{}, map[string]bool{}
	for _, disclosure := range disclosures {
		commitment, committed := fields[disclosure.Path]
		if _, twice := values[disclosure.Path]; !committed || twice {
			return nil, refusal.DisclosureUnexpected
		}
		// A salt that is used twice would show that two fields are equal.
		if !fits(disclosure, commitment) || salts[string(disclosure.Salt)] {
			return nil, refusal.DisclosureMismatch
		}
		salts[string(disclosure.Salt)] = true
		values[disclosure.Path] = string(disclosure.Value)
	}
	return values, nil
}

func fits(disclosure *pb.Disclosure, commitment []byte) bool {
	if len(disclosure.Salt) != limits.SaltBytes || !isValue(disclosure.Value) {
		return false
	}
	return subtle.ConstantTimeCompare(Commit(disclosure.Path, disclosure.Salt, disclosure.Value), commitment) == 1
}

// RevealAll is Reveal for a request, in which no value may be missing.
func RevealAll(fields Commitments, disclosures []*pb.Disclosure) (Values, error) {
	values, err := Reveal(fields, disclosures)
	if err != nil {
		return nil, err
	}
	if len(values) != len(fields) {
		return nil, refusal.DisclosureMissing
	}
	return values, nil
}
