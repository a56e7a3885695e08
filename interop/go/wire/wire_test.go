package wire

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

const nineBytes = "ff ff ff ff ff ff ff ff ff"

// Covers: COL-SCN-001, COL-SCN-002, COL-SCN-003, COL-SCN-004, COL-SCN-005, COL-SCN-006, COL-SCN-007
func TestScan(t *testing.T) {
	full := &pb.SignedHeader{SpecVersion: "1.0", Direction: pb.Direction_DIRECTION_ACK, Sequence: math.MaxUint64}
	rows := []struct {
		name    string
		message proto.Message
		bytes   string
		reason  refusal.Reason // empty: fits
	}{
		{"nothing", &pb.SignedHeader{}, "", ""},
		{"a text", &pb.SignedHeader{}, "0a 03 31 2e 30", ""},
		{"several fields of a header", &pb.SignedHeader{}, encoded(t, full), ""},
		{"a negative int32", &pb.LoanPart{}, "10 fe ff ff ff ff ff ff ff ff 01", ""},
		{"a packed list of enumerations", &pb.VerificationQuery{}, "0a 02 01 02", ""},
		{"the same list unpacked", &pb.VerificationQuery{}, "08 01 08 02", ""},
		{"a repeated message", &pb.Envelope{}, "1a 00 1a 00", ""},
		{"fields in another order", &pb.SignedHeader{}, "12 01 74 0a 01 31", ""},

		{"a cut length", &pb.SignedHeader{}, "0a", refusal.WireMalformed},
		{"a length past the end", &pb.SignedHeader{}, "0a 04 31 2e 30", refusal.WireMalformed},
		{"a length past the inner end", &pb.SignedPayload{}, "0a 02 0a 01", refusal.WireMalformed},
		{"a length past every end", &pb.SignedHeader{}, "0a ff ff ff ff ff ff ff ff ff 01", refusal.WireMalformed},
		{"field number 0", &pb.SignedHeader{}, "00 00", refusal.WireMalformed},
		{"wire type 6", &pb.SignedHeader{}, "0e 00", refusal.WireMalformed},
		{"wire type 7", &pb.SignedHeader{}, "0f 00", refusal.WireMalformed},
		{"a field number of 30 bits", &pb.SignedHeader{}, "80 80 80 80 10 00", refusal.WireMalformed},
		{"more than 64 bits", &pb.SignedHeader{}, "60 " + nineBytes + " 02", refusal.WireMalformed},
		{"an endless varint", &pb.SignedHeader{}, "60 " + nineBytes + " ff 01", refusal.WireMalformed},
		{"a group", &pb.SignedHeader{}, "0b 0c", refusal.WireType},
		{"the end of a group", &pb.SignedHeader{}, "0c", refusal.WireType},
		{"a number for a text", &pb.SignedHeader{}, "08 01", refusal.WireType},
		{"a text for a number", &pb.SignedHeader{}, "62 00", refusal.WireType},
		{"a padded number", &pb.SignedHeader{}, "60 81 00", refusal.WireVarint},
		{"a padded length", &pb.SignedHeader{}, "0a 83 00 31 2e 30", refusal.WireVarint},
		{"a padded field key", &pb.SignedHeader{}, "8a 00 03 31 2e 30", refusal.WireVarint},
		{"a bool of 2", &pb.Person{}, "30 02", refusal.WireVarint},
		{"an int32 of 2^31", &pb.LoanPart{}, "10 80 80 80 80 08", refusal.WireVarint},
		{"a negative int32 in five bytes", &pb.LoanPart{}, "10 fe ff ff ff 0f", refusal.WireVarint},
		{"a uint32 past its type", &pb.Credit{}, "08 80 80 80 80 10", refusal.WireVarint},
		{"a text twice", &pb.SignedHeader{}, "0a 00 0a 00", refusal.WireDuplicate},
		{"a number twice", &pb.SignedHeader{}, "60 01 60 01", refusal.WireDuplicate},
		{"a field of tomorrow", &pb.SignedHeader{}, "68 01", refusal.WireUnknownField},
		{"an unknown field inside", &pb.SignedPayload{}, "0a 02 68 01", refusal.WireUnknownField},
		{"an undeclared enumeration value", &pb.SignedHeader{}, "38 06", refusal.EnumUnknown},
		{"an enumeration value past 32 bits", &pb.SignedHeader{}, "38 81 80 80 80 10", refusal.EnumUnknown},
		{"an undeclared value in a packed list", &pb.VerificationQuery{}, "0a 02 01 63", refusal.EnumUnknown},
		{"broken UTF-8", &pb.SignedHeader{}, "0a 01 ff", refusal.TextEncoding},
		{"an overlong form", &pb.SignedHeader{}, "0a 02 c0 80", refusal.TextEncoding},
		{"a surrogate", &pb.SignedHeader{}, "0a 03 ed a0 80", refusal.TextEncoding},
		{"NUL", &pb.SignedHeader{}, "0a 01 00", refusal.TextControl},
		{"a line feed", &pb.SignedHeader{}, "0a 01 0a", refusal.TextControl},
		{"DEL", &pb.SignedHeader{}, "0a 01 7f", refusal.TextControl},
		{"a C1 control", &pb.SignedHeader{}, "0a 02 c2 85", refusal.TextControl},
		{"a no-break space, which is no control", &pb.SignedHeader{}, "0a 02 c2 a0", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			expect(t, row.reason, Decode(unhex(t, row.bytes), row.message))
		})
	}
}

// Covers: COL-SCN-008
func TestScanLimits(t *testing.T) {
	query := (&pb.VerificationQuery{}).ProtoReflect().Descriptor()
	packed := unhex(t, "0a 02 01 02")
	expect(t, "", Scan(packed, query, 3))
	expect(t, refusal.WireTooManyFields, Scan(packed, query, 2))
	expect(t, refusal.MessageTooLarge, Scan(make([]byte, limits.MessageBytes+1), query, 1))
	s := scanner{fieldsLeft: 1}
	expect(t, refusal.WireTooDeep, s.message(nil, query, limits.Nesting+1)) // no message of the contract goes so deep
}

// TestFullDirectory: as many keys as there may be are more fields than any other message may have.
func TestFullDirectory(t *testing.T) {
	full := &pb.KeyDirectory{Number: 1, Environment: "test", IssuedMs: 1}
	for i := 0; i < limits.Keys; i++ {
		full.Keys = append(full.Keys, &pb.Key{Party: "bank:x", Purpose: 1, Environment: "test", Algorithm: 1, PublicKey: []byte{1},
			ValidFromMs: 1, ValidUntilMs: 2, Status: 1, Possession: []byte{1}})
	}
	bytes := unhex(t, encoded(t, full))
	expect(t, "", DecodeDirectory(bytes, &pb.KeyDirectory{}))
	expect(t, refusal.WireTooManyFields, Decode(bytes, &pb.KeyDirectory{}))
}

// TestEveryPrefix: what is cut off anywhere is refused or read as the shorter message, and nothing panics.
func TestEveryPrefix(t *testing.T) {
	whole := unhex(t, encoded(t, &pb.OfferTerms{ApplicationId: "a", Version: 1, Bank: "bank:x", Fund: &pb.LoanPart{AmountFen: 1 << 40}}))
	for length := range whole {
		terms := &pb.OfferTerms{}
		if err := Decode(whole[:length], terms); err != nil && !refusal.Is(err) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func encoded(t *testing.T, message proto.Message) string {
	t.Helper()
	bytes, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(bytes)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func expect(t *testing.T, reason refusal.Reason, err error) {
	t.Helper()
	if reason == "" && err != nil || reason != "" && !errors.Is(err, reason) {
		t.Errorf("got %v, not %q", err, reason)
	}
}
