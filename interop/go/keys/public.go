// Package keys names and verifies Ed25519 keys, and signs with the bank's own (chapter 5).
package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"regexp"

	"filippo.io/edwards25519"

	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

const (
	algorithmEd25519 = 1 // KEY_ALGORITHM_ED25519, the byte that is hashed into a key id
	idBytes          = 16
	possessionDomain = "coloan key possession v1\n"
)

var (
	partyForm       = regexp.MustCompile(`^(fund|bank|channel|officer|authority):[a-z0-9-]+$`)
	environmentForm = regexp.MustCompile(`^(prod|test|conf/[a-z0-9-]+)$`)
)

// IsParty tells whether a text is a party id.
func IsParty(text string) bool {
	return len(text) <= limits.PartyBytes && partyForm.MatchString(text)
}

// IsEnvironment tells whether a text names an environment.
func IsEnvironment(text string) bool {
	return len(text) <= limits.Environment && environmentForm.MatchString(text)
}

// PublicKey is a key that may verify: there is none but by ParsePublicKey, so a weak one never gets as far as a signature.
type PublicKey struct{ raw [ed25519.PublicKeySize]byte }

// ParsePublicKey takes 32 bytes that are a canonical point of the main subgroup. The standard library asks for neither: with a
// point of small order it accepts signatures that nobody made.
func ParsePublicKey(b []byte) (PublicKey, error) {
	point, err := new(edwards25519.Point).SetBytes(b)
	if err != nil {
		return PublicKey{}, refusal.KeyWeak
	}
	var key PublicKey
	copy(key.raw[:], point.Bytes())
	canonical := string(key.raw[:]) == string(b)
	if !canonical || point.Equal(edwards25519.NewIdentityPoint()) == 1 || !inMainSubgroup(point) {
		return PublicKey{}, refusal.KeyWeak
	}
	return key, nil
}

// inMainSubgroup tells whether the group's order L takes a point to the identity, asked as (L-1)P = -P: a scalar is less than L.
func inMainSubgroup(point *edwards25519.Point) bool {
	one := new(edwards25519.Scalar)
	if _, err := one.SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...)); err != nil {
		return false
	}
	minusOne := new(edwards25519.Scalar).Negate(one)
	return new(edwards25519.Point).ScalarMult(minusOne, point).Equal(new(edwards25519.Point).Negate(point)) == 1
}

// Bytes gives the 32 bytes of the key.
func (k PublicKey) Bytes() []byte { return append([]byte(nil), k.raw[:]...) }

// ID names the key: computed, never chosen.
func (k PublicKey) ID() string {
	digest := sha256.Sum256(append([]byte{algorithmEd25519}, k.raw[:]...))
	return hex.EncodeToString(digest[:idBytes])
}

// Verify is pure Ed25519, as strict as libsodium. The standard library refuses S >= L and compares R by its canonical bytes;
// with a key of the main subgroup the one R of small order that could still fit is the identity.
func (k PublicKey) Verify(message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	if string(signature[:32]) == string(edwards25519.NewIdentityPoint().Bytes()) {
		return false
	}
	return ed25519.Verify(k.raw[:], message, signature)
}

// Possession is the text that a key signs to prove that its party holds it.
func Possession(party, environment string, key []byte) []byte {
	return append([]byte(possessionDomain+party+"\n"+environment+"\n"), key...)
}

// LoadPublicKey reads a PEM file, as the centre's pinned directory key comes in.
func LoadPublicKey(file string) (PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return PublicKey{}, refusal.KeyFileMissing.Because("%s", file)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return PublicKey{}, refusal.KeyFileInvalid.Because("%s", file)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, isEd25519 := parsed.(ed25519.PublicKey)
	if err != nil || !isEd25519 {
		return PublicKey{}, refusal.KeyFileInvalid.Because("%s", file)
	}
	return ParsePublicKey(key)
}
