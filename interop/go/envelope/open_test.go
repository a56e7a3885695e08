package envelope_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/refusal"
)

func expect(t *testing.T, reason refusal.Reason, err error) {
	t.Helper()
	if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
		t.Errorf("got %v, not %q", err, reason)
	}
}

// ask is what a bank expects in answer to a question.
func ask(keyring envelope.Keyring, asked *envelope.Digest) envelope.Expected {
	return envelope.Expected{
		Keyring:   keyring,
		Sender:    centretest.CentreParty,
		Recipient: centretest.BankParty,
		Method:    contract.GetCapabilities.Name,
		Bodies:    []envelope.Body{{Message: &pb.Capabilities{}, Direction: pb.Direction_DIRECTION_REPLY}},
		InReplyTo: asked,
		Now:       time.Now(),
	}
}

// Covers: COL-HDR-001, COL-HDR-002, COL-HDR-006, COL-HDR-007, COL-HDR-008, COL-HDR-009, COL-TIM-001, COL-TIM-002, COL-TIM-004
func TestReplies(t *testing.T) {
	scheme := centretest.NewScheme(t)
	asked := envelope.Digest{1}
	other := envelope.Digest{2}
	for _, row := range []struct {
		name   string
		reason refusal.Reason
		change func(*pb.SignedHeader)
	}{
		{"as it should be", "", func(*pb.SignedHeader) {}},
		{"an old one", "", func(header *pb.SignedHeader) {
			header.CreatedMs = time.Now().Add(-24 * time.Hour).UnixMilli()
			header.ExpiresMs = header.CreatedMs + 1
		}},
		{"no message id", refusal.HeaderIncomplete, func(header *pb.SignedHeader) { header.MessageId = nil }},
		{"no time", refusal.HeaderIncomplete, func(header *pb.SignedHeader) { header.CreatedMs = 0 }},
		{"no digest", refusal.HeaderIncomplete, func(header *pb.SignedHeader) { header.InReplyTo = nil }},
		{"another environment", refusal.EnvironmentWrong, func(header *pb.SignedHeader) { header.Environment = "prod" }},
		{"another recipient", refusal.RecipientWrong, func(header *pb.SignedHeader) { header.Recipient = "bank:x" }},
		{"another method", refusal.MethodWrong, func(header *pb.SignedHeader) { header.Method = contract.GetKeys }},
		{"another direction", refusal.DirectionWrong, func(header *pb.SignedHeader) { header.Direction = pb.Direction_DIRECTION_ACK }},
		{"an id of another kind", refusal.MessageIDInvalid, func(header *pb.SignedHeader) { header.MessageId[6] = 0x40 }},
		{"the answer to another", refusal.InReplyToWrong, func(header *pb.SignedHeader) { header.InReplyTo = other[:] }},
		{"half a digest", refusal.InReplyToWrong, func(header *pb.SignedHeader) { header.InReplyTo = other[:16] }},
		{"a number", refusal.SequenceWrong, func(header *pb.SignedHeader) { header.Sequence = 1 }},
		{"made in an hour", refusal.CreatedInFuture, func(header *pb.SignedHeader) {
			header.CreatedMs = time.Now().Add(time.Hour).UnixMilli()
		}},
		{"no life", refusal.LifetimeWrong, func(header *pb.SignedHeader) { header.ExpiresMs = header.CreatedMs }},
		{"a long life", refusal.LifetimeWrong, func(header *pb.SignedHeader) { header.ExpiresMs = header.CreatedMs + 600_001 }},
		{"a life below zero", refusal.LifetimeWrong, func(header *pb.SignedHeader) { header.ExpiresMs = -1 << 63 }},
	} {
		t.Run(row.name, func(t *testing.T) {
			sealed := scheme.Say(t, &pb.Capabilities{Party: "x"}, func(header *pb.SignedHeader) {
				header.Method = contract.GetCapabilities.Name
				header.Direction = pb.Direction_DIRECTION_REPLY
				header.InReplyTo = asked[:]
				row.change(header)
			})
			opened, err := envelope.Open(sealed.Envelope, ask(scheme.Directory, &asked))
			expect(t, row.reason, err)
			if err == nil && (opened.Digest != sealed.Digest || opened.Body.(*pb.Capabilities).Party != "x") {
				t.Error("it is opened as another message")
			}
		})
	}
}

// events is what a bank expects on a stream.
func events(keyring envelope.Keyring) envelope.Expected {
	expected := ask(keyring, nil)
	expected.Method = contract.Deliver
	expected.Bodies = []envelope.Body{{Message: &pb.Event{}, Direction: pb.Direction_DIRECTION_EVENT}}
	return expected
}

// relisted is the scheme's directory with the centre's key as it became later.
func relisted(t *testing.T, scheme *centretest.Scheme, change func(*pb.Key)) *directory.Directory {
	t.Helper()
	listed := []*pb.Key{}
	for _, key := range scheme.Listed {
		key = proto.Clone(key).(*pb.Key)
		if key.Party == centretest.CentreParty {
			change(key)
		}
		listed = append(listed, key)
	}
	loaded, err := directory.Load(scheme.Issue(t, 2, listed), scheme.Trust, 1)
	return centretest.Must(t, loaded, err)
}

// Covers: COL-CHK-006, COL-CHK-007
func TestEventsAreJudgedByWhenTheyWereMade(t *testing.T) {
	scheme := centretest.NewScheme(t)
	event := scheme.Event(t, 1, &pb.Event{}).Envelope
	retired := relisted(t, scheme, func(key *pb.Key) { key.Status = pb.KeyStatus_KEY_STATUS_RETIRED })
	over := relisted(t, scheme, func(key *pb.Key) { key.ValidUntilMs = time.Now().Add(-time.Hour).UnixMilli() })
	for _, row := range []struct {
		keyring *directory.Directory
		reason  refusal.Reason
	}{{scheme.Directory, ""}, {retired, ""}, {over, refusal.KeyNotValid}} {
		_, err := envelope.Open(event, events(row.keyring))
		expect(t, row.reason, err)
		_, err = envelope.OpenKept(event, row.keyring, &pb.Event{})
		expect(t, row.reason, err)
	}
	reply := scheme.Reply(t, contract.GetCapabilities.Name, envelope.Digest{}, &pb.Capabilities{}).Envelope
	_, err := envelope.Open(reply, ask(retired, nil))
	expect(t, refusal.KeyNotValid, err)
}

// TestEverySignerOfAnEvent: of two signatures the second, too, has to be by a key that was in force.
func TestEverySignerOfAnEvent(t *testing.T) {
	scheme := centretest.NewScheme(t)
	second := centretest.NewSigner(t, centretest.CentreParty)
	entry := centretest.Entry(t, second)
	entry.ValidUntilMs = time.Now().Add(-time.Hour).UnixMilli()
	loaded, err := directory.Load(scheme.Issue(t, 2, append(scheme.Listed, entry)), scheme.Trust, 1)
	keyring := centretest.Must(t, loaded, err)
	content := &pb.Envelope{}
	if err := proto.Unmarshal(scheme.Event(t, 1, &pb.Event{}).Envelope, content); err != nil {
		t.Fatal(err)
	}
	content.Signatures = append(content.Signatures, signature(t, second, content))
	twice, err := proto.Marshal(content)
	_, err = envelope.Open(centretest.Must(t, twice, err), events(keyring))
	expect(t, refusal.KeyNotValid, err)
}

func signature(t *testing.T, signer *keys.Signer, content *pb.Envelope) *pb.Signature {
	t.Helper()
	sig, err := signer.Sign(envelope.PAE(content.PayloadType, content.Payload))
	return &pb.Signature{Sig: centretest.Must(t, sig, err), Keyid: signer.PublicKey().ID()}
}

// Covers: COL-ENV-011
func TestStoredFormHasNoValues(t *testing.T) {
	scheme := centretest.NewScheme(t)
	beside := &pb.Disclosure{Path: "persons[0].name", Salt: make([]byte, 16), Value: []byte("测试甲")}
	sealed := scheme.Event(t, 1, &pb.Event{}, beside)
	opened, err := envelope.Open(sealed.Envelope, events(scheme.Directory))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := envelope.Stored(opened.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := envelope.OpenKept(stored, scheme.Directory, &pb.Event{})
	if err != nil || kept.Digest != sealed.Digest || len(kept.Disclosures) != 0 {
		t.Errorf("got %v, %v", kept, err)
	}
}

func TestNothingUnreadableLeaves(t *testing.T) {
	scheme := centretest.NewScheme(t)
	header := &pb.SignedHeader{Environment: "te\nst"}
	_, err := envelope.Seal(scheme.Signers[centretest.BankParty], header, &pb.KeysQuery{}, nil)
	expect(t, refusal.TextControl, err)
}
