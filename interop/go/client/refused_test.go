package client

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

func unsigned(t *testing.T) openRefusal {
	return func([]byte) (*pb.Refusal, error) {
		t.Error("nothing is signed here")
		return nil, refusal.SignatureInvalid
	}
}

func detail(t *testing.T, message proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func failureOf(details ...*anypb.Any) error {
	said := status.New(codes.FailedPrecondition, "refused").Proto()
	said.Details = details
	return status.FromProto(said).Err()
}

// Covers: COL-ERR-003, COL-ERR-004
func TestDetails(t *testing.T) {
	info := detail(t, &errdetails.ErrorInfo{Reason: "FIELD_INVALID", Domain: "coloan.v1"})
	elsewhere := detail(t, &errdetails.ErrorInfo{Reason: "OTHER", Domain: "elsewhere"})
	retry := detail(t, &errdetails.RetryInfo{RetryDelay: durationpb.New(2500 * time.Millisecond)})
	field := detail(t, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "persons[0].mobile"}}})
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/x.Y", Value: []byte{0xff}}
	var got *refusal.Error
	if !errors.As(refused(failureOf(info, elsewhere, retry, field, unknown), unsigned(t)), &got) {
		t.Fatal("no refusal")
	}
	if got.Reason != refusal.FieldInvalid || got.Field != "persons[0].mobile" || got.Action != refusal.SendAgain ||
		got.RetryAfter != 2500*time.Millisecond || got.Evidence != nil {
		t.Errorf("got %#v", got)
	}
	if err := refused(failureOf(info), unsigned(t)); !errors.As(err, &got) || got.Action != refusal.Mend {
		t.Errorf("got %#v", err)
	}
}

// Covers: COL-ERR-002, COL-ERR-006
func TestAnswersAgainstTheProtocol(t *testing.T) {
	info := detail(t, &errdetails.ErrorInfo{Reason: "EXPIRED", Domain: "coloan.v1"})
	elsewhere := detail(t, &errdetails.ErrorInfo{Reason: "EXPIRED", Domain: "elsewhere"})
	long := detail(t, &errdetails.LocalizedMessage{Message: string(make([]byte, 5000))})
	signed := &anypb.Any{TypeUrl: "type.googleapis.com/coloan.v1.Envelope", Value: []byte{1}}
	broken := &anypb.Any{TypeUrl: info.TypeUrl, Value: []byte{0xff}}
	lying := func([]byte) (*pb.Refusal, error) { return &pb.Refusal{Reason: "INTERNAL"}, nil }
	forged := func([]byte) (*pb.Refusal, error) { return nil, refusal.SignatureInvalid }
	for name, row := range map[string]struct {
		details []*anypb.Any
		open    openRefusal
	}{
		"two reasons":               {[]*anypb.Any{info, info}, unsigned(t)},
		"a reason of somebody else": {[]*anypb.Any{elsewhere}, unsigned(t)},
		"too many bytes":            {[]*anypb.Any{info, long}, unsigned(t)},
		"a broken detail":           {[]*anypb.Any{broken}, unsigned(t)},
		"another reason is signed":  {[]*anypb.Any{info, signed}, lying},
		"a forged refusal":          {[]*anypb.Any{info, signed}, forged},
	} {
		err := refused(failureOf(row.details...), row.open)
		if _, again := refusal.Again(err); !errors.Is(err, refusal.PeerAnswerInvalid) || !again {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Covers: COL-ERR-009
func TestWithoutDetails(t *testing.T) {
	for code, row := range map[codes.Code]struct {
		reason refusal.Reason
		again  bool
	}{
		codes.Unavailable:      {refusal.PeerUnreachable, true},
		codes.DeadlineExceeded: {refusal.DeadlineExceeded, true},
		codes.Canceled:         {refusal.CallCancelled, true},
		codes.Internal:         {refusal.PeerAnswerInvalid, true},
		codes.Unimplemented:    {refusal.MethodUnknown, false},
	} {
		err := refused(status.Error(code, "x"), unsigned(t))
		if _, again := refusal.Again(err); !errors.Is(err, row.reason) || again != row.again {
			t.Errorf("%s: got %v", code, err)
		}
	}
}
