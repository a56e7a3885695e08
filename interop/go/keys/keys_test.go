package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/edwards25519"

	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

const party = "bank:cn-beta-js"

// writeKey writes a private key as openssl does.
func writeKey(t *testing.T, key any, mode os.FileMode) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "PRIVATE KEY", der, mode)
}

func writePEM(t *testing.T, kind string, der []byte, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// Covers: COL-KEY-001
func TestLoadSigner(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := LoadSigner(party, writeKey(t, private, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(signer.PublicKey().Bytes(), public) || signer.Party() != party {
		t.Error("the signer is another one than its file")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for file, reason := range map[string]refusal.Reason{
		"missing":                                    refusal.KeyFileMissing,
		writeKey(t, private, 0o640):                  refusal.KeyFileMode,
		writeKey(t, private, 0o604):                  refusal.KeyFileMode,
		t.TempDir():                                  refusal.KeyFileMode,
		writeKey(t, other, 0o600):                    refusal.KeyFileInvalid,
		writePEM(t, "PRIVATE KEY", []byte{1}, 0o600): refusal.KeyFileInvalid,
	} {
		if _, err := LoadSigner(party, file); !errors.Is(err, reason) {
			t.Errorf("got %v, not %s", err, reason)
		}
	}
	if _, err := LoadSigner("bank", writeKey(t, private, 0o600)); err == nil {
		t.Error("a signer of no party")
	}
}

func TestLoadPublicKey(t *testing.T) {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := LoadPublicKey(writePEM(t, "PUBLIC KEY", der, 0o644))
	if err != nil || !bytes.Equal(key.Bytes(), public) {
		t.Errorf("got %x, %v", key.Bytes(), err)
	}
	if _, err := LoadPublicKey(writePEM(t, "PUBLIC KEY", der[1:], 0o644)); !errors.Is(err, refusal.KeyFileInvalid) {
		t.Errorf("got %v", err)
	}
}

// Covers: COL-KEY-002
func TestWeakKeys(t *testing.T) {
	for name, text := range map[string]string{
		"the identity":                 "01" + strings.Repeat("00", 31),
		"the identity, not canonical":  "ee" + strings.Repeat("ff", 30) + "7f",
		"of order 2":                   "ec" + strings.Repeat("ff", 30) + "7f",
		"of order 4":                   strings.Repeat("00", 32),
		"of order 8":                   "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"x is 0 with the other sign":   "01" + strings.Repeat("00", 30) + "80",
		"no point at all":              "02" + strings.Repeat("00", 31),
		"31 bytes":                     strings.Repeat("01", 31),
		"nothing":                      "",
		"33 bytes, the first 32 right": "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b800",
	} {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePublicKey(key); !errors.Is(err, refusal.KeyWeak) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPointsBesideTheMainSubgroup: a good key plus a point of order 2, 4 or 8 verifies some of what the good one signs.
func TestPointsBesideTheMainSubgroup(t *testing.T) {
	good, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := new(edwards25519.Point).SetBytes(good)
	if err != nil {
		t.Fatal(err)
	}
	small, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05") // of order 8
	if err != nil {
		t.Fatal(err)
	}
	step, err := new(edwards25519.Point).SetBytes(small)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 8; i++ {
		point.Add(point, step)
		if _, err := ParsePublicKey(point.Bytes()); !errors.Is(err, refusal.KeyWeak) {
			t.Errorf("%d steps beside: got %v", i, err)
		}
	}
	if _, err := ParsePublicKey(point.Add(point, step).Bytes()); err != nil {
		t.Errorf("eight steps lead back to a good key: got %v", err)
	}
}

// Covers: COL-KEY-005
func TestIdentityAsR(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	signer, err := NewSigner(party, ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	signature := append([]byte{1}, make([]byte, 63)...)
	if signer.PublicKey().Verify([]byte("anything"), signature) || signer.PublicKey().Verify([]byte("anything"), signature[:63]) {
		t.Error("what nobody signed verifies")
	}
}

// Covers: COL-KEY-008
func TestInForce(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	for _, row := range []struct {
		status    pb.KeyStatus
		second    int64
		is, wasIn bool
	}{
		{pb.KeyStatus_KEY_STATUS_ACTIVE, 9, false, false},
		{pb.KeyStatus_KEY_STATUS_ACTIVE, 10, true, true},
		{pb.KeyStatus_KEY_STATUS_ACTIVE, 19, true, true},
		{pb.KeyStatus_KEY_STATUS_ACTIVE, 20, false, false},
		{pb.KeyStatus_KEY_STATUS_RETIRING, 15, true, true},
		{pb.KeyStatus_KEY_STATUS_RETIRED, 15, false, true},
		{pb.KeyStatus_KEY_STATUS_COMPROMISED, 15, false, true},
		{pb.KeyStatus_KEY_STATUS_COMPROMISED, 20, false, false},
	} {
		entry := Entry{Status: row.status, ValidFrom: at(10), ValidUntil: at(20)}
		if entry.IsInForce(at(row.second)) != row.is || entry.WasInForce(at(row.second)) != row.wasIn {
			t.Errorf("%s at %d", row.status, row.second)
		}
	}
}

func TestNames(t *testing.T) {
	for text, fits := range map[string]bool{
		"bank:cn-beta-js": true, "officer:a": true, "bank:": false, "bank:A": false, "bank:a b": false, "shop:a": false,
		"bank:" + strings.Repeat("a", 59): true, "bank:" + strings.Repeat("a", 60): false,
	} {
		if IsParty(text) != fits {
			t.Errorf("party %q", text)
		}
	}
	for text, fits := range map[string]bool{"prod": true, "test": true, "conf/run-1": true, "conf/": false, "dev": false} {
		if IsEnvironment(text) != fits {
			t.Errorf("environment %q", text)
		}
	}
}
