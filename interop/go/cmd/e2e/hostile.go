package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	"coloan.example/interop/go/events"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

const (
	nobodys   = "01900000-0000-7000-8000-000000000000"
	shortWait = 3 * time.Second
)

// basic is a request that changes nothing; there is no such application.
func (w *world) basic(options client.Options) (*envelope.Sealed, error) {
	return w.main.client.Seal(contract.GetApplication.Name, &pb.ApplicationQuery{ApplicationId: nobodys}, options)
}

// -- Bytes ---------------------------------------------------------------------------------------------------------

func (w *world) hostileBytes() []step {
	spoiled := func(reason refusal.Reason, spoil func(*envelope.Sealed) error) func(context.Context) error {
		return func(ctx context.Context) error {
			sealed, err := w.basic(client.Options{})
			if err != nil {
				return err
			}
			if err := spoil(sealed); err != nil {
				return err
			}
			_, err = w.main.client.SendOnce(ctx, contract.GetApplication, sealed)
			return refused(reason, err)
		}
	}
	flip := func(field func(*pb.Envelope) []byte) func(*envelope.Sealed) error {
		return func(sealed *envelope.Sealed) error {
			content := &pb.Envelope{}
			if err := proto.Unmarshal(sealed.Envelope, content); err != nil {
				return err
			}
			bytes := field(content)
			bytes[len(bytes)-1] ^= 1
			flipped, err := proto.Marshal(content)
			sealed.Envelope = flipped
			return err
		}
	}
	return []step{
		{"a flipped bit of the payload is SIGNATURE_INVALID", spoiled(refusal.SignatureInvalid,
			flip(func(content *pb.Envelope) []byte { return content.Payload }))},
		{"a flipped bit of the signature is SIGNATURE_INVALID", spoiled(refusal.SignatureInvalid,
			flip(func(content *pb.Envelope) []byte { return content.Signatures[0].Sig }))},
		{"a field that is not of this version is WIRE_UNKNOWN_FIELD", spoiled(refusal.WireUnknownField,
			func(sealed *envelope.Sealed) error {
				sealed.Envelope = append(sealed.Envelope, 0x78, 1)
				return nil
			})},
		{"another payload type is PAYLOAD_TYPE_WRONG", func(ctx context.Context) error {
			return refused(refusal.PayloadTypeWrong, w.sendOnce(ctx, w.main, contract.GetApplication, &pb.KeysQuery{}, client.Options{}))
		}},
	}
}

// -- Headers -------------------------------------------------------------------------------------------------------

// misled seals a basic request for another centre or environment.
func (w *world) misled(centre, environment string) (*envelope.Sealed, error) {
	trust := w.directory.Trust
	trust.Centre, trust.Environment = centre, environment
	elsewhere := *w.directory
	elsewhere.Trust = trust
	return client.New(w.main.connection, w.main.signer, &elsewhere).Seal(contract.GetApplication.Name,
		&pb.ApplicationQuery{ApplicationId: nobodys}, client.Options{})
}

func (w *world) hostileHeaders() []step {
	var steps []step
	add := func(reason refusal.Reason, signed bool, seal func() (*envelope.Sealed, error)) {
		title, check := string(reason)+" is refused", refused
		if signed {
			title, check = title+", and the refusal is signed", refusedSigned
		}
		steps = append(steps, step{title, func(ctx context.Context) error {
			sealed, err := seal()
			if err != nil {
				return err
			}
			_, err = w.main.client.SendOnce(ctx, contract.GetApplication, sealed)
			return check(reason, err)
		}})
	}
	basic := func(options func() client.Options) func() (*envelope.Sealed, error) {
		return func() (*envelope.Sealed, error) { return w.basic(options()) }
	}
	nothing := envelope.Digest(sha256.Sum256([]byte("nothing")))
	add(refusal.RecipientWrong, false, func() (*envelope.Sealed, error) { return w.misled("fund:cn-elsewhere", w.environment) })
	add(refusal.EnvironmentWrong, false, func() (*envelope.Sealed, error) { return w.misled(w.centre, "conf/another-run") })
	add(refusal.MethodWrong, false, func() (*envelope.Sealed, error) {
		return w.main.client.Seal(contract.ListApplications.Name, &pb.ApplicationQuery{ApplicationId: nobodys}, client.Options{})
	})
	add(refusal.DirectionWrong, false, basic(func() client.Options {
		return client.Options{Direction: pb.Direction_DIRECTION_ACK, InReplyTo: &nothing}
	}))
	add(refusal.MessageIDInvalid, false, basic(func() client.Options {
		return client.Options{MessageID: bytes.Repeat([]byte{1}, envelope.UUIDBytes)}
	}))
	add(refusal.Expired, true, basic(func() client.Options { return client.Options{Created: time.Now().Add(-time.Hour)} }))
	add(refusal.CreatedInFuture, true, basic(func() client.Options { return client.Options{Created: time.Now().Add(time.Hour)} }))
	add(refusal.LifetimeWrong, true, basic(func() client.Options { return client.Options{Life: time.Hour} }))
	add(refusal.ApplicationUnknown, true, basic(func() client.Options { return client.Options{} }))
	return steps
}

// -- Connections and parties ---------------------------------------------------------------------------------------

func (w *world) hostileTransport() []step {
	return []step{
		{"a compressed message is not even looked at", func(ctx context.Context) error {
			compress := grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name))
			return refused(refusal.MethodUnknown, w.sendBasicOver(ctx, w.centre, w.main.identity, compress))
		}},
	}
}

// sendBasicOver sends a request of the main bank over a connection of its own.
func (w *world) sendBasicOver(ctx context.Context, peer string, identity transport.Identity, more ...grpc.DialOption) error {
	connection, err := transport.Dial(w.target, peer, identity, more...)
	if err != nil {
		return err
	}
	defer connection.Close()
	sealed, err := w.basic(client.Options{})
	if err != nil {
		return err
	}
	over := client.New(connection, w.main.signer, w.directory)
	over.Deadline = shortWait
	_, err = over.SendOnce(ctx, contract.GetApplication, sealed)
	return err
}

// stranger is a certificate that says the right name and comes from nobody we agreed on.
func (w *world) stranger() (transport.Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return transport.Identity{}, err
	}
	name, err := url.Parse("urn:coloan:party:" + w.bank)
	if err != nil {
		return transport.Identity{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	pair := tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}
	return transport.Identity{Certificate: pair, Authorities: w.main.identity.Authorities}, err
}

func (w *world) hostileParties() []step {
	return []step{
		{"a message of ours on another bank's connection is KEY_UNKNOWN", func(ctx context.Context) error {
			other, err := w.newParty(ctx, w.other)
			if err != nil {
				return err
			}
			defer other.close()
			return refused(refusal.KeyUnknown, w.sendBasicOver(ctx, w.centre, other.identity))
		}},
		{"a message that another bank signed in our name is SENDER_WRONG", func(ctx context.Context) error {
			return refused(refusal.SenderWrong, w.impersonate(ctx))
		}},
		{"a certificate of a stranger does not connect", func(ctx context.Context) error {
			stranger, err := w.stranger()
			if err != nil {
				return err
			}
			return refused(refusal.PeerUnreachable, w.sendBasicOver(ctx, w.centre, stranger))
		}},
		{"a server that is not the centre is not talked to", func(ctx context.Context) error {
			return refused(refusal.PeerUnreachable, w.sendBasicOver(ctx, "fund:cn-elsewhere", w.main.identity))
		}},
	}
}

// impersonate signs in the main bank's name with the other bank's key, on the other bank's connection.
func (w *world) impersonate(ctx context.Context) error {
	liar, err := w.newParty(ctx, w.other)
	if err != nil {
		return err
	}
	defer liar.close()
	signer, err := keys.LoadSigner(w.bank, w.file(w.other, ".sign.key"))
	if err != nil {
		return err
	}
	sealed, err := client.New(liar.connection, signer, w.directory).Seal(contract.GetApplication.Name,
		&pb.ApplicationQuery{ApplicationId: nobodys}, client.Options{})
	if err != nil {
		return err
	}
	_, err = liar.client.SendOnce(ctx, contract.GetApplication, sealed)
	return err
}

// -- Personal values -----------------------------------------------------------------------------------------------

func (w *world) hostileDisclosures() []step {
	submit := func(reason refusal.Reason, spoil func([]*pb.Disclosure) []*pb.Disclosure) func(context.Context) error {
		return func(ctx context.Context) error {
			application, disclosures, err := w.approved.submission(w.centre, w.bank, "approve")
			if err != nil {
				return err
			}
			options := client.Options{Disclosures: spoil(disclosures)}
			return refused(reason, w.sendOnce(ctx, w.main, contract.SubmitApplication, application, options))
		}
	}
	return []step{
		{"a commitment without its value is DISCLOSURE_MISSING", submit(refusal.DisclosureMissing,
			func(all []*pb.Disclosure) []*pb.Disclosure { return all[1:] })},
		{"a value that was not committed to is DISCLOSURE_MISMATCH", submit(refusal.DisclosureMismatch,
			func(all []*pb.Disclosure) []*pb.Disclosure {
				all[0].Value = []byte("测试乙")
				return all
			})},
		{"a value for a path that is not there is DISCLOSURE_UNEXPECTED", submit(refusal.DisclosureUnexpected,
			func(all []*pb.Disclosure) []*pb.Disclosure {
				return append(all, &pb.Disclosure{Path: "persons[3].name", Salt: all[0].Salt, Value: all[0].Value})
			})},
	}
}

// -- Streams -------------------------------------------------------------------------------------------------------

// frame is one that a bank sends on Deliver.
type frame struct {
	body    proto.Message
	options client.Options
}

func (w *world) hostileStreams() []step {
	session := bytes.Repeat([]byte{7}, 16)
	opening := func(change func(*pb.Open)) frame {
		open := &pb.Open{SessionId: session, Epoch: uint64(time.Now().UnixMilli()), MaxOutstanding: 1}
		change(open)
		return frame{body: open}
	}
	right := func() frame { return opening(func(*pb.Open) {}) }
	event := envelope.Digest(sha256.Sum256([]byte("an event")))
	ack := func(sequence uint64) frame {
		return frame{&pb.Ack{Sequence: sequence, Level: pb.AckLevel_ACK_LEVEL_RECEIVED},
			client.Options{Direction: pb.Direction_DIRECTION_ACK, InReplyTo: &event}}
	}
	const noEvent = 1_000_000
	rows := []struct {
		name   string
		reason refusal.Reason
		frames []frame
	}{
		{"a stream that does not begin with Open", refusal.StateConflict, []frame{ack(1)}},
		{"a second Open", refusal.StateConflict, []frame{right(), right()}},
		{"an Open that lets nothing be sent", refusal.FieldInvalid, []frame{opening(func(open *pb.Open) { open.MaxOutstanding = 0 })}},
		{"an Open with half a session id", refusal.FieldInvalid, []frame{opening(func(open *pb.Open) { open.SessionId = session[:8] })}},
		{"an Open past the last event", refusal.SequenceWrong, []frame{opening(func(open *pb.Open) { open.ResumeAfter = noEvent })}},
		{"more credit than there may be", refusal.FieldInvalid, []frame{right(), {body: &pb.Credit{More: 1000}}}},
		{"an acknowledgement of no event", refusal.EventUnknown, []frame{right(), ack(noEvent)}},
	}
	steps := []step{}
	for _, row := range rows {
		row := row
		steps = append(steps, step{fmt.Sprintf("%s is %s", row.name, row.reason), func(ctx context.Context) error {
			return refused(row.reason, w.streamOf(ctx, row.frames))
		}})
	}
	return steps
}

// streamOf sends frames of the other bank, which has no events yet, and gives what ended the stream.
func (w *world) streamOf(ctx context.Context, frames []frame) error {
	ctx, cancel := context.WithTimeout(ctx, waitMax)
	defer cancel()
	other, err := w.newParty(ctx, w.other)
	if err != nil {
		return err
	}
	defer other.close()
	stream, err := other.client.OpenStream(ctx, contract.Deliver)
	if err != nil {
		return err
	}
	for _, one := range frames {
		sealed, err := other.client.Seal(contract.Deliver, one.body, one.options)
		if err != nil {
			return err
		}
		if err := stream.Send(sealed.Envelope); err != nil {
			break // the stream's end says why
		}
	}
	for {
		if _, err := stream.Receive(); err != nil {
			return other.client.Refused(ctx, err, contract.Deliver, nil)
		}
	}
}

func (w *world) fencing() []step {
	return []step{
		{"an older session is fenced off, and does not come back by itself", func(ctx context.Context) error {
			older, err := journal.Open(filepath.Join(w.work, "older"), make([]byte, journal.KeyBytes))
			if err != nil {
				return err
			}
			defer older.Close()
			unwanted := func(context.Context, *envelope.Message) (string, error) {
				return "", errors.New("an event for the old session")
			}
			intake := events.NewIntake(w.main.client, older, unwanted, say)
			stream, err := events.NewStream(intake, 0) // lower than any clock
			if err != nil {
				return err
			}
			return refused(refusal.StreamFenced, stream.Run(ctx))
		}},
	}
}
