package personal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

// conceal commits to three values of an application with one person and gives its fields.
func conceal(t *testing.T) (Commitments, []*pb.Disclosure) {
	t.Helper()
	person, home := &pb.Person{}, &pb.Home{}
	disclosures := []*pb.Disclosure{}
	for _, field := range []struct {
		path, text string
		into       *[]byte
	}{
		{PathName(0), "测试甲", &person.Name},
		{PathIDNumber(0), "990101199603150019", &person.IdNumber},
		{PathAddress, "测试路1号", &home.Address},
	} {
		commitment, disclosure, err := Conceal(field.path, field.text)
		if err != nil {
			t.Fatal(err)
		}
		*field.into = commitment
		disclosures = append(disclosures, disclosure)
	}
	fields, err := Fields(&pb.Application{Persons: []*pb.Person{person}, Home: home})
	if err != nil {
		t.Fatal(err)
	}
	return fields, disclosures
}

// Covers: COL-PER-001
func TestCommitment(t *testing.T) {
	// SHA-256("coloan field v1" || 00000001 "p" || 00000010 salt || 00000001 "v"), computed with sha256sum
	got := Commit("p", bytes.Repeat([]byte{7}, 16), []byte("v"))
	if hex.EncodeToString(got) != "d1ec32e968bd07b8c8b4ffef3724a99d822f1c3ccd07cd1f02aa514d0ac01028" {
		t.Errorf("it is %x", got)
	}
}

// Covers: COL-PER-002, COL-PER-003, COL-PER-004, COL-PER-005
func TestReveal(t *testing.T) {
	rows := []struct {
		name   string
		reason refusal.Reason
		spoil  func([]*pb.Disclosure) []*pb.Disclosure
	}{
		{"as they are", "", func(all []*pb.Disclosure) []*pb.Disclosure { return all }},
		{"one missing", refusal.DisclosureMissing, func(all []*pb.Disclosure) []*pb.Disclosure { return all[1:] }},
		{"another value", refusal.DisclosureMismatch, func(all []*pb.Disclosure) []*pb.Disclosure {
			all[0].Value = []byte("乙")
			return all
		}},
		{"another salt", refusal.DisclosureMismatch, func(all []*pb.Disclosure) []*pb.Disclosure {
			all[0].Salt = make([]byte, 16)
			return all
		}},
		{"a short salt", refusal.DisclosureMismatch, func(all []*pb.Disclosure) []*pb.Disclosure {
			all[0].Salt = all[0].Salt[1:]
			return all
		}},
		{"an empty value", refusal.DisclosureMismatch, func(all []*pb.Disclosure) []*pb.Disclosure {
			all[0].Value = nil
			return all
		}},
		{"paths swapped", refusal.DisclosureMismatch, func(all []*pb.Disclosure) []*pb.Disclosure {
			all[0].Path, all[1].Path = all[1].Path, all[0].Path
			return all
		}},
		{"one twice", refusal.DisclosureUnexpected, func(all []*pb.Disclosure) []*pb.Disclosure { return append(all, all[0]) }},
		{"a path that is not there", refusal.DisclosureUnexpected, func(all []*pb.Disclosure) []*pb.Disclosure {
			more := proto.Clone(all[0]).(*pb.Disclosure)
			more.Path = PathName(2)
			return append(all, more)
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			fields, disclosures := conceal(t)
			values, err := RevealAll(fields, row.spoil(disclosures))
			expect(t, row.reason, err)
			if row.reason == "" && values[PathName(0)] != "测试甲" {
				t.Errorf("the values are not those that were concealed")
			}
		})
	}
}

// Covers: COL-PER-006
func TestEventsMayLeaveValuesOut(t *testing.T) {
	fields, disclosures := conceal(t)
	values, err := Reveal(fields, disclosures[:1])
	expect(t, "", err)
	if len(values) != 1 {
		t.Errorf("%d values", len(values))
	}
	disclosures[0].Value = []byte("乙")
	_, err = Reveal(fields, disclosures[:1])
	expect(t, refusal.DisclosureMismatch, err)
}

func TestSaltTwice(t *testing.T) {
	salt := bytes.Repeat([]byte{7}, 16)
	fields := Commitments{"a": Commit("a", salt, []byte("1")), "b": Commit("b", salt, []byte("2"))}
	_, err := Reveal(fields, []*pb.Disclosure{{Path: "a", Salt: salt, Value: []byte("1")}, {Path: "b", Salt: salt, Value: []byte("2")}})
	expect(t, refusal.DisclosureMismatch, err)
}

func TestFieldsHaveThirtyTwoBytes(t *testing.T) {
	_, err := Fields(&pb.Application{Persons: []*pb.Person{{Name: make([]byte, 31)}}})
	expect(t, refusal.FieldInvalid, err)
	fields, err := Fields(&pb.Application{Persons: []*pb.Person{{Name: make([]byte, 32)}}, Account: make([]byte, 32)})
	expect(t, "", err)
	if len(fields) != 2 {
		t.Errorf("%d fields", len(fields))
	}
}

func TestValues(t *testing.T) {
	for text, reason := range map[string]refusal.Reason{
		strings.Repeat("x", 256): "", strings.Repeat("x", 257): refusal.FieldInvalid, "": refusal.FieldInvalid, "a\nb": refusal.FieldInvalid,
	} {
		_, _, err := Conceal(PathName(0), text)
		expect(t, reason, err)
	}
}

func expect(t *testing.T, reason refusal.Reason, err error) {
	t.Helper()
	if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
		t.Errorf("got %v, not %q", err, reason)
	}
}
