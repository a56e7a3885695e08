// Package transport carries envelopes as the bytes they are over gRPC and mutual TLS 1.3, to and from parties that their
// certificates name (chapter 2).
package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

const partyURI = "urn:coloan:party:"

// Identity is a party's own certificate and whom it trusts.
type Identity struct {
	Certificate tls.Certificate
	Authorities *x509.CertPool // the scheme's roots, and the intermediates that the centre's operator has named
}

// LoadIdentity reads PEM files.
func LoadIdentity(authorities, certificate, key string) (Identity, error) {
	text, err := os.ReadFile(authorities)
	if err != nil {
		return Identity{}, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return Identity{}, fmt.Errorf("%s holds no certificate", authorities)
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	return Identity{Certificate: pair, Authorities: pool}, err
}

// clientConfig dials only a server that the peer's certificate names. The standard check is switched off because it asks for
// the host name, which is no identity here; verifyPeer does all of the rest of it.
func (i Identity) clientConfig(peer string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{i.Certificate},
		InsecureSkipVerify: true,
		VerifyConnection:   i.verifyPeer(peer, x509.ExtKeyUsageServerAuth),
	}
}

// serverConfig lets only one peer in.
func (i Identity) serverConfig(peer string) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		Certificates:     []tls.Certificate{i.Certificate},
		ClientAuth:       tls.RequireAnyClientCert,
		VerifyConnection: i.verifyPeer(peer, x509.ExtKeyUsageClientAuth),
	}
}

// verifyPeer takes the peer's own certificate only when an authority of ours signed it; what else the peer sends is not
// looked at, so that no chain is longer than the scheme allows.
func (i Identity) verifyPeer(peer string, usage x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the peer has no certificate")
		}
		certificate := state.PeerCertificates[0]
		options := x509.VerifyOptions{Roots: i.Authorities, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := certificate.Verify(options); err != nil {
			return err
		}
		return checkParty(certificate, peer)
	}
}

// checkParty asks for exactly one URI name, the party's: neither CN nor host names count.
func checkParty(certificate *x509.Certificate, party string) error {
	if len(certificate.URIs) != 1 || certificate.URIs[0].String() != partyURI+party {
		return fmt.Errorf("the certificate does not name %s", party)
	}
	return nil
}
