package client

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

const domain = "coloan.v1"

// openRefusal verifies a signed refusal.
type openRefusal func([]byte) (*pb.Refusal, error)

// refused makes a typed error of a failed call (chapter 10). An answer against the protocol leaves the outcome unknown.
func refused(failed error, open openRefusal) error {
	answer := status.Convert(failed)
	if len(answer.Proto().GetDetails()) == 0 {
		return withoutDetails(answer.Code())
	}
	found, err := readDetails(answer, open)
	if err != nil {
		return unknownOutcome(refusal.PeerAnswerInvalid, err)
	}
	return found
}

// unknownOutcome: the same bytes go again until there is an outcome.
func unknownOutcome(reason refusal.Reason, cause error) *refusal.Error {
	unknown := &refusal.Error{Reason: reason, Action: refusal.SendAgain, RetryAfter: limits.RetryDefault}
	if cause != nil {
		unknown.Detail = cause.Error()
	}
	return unknown
}

func withoutDetails(code codes.Code) error {
	switch code {
	case codes.Unavailable:
		return unknownOutcome(refusal.PeerUnreachable, nil)
	case codes.DeadlineExceeded:
		return unknownOutcome(refusal.DeadlineExceeded, nil)
	case codes.Canceled:
		return unknownOutcome(refusal.CallCancelled, nil)
	case codes.Unimplemented:
		return refusal.MethodUnknown
	default:
		return unknownOutcome(refusal.PeerAnswerInvalid, fmt.Errorf("%s without details", code))
	}
}

func readDetails(answer *status.Status, open openRefusal) (*refusal.Error, error) {
	if proto.Size(answer.Proto()) > limits.DetailsBytes {
		return nil, refusal.MessageTooLarge
	}
	found, reasons := &refusal.Error{}, 0
	for _, detail := range answer.Proto().Details {
		if detail.MessageIs(&pb.Envelope{}) {
			found.Evidence = detail.Value
			continue
		}
		if err := readDetail(detail, found, &reasons); err != nil {
			return nil, err
		}
	}
	if reasons != 1 {
		return nil, refusal.FieldMissing.At("reason")
	}
	if found.Action != refusal.SendAgain {
		found.Action = refusal.ActionOf(found.Reason)
	}
	if found.Evidence == nil {
		return found, nil
	}
	return found, checkEvidence(found, open)
}

// readDetail takes one unsigned detail over; those of other kinds are skipped.
func readDetail(detail *anypb.Any, found *refusal.Error, reasons *int) error {
	var (
		info  errdetails.ErrorInfo
		retry errdetails.RetryInfo
		field errdetails.BadRequest
	)
	switch {
	case detail.MessageIs(&info):
		if err := detail.UnmarshalTo(&info); err != nil {
			return err
		}
		if info.Domain == domain {
			found.Reason = refusal.Reason(info.Reason)
			*reasons++
		}
	case detail.MessageIs(&retry):
		if err := detail.UnmarshalTo(&retry); err != nil {
			return err
		}
		found.Action, found.RetryAfter = refusal.SendAgain, boundedDelay(retry.RetryDelay.AsDuration())
	case detail.MessageIs(&field):
		if err := detail.UnmarshalTo(&field); err != nil {
			return err
		}
		if violations := field.FieldViolations; len(violations) > 0 {
			found.Field = violations[0].Field
		}
	}
	return nil
}

// boundedDelay: the delay is not signed, and may not keep us waiting for ever.
func boundedDelay(delay time.Duration) time.Duration {
	if delay < 0 || delay > limits.Life {
		return limits.RetryDefault
	}
	return delay
}

func checkEvidence(found *refusal.Error, open openRefusal) error {
	signed, err := open(found.Evidence)
	if err != nil {
		return err
	}
	if signed.Reason != string(found.Reason) {
		return refusal.FieldInvalid.At("reason")
	}
	return nil
}
