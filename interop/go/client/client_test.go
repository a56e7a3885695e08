package client_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/internal/centretest"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

var background = context.Background()

func start(t *testing.T) (*centretest.Centre, *client.Client) {
	t.Helper()
	centre := centretest.Start(t)
	centre.Answer(contract.GetCapabilities, func(*envelope.Message) (proto.Message, error) {
		return &pb.Capabilities{Party: centretest.CentreParty}, nil
	})
	return centre, centre.Client()
}

func capabilities(c *client.Client) (*pb.Capabilities, error) {
	return client.Call[*pb.Capabilities](background, c, contract.GetCapabilities, &pb.CapabilitiesQuery{}, client.Options{})
}

func expect(t *testing.T, reason refusal.Reason, err error) {
	t.Helper()
	if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
		t.Errorf("got %v, not %q", err, reason)
	}
}

func TestCall(t *testing.T) {
	_, c := start(t)
	answer, err := capabilities(c)
	if err != nil || answer.Party != centretest.CentreParty {
		t.Errorf("got %v, %v", answer, err)
	}
}

// Covers: COL-DUP-006, COL-ERR-007
func TestSameBytesAgain(t *testing.T) {
	centre, c := start(t)
	centre.Fail("OVERLOADED", "IN_PROGRESS")
	centre.Lose(1)
	if _, err := capabilities(c); err != nil {
		t.Fatal(err)
	}
	sent := centre.Sent()
	if len(sent) != 4 {
		t.Fatalf("sent %d times", len(sent))
	}
	for _, again := range sent {
		if !bytes.Equal(again, sent[0]) {
			t.Error("other bytes were sent")
		}
	}
}

// Covers: COL-ERR-008
func TestWhatIsToBeMendedIsNotSentAgain(t *testing.T) {
	centre, c := start(t)
	for _, reason := range []refusal.Reason{refusal.FieldInvalid, refusal.Expired, refusal.StaleEpoch, "A_REASON_OF_TOMORROW"} {
		before := len(centre.Calls())
		centre.Fail(reason)
		_, err := capabilities(c)
		expect(t, reason, err)
		if calls := len(centre.Calls()) - before; calls != 1 {
			t.Errorf("%s: %d calls", reason, calls)
		}
	}
}

func TestTriesEnd(t *testing.T) {
	centre, c := start(t)
	c.Tries = 3
	centre.Fail("OVERLOADED", "OVERLOADED", "OVERLOADED")
	_, err := capabilities(c)
	if _, again := refusal.Again(err); !again || len(centre.Calls()) != 3 {
		t.Errorf("got %v after %d calls", err, len(centre.Calls()))
	}
}

// Covers: COL-ERR-005
func TestSignedRefusal(t *testing.T) {
	centre, c := start(t)
	centre.Answer(contract.GetCapabilities, func(*envelope.Message) (proto.Message, error) { return nil, refusal.StateConflict })
	_, err := capabilities(c)
	var refused *refusal.Error
	if !errors.As(err, &refused) || refused.Reason != refusal.StateConflict || refused.Evidence == nil {
		t.Errorf("got %#v", err)
	}
}

// TestAnswerToAnother: what does not verify as the answer is none, and the outcome stays unknown.
func TestAnswerToAnother(t *testing.T) {
	_, c := start(t)
	c.Tries = 1
	sealed, err := c.Seal(contract.GetCapabilities.Name, &pb.CapabilitiesQuery{}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := *sealed
	other.Digest[0] ^= 1
	_, err = c.Send(background, contract.GetCapabilities, &other)
	expect(t, refusal.PeerAnswerInvalid, err)
	if _, again := refusal.Again(err); !again {
		t.Error("the outcome is not known, and it is given up")
	}
}

func TestNobodyThere(t *testing.T) {
	centre, c := start(t)
	c.Deadline = time.Second
	sealed, err := c.Seal(contract.GetCapabilities.Name, &pb.CapabilitiesQuery{}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(background)
	cancel()
	_, err = c.Send(cancelled, contract.GetCapabilities, sealed)
	expect(t, refusal.CallCancelled, err)
	if len(centre.Calls()) != 0 {
		t.Error("it was sent")
	}
}

// Covers: COL-KEY-010
func TestNewerDirectory(t *testing.T) {
	centre, c := start(t)
	given := centre.Issue(t, 2, centre.Listed)
	centre.Answer(contract.Keys, func(*envelope.Message) (proto.Message, error) {
		return &pb.KeysAnswer{Number: 2, Directory: given}, nil
	})
	expect(t, "", c.RefreshDirectory(background))
	if c.Directory().Number != 2 {
		t.Errorf("the directory has number %d", c.Directory().Number)
	}
	given = centre.Issue(t, 1, centre.Listed)
	expect(t, refusal.SequenceWrong, c.RefreshDirectory(background))
	given = nil
	expect(t, "", c.RefreshDirectory(background))
}

// TestUnknownKey: a key that the bank does not know may stand in a newer directory, which is asked for once.
func TestUnknownKey(t *testing.T) {
	centre, c := start(t)
	old := centre.Signers[centretest.CentreParty]
	next := centretest.NewSigner(t, centretest.CentreParty)
	listed := append(centre.Listed, centretest.Entry(t, next))
	centre.Answer(contract.Keys, func(*envelope.Message) (proto.Message, error) {
		return &pb.KeysAnswer{Number: 2, Directory: centre.Issue(t, 2, listed)}, nil
	})
	centre.Signers[centretest.CentreParty] = next
	event := centre.Event(t, 1, &pb.Event{}).Envelope
	centre.Signers[centretest.CentreParty] = old
	body := envelope.Body{Message: &pb.Event{}, Direction: pb.Direction_DIRECTION_EVENT}
	_, err := c.Open(background, event, contract.Deliver, nil, body)
	expect(t, "", err)
	if c.Directory().Number != 2 {
		t.Errorf("the directory has number %d", c.Directory().Number)
	}
	centre.Signers[centretest.CentreParty] = centretest.NewSigner(t, centretest.CentreParty)
	foreign := centre.Event(t, 1, &pb.Event{}).Envelope
	centre.Signers[centretest.CentreParty] = old
	_, err = c.Open(background, foreign, contract.Deliver, nil, body)
	expect(t, refusal.KeyUnknown, err)
}

func TestPinStaysTheSame(t *testing.T) {
	centre, c := start(t)
	stranger := centretest.NewScheme(t)
	centre.Answer(contract.Keys, func(*envelope.Message) (proto.Message, error) {
		return &pb.KeysAnswer{Number: 2, Directory: stranger.Issue(t, 2, stranger.Listed)}, nil
	})
	expect(t, refusal.KeyUnknown, c.RefreshDirectory(background))
	if c.Directory() != centre.Directory {
		t.Error("the directory was changed")
	}
}
