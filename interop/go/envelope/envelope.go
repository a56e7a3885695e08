// Package envelope seals what the bank says and opens what the centre says (chapters 3 and 4). The bytes of the payload that
// arrived are the bytes that are verified, hashed and kept: nothing is ever encoded again from what was decoded.
package envelope

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/wire"
)

// SpecVersion is the one version that this bank writes and reads.
const SpecVersion = "1.0"

// Digest names a message in replies, acknowledgements and evidence.
type Digest [sha256.Size]byte

// String gives it as people and logs write it.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes it into journals.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText takes what MarshalText gave.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// PAE is what is signed: the DSSE v1 pre-authentication encoding.
func PAE(payloadType string, payload []byte) []byte {
	text := []byte("DSSEv1 ")
	text = strconv.AppendInt(text, int64(len(payloadType)), 10)
	text = append(text, ' ')
	text = append(text, payloadType...)
	text = append(text, ' ')
	text = strconv.AppendInt(text, int64(len(payload)), 10)
	text = append(text, ' ')
	return append(text, payload...)
}

// DigestOf gives the digest of a message.
func DigestOf(payloadType string, payload []byte) Digest {
	return sha256.Sum256(PAE(payloadType, payload))
}

// UUIDBytes is the size of a message id.
const UUIDBytes = 16

// NewUUID makes a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, version, variant, 74 random bits.
func NewUUID(now time.Time) ([]byte, error) {
	id := make([]byte, UUIDBytes)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	var clock [8]byte
	binary.BigEndian.PutUint64(clock[:], uint64(now.UnixMilli()))
	copy(id, clock[2:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id, nil
}

// IsMessageID tells whether bytes are a UUIDv7.
func IsMessageID(id []byte) bool {
	return len(id) == UUIDBytes && id[6]>>4 == 7 && id[8]>>6 == 2
}

// Sealed is a message of ours: the bytes to send, and to send again.
type Sealed struct {
	Envelope  []byte
	Digest    Digest
	MessageID []byte
}

// Seal signs a body. The header holds everything but version and sender.
func Seal(signer *keys.Signer, header *pb.SignedHeader, body proto.Message, disclosures []*pb.Disclosure) (*Sealed, error) {
	header.SpecVersion = SpecVersion
	header.Sender = signer.Party()
	encoded, err := proto.Marshal(body)
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&pb.SignedPayload{Header: header, Body: encoded})
	if err != nil {
		return nil, err
	}
	payloadType := contract.PayloadType(body)
	signature, err := signer.Sign(PAE(payloadType, payload))
	if err != nil {
		return nil, err
	}
	bytes, err := proto.Marshal(&pb.Envelope{
		Payload:     payload,
		PayloadType: payloadType,
		Signatures:  []*pb.Signature{{Sig: signature, Keyid: signer.PublicKey().ID()}},
		Disclosures: disclosures,
	})
	if err != nil {
		return nil, err
	}
	if err := checkOurs(bytes); err != nil {
		return nil, err
	}
	return &Sealed{Envelope: bytes, Digest: DigestOf(payloadType, payload), MessageID: header.MessageId}, nil
}

// checkOurs: nothing leaves that the other side could not read.
func checkOurs(bytes []byte) error {
	envelope, err := read(bytes)
	if err != nil {
		return err
	}
	_, err = readPayload(envelope)
	return err
}

// Stored is the form that is kept: payload, type and signatures as they came, without personal values.
func Stored(envelope *pb.Envelope) ([]byte, error) {
	return proto.Marshal(&pb.Envelope{
		Payload:     envelope.Payload,
		PayloadType: envelope.PayloadType,
		Signatures:  envelope.Signatures,
	})
}

// read does steps 1 to 3: size, scan, decode.
func read(bytes []byte) (*pb.Envelope, error) {
	if len(bytes) == 0 {
		return nil, refusal.MessageEmpty
	}
	envelope := &pb.Envelope{}
	if err := wire.Decode(bytes, envelope); err != nil {
		return nil, err
	}
	if len(envelope.Payload) == 0 {
		return nil, refusal.MessageEmpty
	}
	if len(envelope.Payload) > limits.PayloadBytes {
		return nil, refusal.MessageTooLarge
	}
	return envelope, nil
}

// readPayload does step 7; the body stays bytes.
func readPayload(envelope *pb.Envelope) (*pb.SignedPayload, error) {
	payload := &pb.SignedPayload{}
	return payload, wire.Decode(envelope.Payload, payload)
}
