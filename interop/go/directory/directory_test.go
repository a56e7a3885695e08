package directory_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

// Covers: COL-KEY-006, COL-KEY-007, COL-KEY-009, COL-KEY-010
func TestLoad(t *testing.T) {
	scheme := centretest.NewScheme(t)
	body := func(*pb.KeyDirectory) {}
	header := func(*pb.SignedHeader) {}
	key := func(change func(*pb.Key)) func(*pb.KeyDirectory) {
		return func(listed *pb.KeyDirectory) { change(listed.Keys[0]) }
	}
	for _, row := range []struct {
		name   string
		reason refusal.Reason
		body   func(*pb.KeyDirectory)
		header func(*pb.SignedHeader)
	}{
		{"as it should be", "", body, header},
		{"another environment in the header", refusal.EnvironmentWrong, body, func(h *pb.SignedHeader) { h.Environment = "prod" }},
		{"another recipient", refusal.RecipientWrong, body, func(h *pb.SignedHeader) { h.Recipient = centretest.BankParty }},
		{"another method", refusal.MethodWrong, body, func(h *pb.SignedHeader) { h.Method = "x" }},
		{"another direction", refusal.DirectionWrong, body, func(h *pb.SignedHeader) { h.Direction = pb.Direction_DIRECTION_REPLY }},
		{"a bad id", refusal.MessageIDInvalid, body, func(h *pb.SignedHeader) { h.MessageId = nil }},
		{"an answer", refusal.InReplyToWrong, body, func(h *pb.SignedHeader) { h.InReplyTo = make([]byte, 32) }},
		{"an end", refusal.LifetimeWrong, body, func(h *pb.SignedHeader) { h.ExpiresMs = 1 }},
		{"another number in the header", refusal.SequenceWrong, body, func(h *pb.SignedHeader) { h.Sequence++ }},
		{"issued at another time", refusal.DirectoryInvalid, body, func(h *pb.SignedHeader) { h.CreatedMs++ }},
		{"another environment", refusal.EnvironmentWrong, func(d *pb.KeyDirectory) { d.Environment = "prod" }, header},
		{"no keys", refusal.DirectoryInvalid, func(d *pb.KeyDirectory) { d.Keys = nil }, header},
		{"a key twice", refusal.DirectoryInvalid, func(d *pb.KeyDirectory) { d.Keys = append(d.Keys, d.Keys[0]) }, header},
		{"a key of another environment", refusal.EnvironmentWrong, key(func(k *pb.Key) { k.Environment = "prod" }), header},
		{"a key of no party", refusal.DirectoryInvalid, key(func(k *pb.Key) { k.Party = "x" }), header},
		{"a key of another algorithm", refusal.DirectoryInvalid, key(func(k *pb.Key) { k.Algorithm = 2 }), header},
		{"a key without a purpose", refusal.DirectoryInvalid, key(func(k *pb.Key) { k.Purpose = 0 }), header},
		{"a key without a status", refusal.DirectoryInvalid, key(func(k *pb.Key) { k.Status = 0 }), header},
		{"a key that is never valid", refusal.DirectoryInvalid, key(func(k *pb.Key) { k.ValidUntilMs = k.ValidFromMs }), header},
		{"a weak key", refusal.KeyWeak, key(func(k *pb.Key) { k.PublicKey = make([]byte, 32) }), header},
		{"another party's proof", refusal.KeyPossession, key(func(k *pb.Key) { k.Party = "bank:x" }), header},
	} {
		t.Run(row.name, func(t *testing.T) {
			listed := &pb.KeyDirectory{Number: 2, Environment: centretest.Environment, IssuedMs: time.Now().UnixMilli()}
			for _, one := range scheme.Listed {
				listed.Keys = append(listed.Keys, proto.Clone(one).(*pb.Key))
			}
			row.body(listed)
			_, err := directory.Load(scheme.IssueAs(t, listed, row.header), scheme.Trust, 1)
			if row.reason == "" && err != nil || row.reason != "" && !errors.Is(err, row.reason) {
				t.Errorf("got %v, not %q", err, row.reason)
			}
		})
	}
}

func TestNewerOnly(t *testing.T) {
	scheme := centretest.NewScheme(t)
	for held, reason := range map[uint64]refusal.Reason{4: "", 5: refusal.SequenceWrong, 6: refusal.SequenceWrong} {
		_, err := directory.Load(scheme.Issue(t, 5, scheme.Listed), scheme.Trust, held)
		if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
			t.Errorf("over %d: got %v, not %q", held, err, reason)
		}
	}
}

func TestCandidates(t *testing.T) {
	scheme := centretest.NewScheme(t)
	witness := centretest.Entry(t, centretest.NewSigner(t, centretest.BankParty))
	witness.Purpose = pb.KeyPurpose_KEY_PURPOSE_WITNESS
	loaded, err := directory.Load(scheme.Issue(t, 2, append(scheme.Listed, witness)), scheme.Trust, 1)
	if err != nil {
		t.Fatal(err)
	}
	found := loaded.Candidates(centretest.BankParty)
	if len(found) != 1 || found[0].PublicKey != scheme.Signers[centretest.BankParty].PublicKey() || len(loaded.Candidates("bank:x")) != 0 {
		t.Errorf("got %v", found)
	}
}
