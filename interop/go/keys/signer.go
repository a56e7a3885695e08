package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

const othersMayRead = 0o077

// Signer signs in the name of a party. The key is any crypto.Signer: one from a file here, a bank's HSM in production.
type Signer struct {
	party  string
	key    crypto.Signer
	public PublicKey
}

// NewSigner binds a key to its party.
func NewSigner(party string, key crypto.Signer) (*Signer, error) {
	if !IsParty(party) {
		return nil, fmt.Errorf("%q is no party", party)
	}
	raw, isEd25519 := key.Public().(ed25519.PublicKey)
	if !isEd25519 {
		return nil, refusal.KeyFileInvalid
	}
	public, err := ParsePublicKey(raw)
	if err != nil {
		return nil, err
	}
	return &Signer{party: party, key: key, public: public}, nil
}

// LoadSigner reads a PEM PKCS#8 file as `openssl genpkey -algorithm ED25519` writes it, readable by its owner only.
func LoadSigner(party, file string) (*Signer, error) {
	text, err := readPrivate(file)
	if err != nil {
		return nil, err
	}
	defer wipe(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, refusal.KeyFileInvalid.Because("%s", file)
	}
	defer wipe(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, isEd25519 := parsed.(ed25519.PrivateKey)
	if err != nil || !isEd25519 {
		return nil, refusal.KeyFileInvalid.Because("%s", file)
	}
	return NewSigner(party, key)
}

// readPrivate looks at the file that it has opened, so that it cannot be exchanged in between.
func readPrivate(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, refusal.KeyFileMissing.Because("%s", name)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode()&othersMayRead != 0 {
		return nil, refusal.KeyFileMode.Because("%s: chmod 600", name)
	}
	text, err := io.ReadAll(io.LimitReader(file, limits.KeyFileBytes))
	if err != nil {
		return nil, refusal.KeyFileInvalid.Because("%s", name)
	}
	return text, nil
}

func wipe(secret []byte) {
	for i := range secret {
		secret[i] = 0
	}
}

// Party is the one that the signer signs for.
func (s *Signer) Party() string { return s.party }

// PublicKey is the half that stands in the directory.
func (s *Signer) PublicKey() PublicKey { return s.public }

// Sign signs the message itself, not a digest of it.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, message, crypto.Hash(0))
}

// ProvePossession makes the proof that the centre asks for before it lists the key.
func (s *Signer) ProvePossession(environment string) ([]byte, error) {
	return s.Sign(Possession(s.party, environment, s.public.raw[:]))
}
