package envelope

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/wire"
)

// Message is one that passed every check.
type Message struct {
	Header      *pb.SignedHeader
	Body        proto.Message
	Digest      Digest
	Disclosures []*pb.Disclosure // not yet compared with the commitments: that is the body's business
	Envelope    *pb.Envelope
}

// Keyring gives the SIGN keys of a party, whatever their state. A key directory is one.
type Keyring interface {
	Candidates(party string) []keys.Entry
	Environment() string
}

// Body is a message that may come, and its direction there.
type Body struct {
	Message   proto.Message
	Direction pb.Direction
}

// Expected is what the receiver knows by itself, from the connection and from its own request.
type Expected struct {
	Keyring   Keyring
	Sender    string // party of the certificate
	Recipient string // this party
	Method    string
	Bodies    []Body
	InReplyTo *Digest // of what is answered; nil on an event, and when the receiver asked nothing
	Now       time.Time
}

// Open does the checks of a receiver in the order of chapter 4, all but those for duplicates and business, and stops at the
// first that fails.
func Open(b []byte, expected Expected) (*Message, error) {
	envelope, err := read(b)
	if err != nil {
		return nil, err
	}
	body, err := chooseBody(envelope.PayloadType, expected.Bodies)
	if err != nil {
		return nil, err
	}
	signers, err := verify(envelope, expected.Keyring.Candidates(expected.Sender), usable(body.Direction, expected.Now))
	if err != nil {
		return nil, err
	}
	payload, err := readPayload(envelope)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(payload.Header, expected, body.Direction); err != nil {
		return nil, err
	}
	if body.Direction == pb.Direction_DIRECTION_EVENT && !allWereInForce(signers, payload.Header) {
		return nil, refusal.KeyNotValid
	}
	if err := checkTime(payload.Header, expected.Now); err != nil {
		return nil, err
	}
	return finish(envelope, payload, body.Message)
}

// OpenKept verifies a message out of another one, or out of an archive, against the directory alone. Whoever asks compares
// sender, recipient and method with what the message is used for.
func OpenKept(b []byte, keyring Keyring, like proto.Message) (*Message, error) {
	envelope, err := read(b)
	if err != nil {
		return nil, err
	}
	if envelope.PayloadType != contract.PayloadType(like) {
		return nil, refusal.PayloadTypeWrong
	}
	payload, err := readPayload(envelope)
	if err != nil {
		return nil, err
	}
	header := payload.Header
	itself := Expected{Keyring: keyring, Sender: header.GetSender(), Recipient: header.GetRecipient(), Method: header.GetMethod()}
	if err := checkHeader(header, itself, header.GetDirection()); err != nil {
		return nil, err
	}
	made := time.UnixMilli(header.CreatedMs)
	wasInForce := func(key keys.Entry) bool { return key.WasInForce(made) }
	if _, err := verify(envelope, keyring.Candidates(header.Sender), wasInForce); err != nil {
		return nil, err
	}
	return finish(envelope, payload, like)
}

// finish decodes the body, step 11.
func finish(envelope *pb.Envelope, payload *pb.SignedPayload, like proto.Message) (*Message, error) {
	body := contract.New(like)
	if err := wire.Decode(payload.Body, body); err != nil {
		return nil, err
	}
	return &Message{
		Header:      payload.Header,
		Body:        body,
		Digest:      DigestOf(envelope.PayloadType, envelope.Payload),
		Disclosures: envelope.Disclosures,
		Envelope:    envelope,
	}, nil
}

func chooseBody(payloadType string, bodies []Body) (Body, error) {
	for _, body := range bodies {
		if payloadType == contract.PayloadType(body.Message) {
			return body, nil
		}
	}
	return Body{}, refusal.PayloadTypeWrong
}

// -- Signatures ----------------------------------------------------------------------------------------------------

// usable tells whether a key may verify at all. An event is read long after it was made, so its key is judged by when that
// was, which is not known before the payload is decoded: allWereInForce does it then.
func usable(direction pb.Direction, now time.Time) func(keys.Entry) bool {
	if direction == pb.Direction_DIRECTION_EVENT {
		return func(keys.Entry) bool { return true }
	}
	return func(key keys.Entry) bool { return key.IsInForce(now) }
}

func allWereInForce(signers []keys.Entry, header *pb.SignedHeader) bool {
	for _, key := range signers {
		if !key.WasInForce(time.UnixMilli(header.CreatedMs)) {
			return false
		}
	}
	return true
}

// verify does steps 5 and 6: every signature verifies, each by a key of its own. It gives those keys.
func verify(envelope *pb.Envelope, known []keys.Entry, usable func(keys.Entry) bool) ([]keys.Entry, error) {
	count := len(envelope.Signatures)
	if count < 1 || count > limits.Signatures {
		return nil, refusal.SignatureCount
	}
	choices := make([][]keys.Entry, count)
	for i, signature := range envelope.Signatures {
		chosen, err := chooseKeys(signature, known, usable)
		if err != nil {
			return nil, err
		}
		choices[i] = chosen
	}
	text := PAE(envelope.PayloadType, envelope.Payload)
	signers := make([]keys.Entry, 0, count)
	used := map[keys.PublicKey]bool{}
	for i, signature := range envelope.Signatures {
		key, found := signerOf(signature, choices[i], text)
		if !found || used[key.PublicKey] {
			return nil, refusal.SignatureInvalid
		}
		used[key.PublicKey] = true
		signers = append(signers, key)
	}
	return signers, nil
}

// chooseKeys narrows the party's keys by the key id, which never adds one.
func chooseKeys(signature *pb.Signature, known []keys.Entry, usable func(keys.Entry) bool) ([]keys.Entry, error) {
	if signature.Batch != nil {
		return nil, refusal.ProfileUnsupported
	}
	named, chosen := 0, []keys.Entry{}
	for _, key := range known {
		if signature.Keyid != "" && signature.Keyid != key.ID() {
			continue
		}
		named++
		if usable(key) && len(chosen) < limits.KeyTries {
			chosen = append(chosen, key)
		}
	}
	if named == 0 {
		return nil, refusal.KeyUnknown
	}
	if len(chosen) == 0 {
		return nil, refusal.KeyNotValid
	}
	return chosen, nil
}

func signerOf(signature *pb.Signature, candidates []keys.Entry, text []byte) (keys.Entry, bool) {
	for _, key := range candidates {
		if key.Verify(text, signature.Sig) {
			return key, true
		}
	}
	return keys.Entry{}, false
}

// -- Header and time -----------------------------------------------------------------------------------------------

func isAnswer(direction pb.Direction) bool {
	switch direction {
	case pb.Direction_DIRECTION_REPLY, pb.Direction_DIRECTION_ACK, pb.Direction_DIRECTION_REFUSAL:
		return true
	default:
		return false
	}
}

func isComplete(header *pb.SignedHeader) bool {
	for _, text := range []string{header.GetSpecVersion(), header.GetEnvironment(), header.GetSender(), header.GetRecipient(),
		header.GetMethod()} {
		if text == "" {
			return false
		}
	}
	timed := header.CreatedMs > 0 && (header.ExpiresMs != 0 || header.Direction == pb.Direction_DIRECTION_EVENT)
	bound := len(header.InReplyTo) > 0 || !isAnswer(header.Direction)
	return timed && bound && len(header.MessageId) > 0 && header.Direction != pb.Direction_DIRECTION_UNSPECIFIED
}

// checkHeader compares the header with the connection, step 8.
func checkHeader(header *pb.SignedHeader, expected Expected, direction pb.Direction) error {
	switch {
	case !isComplete(header):
		return refusal.HeaderIncomplete
	case header.SpecVersion != SpecVersion:
		return refusal.SpecVersion
	case header.Environment != expected.Keyring.Environment():
		return refusal.EnvironmentWrong
	case header.Sender != expected.Sender:
		return refusal.SenderWrong
	case header.Recipient != expected.Recipient:
		return refusal.RecipientWrong
	case header.Method != expected.Method:
		return refusal.MethodWrong
	case header.Direction != direction:
		return refusal.DirectionWrong
	case !IsMessageID(header.MessageId):
		return refusal.MessageIDInvalid
	case !answersUs(header, expected.InReplyTo):
		return refusal.InReplyToWrong
	case (header.Sequence > 0) != (direction == pb.Direction_DIRECTION_EVENT):
		return refusal.SequenceWrong
	default:
		return nil
	}
}

func answersUs(header *pb.SignedHeader, asked *Digest) bool {
	if !isAnswer(header.Direction) {
		return len(header.InReplyTo) == 0
	}
	return len(header.InReplyTo) == len(Digest{}) && (asked == nil || bytes.Equal(header.InReplyTo, asked[:]))
}

// checkTime is step 10. A reply or refusal is tied to its request by digest, and is repeated byte for byte however late.
func checkTime(header *pb.SignedHeader, now time.Time) error {
	if time.UnixMilli(header.CreatedMs).After(now.Add(limits.ClockAhead)) {
		return refusal.CreatedInFuture
	}
	if header.Direction == pb.Direction_DIRECTION_EVENT {
		if header.ExpiresMs != 0 {
			return refusal.LifetimeWrong
		}
		return nil
	}
	// Both are above zero, so that their difference cannot leave an int64.
	if life := header.ExpiresMs - header.CreatedMs; header.ExpiresMs < 0 || life < 1 || life > limits.Life.Milliseconds() {
		return refusal.LifetimeWrong
	}
	late := now.UnixMilli() > header.ExpiresMs
	if late && (header.Direction == pb.Direction_DIRECTION_REQUEST || header.Direction == pb.Direction_DIRECTION_ACK) {
		return refusal.Expired
	}
	return nil
}

// -- The key directory ---------------------------------------------------------------------------------------------

// OpenDirectory verifies a key directory by the one pinned key; it names no recipient, and its header is judged by the caller.
func OpenDirectory(b []byte, pinned keys.PublicKey) (*pb.KeyDirectory, *pb.SignedHeader, error) {
	envelope, err := read(b)
	if err != nil {
		return nil, nil, err
	}
	listed := &pb.KeyDirectory{}
	if envelope.PayloadType != contract.PayloadType(listed) {
		return nil, nil, refusal.PayloadTypeWrong
	}
	if len(envelope.Signatures) != 1 {
		return nil, nil, refusal.SignatureCount
	}
	always := func(keys.Entry) bool { return true }
	if _, err := verify(envelope, []keys.Entry{{PublicKey: pinned}}, always); err != nil {
		return nil, nil, err
	}
	payload, err := readPayload(envelope)
	if err != nil {
		return nil, nil, err
	}
	return listed, payload.Header, wire.DecodeDirectory(payload.Body, listed)
}
