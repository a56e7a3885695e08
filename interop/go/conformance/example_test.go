package conformance

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/personal"
)

const (
	specification = "../../../docs/spec/en/specification.md"
	application   = "019abcde-0000-7000-8000-000000000001"
	day           = 24 * time.Hour
)

var created = time.Date(2026, time.November, 25, 0, 0, 0, 0, time.UTC)

// TestWorkedExample makes every row of the specification's worked example, byte for byte.
func TestWorkedExample(t *testing.T) {
	rows := readExample(t)
	made := map[string][]byte{}
	for _, part := range []func(*testing.T, map[string][]byte){makeKey, makeMessage, makePersonal, makeTerms} {
		part(t, made)
	}
	if len(rows) != 18 {
		t.Errorf("the example has %d rows", len(rows))
	}
	for name, want := range rows {
		if got := rendered(name, made[name]); got != want {
			t.Errorf("%s is\n%s, not\n%s", name, got, want)
		}
	}
}

// rendered is a row as the page writes it: hex, but for what is text.
func rendered(name string, value []byte) string {
	switch name {
	case "keyid", "payload_type", "path":
		return string(value)
	case "value":
		return fmt.Sprintf("%s = %x", value, value)
	default:
		return hex.EncodeToString(value)
	}
}

// readExample gives the rows of the page's block; a line that begins with a space goes on with the one before.
func readExample(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(specification)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\nseed  ")
	block, _, found := strings.Cut("seed  "+rest, "\n```")
	if !found {
		t.Fatal("the page has no worked example")
	}
	const column = 15
	rows, name := map[string]string{}, ""
	for _, line := range strings.Split(block, "\n") {
		if len(line) <= column {
			continue
		}
		if begins := strings.TrimSpace(line[:column]); begins != "" {
			name = begins
		}
		rows[name] += strings.TrimSpace(line[column:])
	}
	return rows
}

func seed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return seed
}

func signer(t *testing.T) *keys.Signer {
	t.Helper()
	signer, err := keys.NewSigner("bank:cn-beta-js", ed25519.NewKeyFromSeed(seed()))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// must gives what cannot fail in the example.
func must(t *testing.T) func([]byte, error) []byte {
	return func(value []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func makeKey(t *testing.T, made map[string][]byte) {
	made["seed"] = seed()
	made["public key"] = signer(t).PublicKey().Bytes()
	made["keyid"] = []byte(signer(t).PublicKey().ID())
	made["possession"] = must(t)(signer(t).ProvePossession("test"))
}

func makeMessage(t *testing.T, made map[string][]byte) {
	body := &pb.ApplicationQuery{ApplicationId: application}
	header := &pb.SignedHeader{
		Environment:   "test",
		MessageId:     must(t)(hex.DecodeString("01a21000880070008000000000000001")),
		Recipient:     "fund:cn-nj-prov",
		Method:        contract.GetApplication.Name,
		Direction:     pb.Direction_DIRECTION_REQUEST,
		CreatedMs:     created.UnixMilli(),
		ExpiresMs:     created.Add(10 * time.Minute).UnixMilli(),
		ApplicationId: application,
	}
	sealed, err := envelope.Seal(signer(t), header, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	made["header"] = must(t)(proto.Marshal(header))
	made["body"] = must(t)(proto.Marshal(body))
	made["payload"] = must(t)(proto.Marshal(&pb.SignedPayload{Header: header, Body: made["body"]}))
	made["payload_type"] = []byte(contract.PayloadType(body))
	made["PAE"] = envelope.PAE(contract.PayloadType(body), made["payload"])
	made["digest"] = sealed.Digest[:]
	made["sig"] = must(t)(signer(t).Sign(made["PAE"]))
	made["envelope"] = sealed.Envelope
}

func makePersonal(t *testing.T, made map[string][]byte) {
	made["path"] = []byte(personal.PathName(0))
	made["salt"] = must(t)(hex.DecodeString("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"))
	made["value"] = []byte("测试甲")
	made["commitment"] = personal.Commit(personal.PathName(0), made["salt"], made["value"])
}

func makeTerms(t *testing.T, made map[string][]byte) {
	part := func(amountFen int64, ratePpm int32) *pb.LoanPart {
		part := &pb.LoanPart{AmountFen: amountFen, RatePpm: ratePpm, TermMonths: 360,
			Method: pb.RepaymentMethod_REPAYMENT_METHOD_EQUAL_INSTALMENT}
		instalment, err := bank.InstalmentFen(part)
		if err != nil {
			t.Fatal(err)
		}
		part.InstalmentFen = instalment
		return part
	}
	made["terms"] = must(t)(proto.Marshal(&pb.OfferTerms{
		ApplicationId:   application,
		Version:         1,
		BankEpoch:       1,
		Bank:            "bank:cn-beta-js",
		Fund:            part(80_000_000, 26_000),
		Commercial:      part(24_000_000, 30_500),
		PriceFen:        130_000_000,
		DownPaymentFen:  26_000_000,
		ValidUntilMs:    created.Add(90 * day).UnixMilli(),
		InterestSubsidy: true,
	}))
	digest := sha256.Sum256(append([]byte("coloan terms v1\n"), made["terms"]...))
	made["terms_digest"] = digest[:]
}
