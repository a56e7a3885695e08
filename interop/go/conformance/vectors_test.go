// Package conformance holds this bank to what every implementation has to make, or judge, alike: the golden vectors of
// interop/vectors and the worked example of the specification.
package conformance

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/personal"
	"coloan.example/interop/go/refusal"
)

const folder = "../../vectors"

// files are all files with cases, and how many each has: a case that is not run is seen.
var files = map[string]struct {
	cases int
	run   func(*testing.T, world, row)
}{
	"pae":        {6, makePAE},
	"keyid":      {9, makeKeyID},
	"possession": {10, judgePossession},
	"commitment": {7, makeCommitment},
	"signature":  {8, judgeSignature},
	"directory":  {10, judgeDirectory},
	"envelope":   {63, judgeEnvelope},
	"batch":      {10, judgeBatch},
}

// hexBytes are bytes that a file writes as hex.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*b = decoded
	return err
}

// row is one case: each file fills what it has.
type row struct {
	Name          string
	Expect        string
	Seed          hexBytes
	PayloadType   string `json:"payload_type"`
	Payload       hexBytes
	PAE           hexBytes
	Digest        hexBytes
	Signature     hexBytes
	PublicKey     hexBytes `json:"public_key"`
	KeyID         string   `json:"keyid"`
	Party         string
	Environment   string
	Possession    hexBytes
	Path          string
	Salt          hexBytes
	Value         hexBytes
	Commitment    hexBytes
	Message       hexBytes
	Directory     hexBytes
	HeldNumber    uint64 `json:"held_number"`
	Envelope      hexBytes
	ZerosAppended int `json:"zeros_appended"`
	Sender        string
	Recipient     string
	Method        string
	BodyType      string `json:"body_type"`
	Direction     string
	InReplyTo     hexBytes `json:"in_reply_to"`
	NowMs         int64    `json:"now_ms"`
	MessageID     hexBytes `json:"message_id"`
	Stored        hexBytes
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestVectors(t *testing.T) {
	parties := readParties(t)
	found, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(found) != len(files)+1 { // and parties.json
		t.Fatalf("the vectors are %v, %v", found, err)
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			var content struct{ Cases []row }
			readJSON(t, name, &content)
			if len(content.Cases) != file.cases {
				t.Fatalf("%d cases, %d were known", len(content.Cases), file.cases)
			}
			for _, one := range content.Cases {
				t.Run(one.Name, func(t *testing.T) { file.run(t, parties, one) })
			}
		})
	}
}

// -- To be made ----------------------------------------------------------------------------------------------------

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is %x, not %x", what, got, want)
	}
}

func makePAE(t *testing.T, _ world, one row) {
	text := envelope.PAE(one.PayloadType, one.Payload)
	digest := envelope.DigestOf(one.PayloadType, one.Payload)
	signer, err := keys.NewSigner("fund:cn-example", ed25519.NewKeyFromSeed(one.Seed))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "PAE", text, one.PAE)
	same(t, "digest", digest[:], one.Digest)
	same(t, "public key", signer.PublicKey().Bytes(), one.PublicKey)
	same(t, "signature", signature, one.Signature)
}

func makeKeyID(t *testing.T, _ world, one row) {
	key, err := keys.ParsePublicKey(one.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if key.ID() != one.KeyID {
		t.Errorf("the key id is %s, not %s", key.ID(), one.KeyID)
	}
}

func makeCommitment(t *testing.T, _ world, one row) {
	same(t, "commitment", personal.Commit(one.Path, one.Salt, one.Value), one.Commitment)
}

// -- To be judged --------------------------------------------------------------------------------------------------

// judge compares what became of a case with what is expected: "OK", or the name of the one reason.
func judge(t *testing.T, expect string, err error) {
	t.Helper()
	if expect == "OK" && err != nil {
		t.Errorf("refused: %v", err)
	}
	if expect != "OK" && !errors.Is(err, refusal.Reason(expect)) {
		t.Errorf("got %v, not %s", err, expect)
	}
}

func verifies(publicKey, message, signature []byte, otherwise refusal.Reason) error {
	key, err := keys.ParsePublicKey(publicKey)
	if err != nil {
		return err
	}
	if !key.Verify(message, signature) {
		return otherwise
	}
	return nil
}

func judgePossession(t *testing.T, _ world, one row) {
	text := keys.Possession(one.Party, one.Environment, one.PublicKey)
	judge(t, one.Expect, verifies(one.PublicKey, text, one.Possession, refusal.KeyPossession))
}

func judgeSignature(t *testing.T, _ world, one row) {
	err := verifies(one.PublicKey, one.Message, one.Signature, refusal.SignatureInvalid)
	if errors.Is(err, refusal.KeyWeak) {
		err = refusal.SignatureInvalid // the file asks whether the signature holds: by a weak key none does
	}
	judge(t, one.Expect, err)
}

// world is the parties of the cases.
type world struct{ *directory.Directory }

func readParties(t *testing.T) world {
	t.Helper()
	var content struct {
		Environment  string
		Centre       string
		DirectoryKey hexBytes `json:"directory_key"`
		Directory    hexBytes
	}
	readJSON(t, "parties", &content)
	key, err := keys.ParsePublicKey(content.DirectoryKey)
	if err != nil {
		t.Fatal(err)
	}
	trust := directory.Trust{Key: key, Centre: content.Centre, Environment: content.Environment}
	loaded, err := directory.Load(content.Directory, trust, 0)
	if err != nil {
		t.Fatal(err)
	}
	return world{loaded}
}

func judgeDirectory(t *testing.T, known world, one row) {
	_, err := directory.Load(one.Directory, known.Trust, one.HeldNumber)
	judge(t, one.Expect, err)
}

var bodies = map[string]proto.Message{"Application": &pb.Application{}, "BankDecision": &pb.BankDecision{}}

// receive does all checks of a receiver but duplicates and business.
func receive(t *testing.T, known world, one row) (*envelope.Message, error) {
	t.Helper()
	body, hasBody := bodies[one.BodyType]
	direction, hasDirection := pb.Direction_value["DIRECTION_"+one.Direction]
	if !hasBody || !hasDirection || one.Environment != known.Environment() {
		t.Fatalf("the case is about %s %s %s", one.Environment, one.BodyType, one.Direction)
	}
	expected := envelope.Expected{
		Keyring:   known,
		Sender:    one.Sender,
		Recipient: one.Recipient,
		Method:    one.Method,
		Bodies:    []envelope.Body{{Message: body, Direction: pb.Direction(direction)}},
		Now:       time.UnixMilli(one.NowMs),
	}
	if len(one.InReplyTo) > 0 {
		expected.InReplyTo = (*envelope.Digest)(one.InReplyTo)
	}
	opened, err := envelope.Open(append(one.Envelope, make([]byte, one.ZerosAppended)...), expected)
	if err != nil {
		return nil, err
	}
	fields := personal.Commitments{}
	if application, isApplication := opened.Body.(*pb.Application); isApplication {
		if fields, err = personal.Fields(application); err != nil {
			return nil, err
		}
	}
	_, err = personal.RevealAll(fields, opened.Disclosures)
	return opened, err
}

func judgeEnvelope(t *testing.T, known world, one row) {
	opened, err := receive(t, known, one)
	judge(t, one.Expect, err)
	if one.Digest == nil || err != nil {
		return
	}
	stored, err := envelope.Stored(opened.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "digest", opened.Digest[:], one.Digest)
	same(t, "message id", opened.Header.MessageId, one.MessageID)
	same(t, "stored form", stored, one.Stored)
}

// judgeBatch: this bank does not have the batch profile, so that a proof is refused whatever it proves.
func judgeBatch(t *testing.T, known world, one row) {
	sent := &pb.Envelope{}
	if err := proto.Unmarshal(one.Envelope, sent); err != nil {
		t.Fatal(err)
	}
	for _, signature := range sent.Signatures {
		if signature.Batch != nil {
			one.Expect = string(refusal.ProfileUnsupported)
		}
	}
	_, err := receive(t, known, one)
	judge(t, one.Expect, err)
}
