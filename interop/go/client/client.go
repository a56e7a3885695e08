// Package client calls the centre: one signed message, sent again with the same bytes until its outcome is known (chapters 4.1,
// 6 and 10).
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

const triesMax = 8

// Client speaks for one party with one centre. It may be used by many goroutines.
type Client struct {
	connection grpc.ClientConnInterface
	signer     *keys.Signer
	directory  atomic.Pointer[directory.Directory]
	Tries      int           // of Send, before it gives the outcome up as unknown
	Deadline   time.Duration // of one try
}

// New makes a client.
func New(connection grpc.ClientConnInterface, signer *keys.Signer, known *directory.Directory) *Client {
	client := &Client{connection: connection, signer: signer, Tries: triesMax, Deadline: limits.Deadline}
	client.directory.Store(known)
	return client
}

// Party is the one that the client speaks for.
func (c *Client) Party() string { return c.signer.Party() }

// Directory is the newest key directory that is known.
func (c *Client) Directory() *directory.Directory { return c.directory.Load() }

// Centre is the party at the other end.
func (c *Client) Centre() string { return c.Directory().Trust.Centre }

// -- Sealing -------------------------------------------------------------------------------------------------------

// Options of a message; the zero value fits most requests.
type Options struct {
	ApplicationID string
	Disclosures   []*pb.Disclosure
	Direction     pb.Direction     // REQUEST when it is not said
	InReplyTo     *envelope.Digest // of an acknowledgement
	MessageID     []byte           // made when it is not given
	Created       time.Time        // now when it is not given
	Life          time.Duration    // as long as there may be when it is not given
}

// Seal signs a message to the centre. A request that changes something is kept durably before it is sent.
func (c *Client) Seal(method string, body proto.Message, options Options) (*envelope.Sealed, error) {
	if options.Created.IsZero() {
		options.Created = time.Now()
	}
	if options.Life == 0 {
		options.Life = limits.Life
	}
	if options.Direction == pb.Direction_DIRECTION_UNSPECIFIED {
		options.Direction = pb.Direction_DIRECTION_REQUEST
	}
	if options.MessageID == nil {
		id, err := envelope.NewUUID(options.Created)
		if err != nil {
			return nil, err
		}
		options.MessageID = id
	}
	header := &pb.SignedHeader{
		Environment:   c.Directory().Environment(),
		MessageId:     options.MessageID,
		Recipient:     c.Centre(),
		Method:        method,
		Direction:     options.Direction,
		CreatedMs:     options.Created.UnixMilli(),
		ExpiresMs:     options.Created.Add(options.Life).UnixMilli(),
		ApplicationId: options.ApplicationID,
	}
	if options.InReplyTo != nil {
		header.InReplyTo = options.InReplyTo[:]
	}
	return envelope.Seal(c.signer, header, body, options.Disclosures)
}

// -- Opening -------------------------------------------------------------------------------------------------------

// Open verifies what the centre says. An unknown key may stand in a newer directory, which is asked for once before the message
// is refused.
func (c *Client) Open(ctx context.Context, b []byte, method string, inReplyTo *envelope.Digest,
	bodies ...envelope.Body) (*envelope.Message, error) {
	opened, err := c.openNow(b, method, inReplyTo, bodies)
	if !errors.Is(err, refusal.KeyUnknown) && !errors.Is(err, refusal.KeyNotValid) || method == contract.GetKeys {
		return opened, err
	}
	held := c.Directory().Number
	if c.RefreshDirectory(ctx) != nil || c.Directory().Number == held {
		return nil, err
	}
	return c.openNow(b, method, inReplyTo, bodies)
}

func (c *Client) openNow(b []byte, method string, inReplyTo *envelope.Digest, bodies []envelope.Body) (*envelope.Message, error) {
	return envelope.Open(b, envelope.Expected{
		Keyring:   c.Directory(),
		Sender:    c.Centre(),
		Recipient: c.Party(),
		Method:    method,
		Bodies:    bodies,
		InReplyTo: inReplyTo,
		Now:       time.Now(),
	})
}

// Refused makes a typed error of a call or stream that failed; `asked` is the message it answers, nil when it may be any.
func (c *Client) Refused(ctx context.Context, failed error, method string, asked *envelope.Digest) error {
	return refused(failed, func(b []byte) (*pb.Refusal, error) {
		body := envelope.Body{Message: &pb.Refusal{}, Direction: pb.Direction_DIRECTION_REFUSAL}
		opened, err := c.Open(ctx, b, method, asked, body)
		if err != nil {
			return nil, err
		}
		return opened.Body.(*pb.Refusal), nil
	})
}

// -- Calls ---------------------------------------------------------------------------------------------------------

// Reply is an answer that was verified, and its bytes.
type Reply struct {
	*envelope.Message
	Bytes []byte
}

// SendOnce tries once. What does not verify is no answer: the outcome is unknown.
func (c *Client) SendOnce(ctx context.Context, method contract.Method, sealed *envelope.Sealed) (*Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	bytes, err := transport.Call(ctx, c.connection, method.Name, sealed.Envelope)
	if err != nil {
		return nil, c.Refused(ctx, err, method.Name, &sealed.Digest)
	}
	body := envelope.Body{Message: method.Reply, Direction: pb.Direction_DIRECTION_REPLY}
	opened, err := c.Open(ctx, bytes, method.Name, &sealed.Digest, body)
	if err != nil {
		return nil, unknownOutcome(refusal.PeerAnswerInvalid, err)
	}
	return &Reply{Message: opened, Bytes: bytes}, nil
}

// Send sends the same bytes until the outcome is known. When it still is not after all tries, refusal.Again tells so.
func (c *Client) Send(ctx context.Context, method contract.Method, sealed *envelope.Sealed) (*Reply, error) {
	for left := c.Tries; ; left-- {
		reply, err := c.SendOnce(ctx, method, sealed)
		delay, again := refusal.Again(err)
		if !again || left <= 1 {
			return reply, err
		}
		if err := Pause(ctx, delay); err != nil {
			return nil, unknownOutcome(refusal.CallCancelled, err)
		}
	}
}

// Pause waits, up to a fifth longer so that not all banks come at the same moment, or until its context ends.
func Pause(ctx context.Context, delay time.Duration) error {
	jitter, err := rand.Int(rand.Reader, big.NewInt(int64(delay)/5+1))
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay + time.Duration(jitter.Int64()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Call seals and sends a question that changes nothing, and gives the body of its reply.
func Call[A proto.Message](ctx context.Context, c *Client, method contract.Method, body proto.Message, options Options) (A, error) {
	var none A
	sealed, err := c.Seal(method.Name, body, options)
	if err != nil {
		return none, err
	}
	reply, err := c.Send(ctx, method, sealed)
	if err != nil {
		return none, err
	}
	answer, fits := reply.Body.(A)
	if !fits {
		return none, fmt.Errorf("%s is answered by %T", method.Name, reply.Body)
	}
	return answer, nil
}

// OpenStream begins a stream in both directions.
func (c *Client) OpenStream(ctx context.Context, method string) (transport.Stream, error) {
	return transport.OpenStream(ctx, c.connection, method)
}

// -- The key directory ---------------------------------------------------------------------------------------------

// RefreshDirectory takes a newer directory over, if there is one: it verifies with the pinned key, whoever brought it.
func (c *Client) RefreshDirectory(ctx context.Context) error {
	held := c.Directory()
	answer, err := Call[*pb.KeysAnswer](ctx, c, contract.Keys, &pb.KeysQuery{KnownNumber: held.Number}, Options{})
	if err != nil || len(answer.Directory) == 0 {
		return err
	}
	newer, err := directory.Load(answer.Directory, held.Trust, held.Number)
	if err != nil {
		return err
	}
	c.directory.CompareAndSwap(held, newer)
	return nil
}

// KeepDirectory refreshes the directory at once and every hour, until its context ends.
func (c *Client) KeepDirectory(ctx context.Context, say func(string)) {
	for ctx.Err() == nil {
		if err := c.RefreshDirectory(ctx); err != nil && ctx.Err() == nil {
			say("key directory: " + err.Error())
		}
		if Pause(ctx, limits.DirectoryAge) != nil {
			return
		}
	}
}
