// Package refusal names why a message was not taken. The names are those of docs/REASONS.md; a party acts on them, never on
// the gRPC code. Whatever a peer, its bytes or the network can cause is one of these; any other error is a fault of ours.
package refusal

import (
	"errors"
	"fmt"
	"time"
)

// Reason is an error by itself: errors.Is(err, refusal.Expired) holds for a Reason and for an Error with that reason.
type Reason string

// The reasons that this bank gives or acts on. The centre may give others; they are handled by their Action.
const (
	MethodUnknown     Reason = "METHOD_UNKNOWN"
	DeadlineExceeded  Reason = "DEADLINE_EXCEEDED"
	PeerUnreachable   Reason = "PEER_UNREACHABLE"
	CallCancelled     Reason = "CALL_CANCELLED"
	PeerAnswerInvalid Reason = "PEER_ANSWER_INVALID"

	Internal       Reason = "INTERNAL"
	StreamFenced   Reason = "STREAM_FENCED"
	KeyFileMissing Reason = "KEY_FILE_MISSING"
	KeyFileMode    Reason = "KEY_FILE_MODE"
	KeyFileInvalid Reason = "KEY_FILE_INVALID"

	MessageTooLarge    Reason = "MESSAGE_TOO_LARGE"
	MessageEmpty       Reason = "MESSAGE_EMPTY"
	WireMalformed      Reason = "WIRE_MALFORMED"
	WireType           Reason = "WIRE_TYPE"
	WireVarint         Reason = "WIRE_VARINT"
	WireDuplicate      Reason = "WIRE_DUPLICATE"
	WireUnknownField   Reason = "WIRE_UNKNOWN_FIELD"
	WireTooDeep        Reason = "WIRE_TOO_DEEP"
	WireTooManyFields  Reason = "WIRE_TOO_MANY_FIELDS"
	TextEncoding       Reason = "TEXT_ENCODING"
	TextControl        Reason = "TEXT_CONTROL"
	EnumUnknown        Reason = "ENUM_UNKNOWN"
	PayloadTypeWrong   Reason = "PAYLOAD_TYPE_WRONG"
	SignatureCount     Reason = "SIGNATURE_COUNT"
	KeyUnknown         Reason = "KEY_UNKNOWN"
	KeyNotValid        Reason = "KEY_NOT_VALID"
	SignatureInvalid   Reason = "SIGNATURE_INVALID"
	KeyWeak            Reason = "KEY_WEAK"
	KeyPossession      Reason = "KEY_POSSESSION"
	KeyKnown           Reason = "KEY_KNOWN"
	KeyNotOwned        Reason = "KEY_NOT_OWNED"
	DirectoryInvalid   Reason = "DIRECTORY_INVALID"
	ProfileUnsupported Reason = "PROFILE_UNSUPPORTED"

	HeaderIncomplete Reason = "HEADER_INCOMPLETE"
	SpecVersion      Reason = "SPEC_VERSION"
	EnvironmentWrong Reason = "ENVIRONMENT_WRONG"
	SenderWrong      Reason = "SENDER_WRONG"
	RecipientWrong   Reason = "RECIPIENT_WRONG"
	MethodWrong      Reason = "METHOD_WRONG"
	DirectionWrong   Reason = "DIRECTION_WRONG"
	MessageIDInvalid Reason = "MESSAGE_ID_INVALID"
	MessageIDReused  Reason = "MESSAGE_ID_REUSED"
	InReplyToWrong   Reason = "IN_REPLY_TO_WRONG"
	SequenceWrong    Reason = "SEQUENCE_WRONG"
	Expired          Reason = "EXPIRED"
	CreatedInFuture  Reason = "CREATED_IN_FUTURE"
	LifetimeWrong    Reason = "LIFETIME_WRONG"
	CallerNotAllowed Reason = "CALLER_NOT_ALLOWED"

	DisclosureMissing    Reason = "DISCLOSURE_MISSING"
	DisclosureMismatch   Reason = "DISCLOSURE_MISMATCH"
	DisclosureUnexpected Reason = "DISCLOSURE_UNEXPECTED"

	FieldMissing       Reason = "FIELD_MISSING"
	FieldInvalid       Reason = "FIELD_INVALID"
	AmountInvalid      Reason = "AMOUNT_INVALID"
	ConsentMissing     Reason = "CONSENT_MISSING"
	ApplicationUnknown Reason = "APPLICATION_UNKNOWN"
	BankUnknown        Reason = "BANK_UNKNOWN"
	StateConflict      Reason = "STATE_CONFLICT"
	StaleEpoch         Reason = "STALE_EPOCH"
	OfferStale         Reason = "OFFER_STALE"
	TermsDigestWrong   Reason = "TERMS_DIGEST_WRONG"
	EventUnknown       Reason = "EVENT_UNKNOWN"
	BankChangesUsed    Reason = "BANK_CHANGES_USED"
)

func (r Reason) Error() string { return string(r) }

// At says which field is to be mended.
func (r Reason) At(field string) *Error { return &Error{Reason: r, Field: field, Action: ActionOf(r)} }

// Because adds a detail for an operator: nothing of a person, and nothing that a peer chose.
func (r Reason) Because(format string, arguments ...any) *Error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, arguments...), Action: ActionOf(r)}
}

// Action is what the sender of a refused message does about it.
type Action int

const (
	// Mend what is wrong and make a new message. Also for reasons that this bank does not know.
	Mend Action = iota
	// SendAgain the same bytes after RetryAfter: the outcome is not known, or not yet there.
	SendAgain
	// GiveUp: no message would be taken.
	GiveUp
)

// ActionOf tells the action for a reason that came without a delay.
func ActionOf(reason Reason) Action {
	switch reason {
	case CallerNotAllowed, StaleEpoch, BankChangesUsed:
		return GiveUp
	default:
		return Mend
	}
}

// Error is a reason with what is known about it.
type Error struct {
	Reason     Reason
	Field      string // the path of the field to be mended, when one is to blame
	Detail     string
	Action     Action
	RetryAfter time.Duration // with SendAgain
	Evidence   []byte        // the centre's signed Refusal, verified; nil when it sent none
}

func (e *Error) Error() string {
	text := string(e.Reason)
	if e.Field != "" {
		text += " at " + e.Field
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap makes errors.Is and errors.As find the reason.
func (e *Error) Unwrap() error { return e.Reason }

// Is tells whether an error is a refusal at all, and not a fault of ours.
func Is(err error) bool { return ReasonOf(err) != "" }

// ReasonOf gives the reason of a refusal; empty for any other error.
func ReasonOf(err error) Reason {
	var reason Reason
	errors.As(err, &reason)
	return reason
}

// Again tells whether the same bytes are to be sent again, and after which delay.
func Again(err error) (time.Duration, bool) {
	var refused *Error
	if !errors.As(err, &refused) || refused.Action != SendAgain {
		return 0, false
	}
	return refused.RetryAfter, true
}
