package transport_test

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"coloan.example/interop/go/internal/centretest"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/transport"
)

const urn = "urn:coloan:party:"

// call serves one unary method with one certificate, and calls it with another.
func call(t *testing.T, server, client transport.Identity, message []byte) ([]byte, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := transport.NewServer(centretest.CentreParty, server)
	transport.Handle(service, "coloan.v1.BankInbox", "Notify", func(_ context.Context, request []byte) ([]byte, error) { return request, nil })
	go service.Serve(listener)
	defer service.Stop()
	connection, err := transport.Dial(listener.Addr().String(), centretest.BankParty, client)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return transport.Call(ctx, connection, "coloan.v1.BankInbox/Notify", message)
}

// Covers: COL-TLS-001, COL-TLS-003, COL-TLS-005, COL-CAL-001
func TestPeers(t *testing.T) {
	scheme, strangers := centretest.NewScheme(t), centretest.NewScheme(t)
	bank, centre := scheme.IdentityOf(t, centretest.BankParty), scheme.IdentityOf(t, centretest.CentreParty)
	twoNames := scheme.Identity(t, urn+centretest.CentreParty, urn+centretest.BankParty)
	stranger := strangers.IdentityOf(t, centretest.CentreParty)
	stranger.Authorities = scheme.IdentityOf(t, centretest.CentreParty).Authorities
	for _, row := range []struct {
		name           string
		server, client transport.Identity
		code           codes.Code
	}{
		{"the bank and the centre", bank, centre, codes.OK},
		{"a server of another party", scheme.IdentityOf(t, centretest.OtherParty), centre, codes.Unavailable},
		{"a client of another party", bank, scheme.IdentityOf(t, centretest.OtherParty), codes.Unavailable},
		{"a client without a name", bank, scheme.Identity(t), codes.Unavailable},
		{"a client with two names", bank, twoNames, codes.Unavailable},
		{"a client of another authority", bank, stranger, codes.Unavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer, err := call(t, row.server, row.client, []byte("as it is"))
			if status.Code(err) != row.code || row.code == codes.OK && string(answer) != "as it is" {
				t.Errorf("got %q, %v", answer, err)
			}
		})
	}
}

// Covers: COL-TLS-007
func TestMessageSize(t *testing.T) {
	scheme := centretest.NewScheme(t)
	bank, centre := scheme.IdentityOf(t, centretest.BankParty), scheme.IdentityOf(t, centretest.CentreParty)
	if _, err := call(t, bank, centre, make([]byte, limits.MessageBytes)); err != nil {
		t.Error(err)
	}
	if _, err := call(t, bank, centre, make([]byte, limits.MessageBytes+1)); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}
