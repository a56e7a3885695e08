// Package centretest is a small centre for tests: real mutual TLS, real signatures, no rules and no store. It is no reference for
// a centre.
package centretest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/transport"
)

// The parties of the scheme.
const (
	CentreParty = "fund:cn-nj-prov"
	BankParty   = "bank:cn-beta-js"
	OtherParty  = "bank:cn-alpha-js"
	Environment = "test"
)

const day = 24 * time.Hour

// Scheme is a certification authority, keys and certificates of three parties, and the directory that lists them.
type Scheme struct {
	Signers   map[string]*keys.Signer
	Listed    []*pb.Key
	Trust     directory.Trust
	Directory *directory.Directory
	register  *keys.Signer // signs directories in the centre's name
	authority *x509.Certificate
	caKey     *ecdsa.PrivateKey
}

// Must gives a value that a test cannot do without.
func Must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// NewSigner makes a key of a party.
func NewSigner(t *testing.T, party string) *keys.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := keys.NewSigner(party, private)
	return Must(t, signer, err)
}

// NewScheme makes everything anew.
func NewScheme(t *testing.T) *Scheme {
	t.Helper()
	s := &Scheme{Signers: map[string]*keys.Signer{}, register: NewSigner(t, CentreParty)}
	s.makeAuthority(t)
	for _, party := range []string{CentreParty, BankParty, OtherParty} {
		s.Signers[party] = NewSigner(t, party)
		s.Listed = append(s.Listed, Entry(t, s.Signers[party]))
	}
	s.Trust = directory.Trust{Key: s.register.PublicKey(), Centre: CentreParty, Environment: Environment}
	loaded, err := directory.Load(s.Issue(t, 1, s.Listed), s.Trust, 0)
	s.Directory = Must(t, loaded, err)
	return s
}

// Entry is a key as a directory lists it.
func Entry(t *testing.T, signer *keys.Signer) *pb.Key {
	t.Helper()
	possession, err := signer.ProvePossession(Environment)
	return &pb.Key{
		Party:        signer.Party(),
		Purpose:      pb.KeyPurpose_KEY_PURPOSE_SIGN,
		Environment:  Environment,
		Algorithm:    pb.KeyAlgorithm_KEY_ALGORITHM_ED25519,
		PublicKey:    signer.PublicKey().Bytes(),
		ValidFromMs:  time.Now().Add(-day).UnixMilli(),
		ValidUntilMs: time.Now().Add(day).UnixMilli(),
		Status:       pb.KeyStatus_KEY_STATUS_ACTIVE,
		Possession:   Must(t, possession, err),
	}
}

// Issue signs a directory.
func (s *Scheme) Issue(t *testing.T, number uint64, listed []*pb.Key) []byte {
	t.Helper()
	now := time.Now()
	body := &pb.KeyDirectory{Number: number, Environment: Environment, IssuedMs: now.UnixMilli(), Keys: listed}
	return s.IssueAs(t, body, func(*pb.SignedHeader) {})
}

// IssueAs signs a directory whose header is changed before.
func (s *Scheme) IssueAs(t *testing.T, body *pb.KeyDirectory, change func(*pb.SignedHeader)) []byte {
	t.Helper()
	header := &pb.SignedHeader{
		Environment: Environment,
		MessageId:   NewID(t),
		Method:      contract.GetKeys,
		Direction:   pb.Direction_DIRECTION_EVENT,
		CreatedMs:   body.IssuedMs,
		Sequence:    body.Number,
	}
	change(header)
	sealed, err := envelope.Seal(s.register, header, body, nil)
	return Must(t, sealed, err).Envelope
}

// NewID makes a message id.
func NewID(t *testing.T) []byte {
	t.Helper()
	id, err := envelope.NewUUID(time.Now())
	return Must(t, id, err)
}

// Say seals a message of the centre to the bank.
func (s *Scheme) Say(t *testing.T, body proto.Message, change func(*pb.SignedHeader), disclosures ...*pb.Disclosure) *envelope.Sealed {
	t.Helper()
	header := &pb.SignedHeader{
		Environment: Environment,
		MessageId:   NewID(t),
		Recipient:   BankParty,
		CreatedMs:   time.Now().UnixMilli(),
		ExpiresMs:   time.Now().Add(time.Minute).UnixMilli(),
	}
	change(header)
	sealed, err := envelope.Seal(s.Signers[CentreParty], header, body, disclosures)
	return Must(t, sealed, err)
}

// Event seals an event with a number.
func (s *Scheme) Event(t *testing.T, sequence uint64, event *pb.Event, disclosures ...*pb.Disclosure) *envelope.Sealed {
	t.Helper()
	return s.Say(t, event, func(header *pb.SignedHeader) {
		header.Method = contract.Deliver
		header.Direction = pb.Direction_DIRECTION_EVENT
		header.ExpiresMs = 0
		header.Sequence = sequence
		header.ApplicationId = event.ApplicationId
	}, disclosures...)
}

// -- Certificates --------------------------------------------------------------------------------------------------

func (s *Scheme) makeAuthority(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.caKey = Must(t, key, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(day), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	parsed, failed := x509.ParseCertificate(Must(t, der, err))
	s.authority = Must(t, parsed, failed)
}

// Identity makes a certificate with URI names.
func (s *Scheme) Identity(t *testing.T, names ...string) transport.Identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(day), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, name := range names {
		uri, err := url.Parse(name)
		template.URIs = append(template.URIs, Must(t, uri, err))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.authority, key.Public(), s.caKey)
	pool := x509.NewCertPool()
	pool.AddCert(s.authority)
	return transport.Identity{
		Certificate: tls.Certificate{Certificate: [][]byte{Must(t, der, err)}, PrivateKey: key},
		Authorities: pool,
	}
}

// IdentityOf makes the certificate of a party.
func (s *Scheme) IdentityOf(t *testing.T, party string) transport.Identity {
	t.Helper()
	return s.Identity(t, "urn:coloan:party:"+party)
}
