package centretest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

// Centre serves one bank. A test sets what it shall answer, and reads what it was sent.
type Centre struct {
	*Scheme
	t       *testing.T
	Address string

	mutex    sync.Mutex
	answers  map[string]func(*envelope.Message) (proto.Message, error)
	stored   map[string][]byte // message id -> reply
	calls    []string          // methods, in their order
	sent     [][]byte          // requests, in their order
	busy     []refusal.Reason  // for the next calls
	lost     int               // replies that do not arrive
	outbox   []*envelope.Sealed
	frames   []proto.Message // between heartbeat and events
	acks     []*pb.Ack
	streams  int
	stream   grpc.ServerStream
	ending   chan error // of the stream
	received []*envelope.Message
}

// Start makes a centre that runs until the test ends.
func Start(t *testing.T) *Centre {
	t.Helper()
	c := &Centre{Scheme: NewScheme(t), t: t, answers: map[string]func(*envelope.Message) (proto.Message, error){}, stored: map[string][]byte{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Address = strings.Replace(listener.Addr().String(), "127.0.0.1", "localhost", 1)
	server := transport.NewServer(BankParty, c.IdentityOf(t, CentreParty), grpc.UnknownServiceHandler(c.handle))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	c.Answer(contract.AcknowledgeEvent, func(*envelope.Message) (proto.Message, error) { return &pb.EventState{}, nil })
	return c
}

// Client is the bank's.
func (c *Centre) Client() *client.Client {
	c.t.Helper()
	connection, err := transport.Dial(c.Address, CentreParty, c.IdentityOf(c.t, BankParty))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { connection.Close() })
	return client.New(connection, c.Signers[BankParty], c.Directory)
}

// Answer says what a method gives.
func (c *Centre) Answer(method contract.Method, answer func(*envelope.Message) (proto.Message, error)) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.answers[method.Name] = answer
}

// Fail refuses the next calls, before anything else.
func (c *Centre) Fail(reasons ...refusal.Reason) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.busy = reasons
}

// Lose keeps the next replies from arriving.
func (c *Centre) Lose(replies int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.lost = replies
}

// Calls gives the methods that were called.
func (c *Centre) Calls() []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([]string(nil), c.calls...)
}

// Sent gives the requests, byte for byte.
func (c *Centre) Sent() [][]byte {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([][]byte(nil), c.sent...)
}

func (c *Centre) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	method = strings.TrimPrefix(method, "/")
	if method == contract.Deliver {
		return c.deliver(stream)
	}
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	reply, err := c.unary(method, request)
	if err != nil {
		return err
	}
	return stream.SendMsg(reply)
}

func (c *Centre) unary(method string, request []byte) ([]byte, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls, c.sent = append(c.calls, method), append(c.sent, request)
	if len(c.busy) > 0 {
		reason := c.busy[0]
		c.busy = c.busy[1:]
		return nil, failure(c.t, reason, nil)
	}
	known, found := contract.Lookup(method)
	if !found || c.answers[method] == nil {
		return nil, status.Error(codes.Unimplemented, method)
	}
	direction := pb.Direction_DIRECTION_REQUEST
	if method == contract.AcknowledgeEvent.Name {
		direction = pb.Direction_DIRECTION_ACK
	}
	opened, err := envelope.Open(request, c.expect(method, envelope.Body{Message: known.Request, Direction: direction}))
	if err != nil {
		return nil, failure(c.t, refusal.ReasonOf(err), nil)
	}
	reply, err := c.answer(method, opened)
	if err == nil && c.lost > 0 {
		c.lost--
		return nil, status.Error(codes.Unavailable, "the reply got lost")
	}
	return reply, err
}

func (c *Centre) expect(method string, bodies ...envelope.Body) envelope.Expected {
	return envelope.Expected{Keyring: c.Directory, Sender: BankParty, Recipient: CentreParty, Method: method, Bodies: bodies, Now: time.Now()}
}

// answer gives the stored reply for a message that came before.
func (c *Centre) answer(method string, opened *envelope.Message) ([]byte, error) {
	id := string(opened.Header.MessageId)
	if reply, found := c.stored[id]; found {
		return reply, nil
	}
	body, err := c.answers[method](opened)
	if err != nil {
		return nil, failure(c.t, refusal.ReasonOf(err), c.refuse(method, opened, err))
	}
	c.stored[id] = c.Reply(c.t, method, opened.Digest, body).Envelope
	return c.stored[id], nil
}

// Reply seals a reply of the centre.
func (s *Scheme) Reply(t *testing.T, method string, asked envelope.Digest, body proto.Message) *envelope.Sealed {
	t.Helper()
	return s.Say(t, body, func(header *pb.SignedHeader) {
		header.Method = method
		header.Direction = pb.Direction_DIRECTION_REPLY
		header.InReplyTo = asked[:]
	})
}

func (c *Centre) refuse(method string, opened *envelope.Message, err error) []byte {
	return c.Say(c.t, &pb.Refusal{Reason: string(refusal.ReasonOf(err))}, func(header *pb.SignedHeader) {
		header.Method = method
		header.Direction = pb.Direction_DIRECTION_REFUSAL
		header.InReplyTo = opened.Digest[:]
	}).Envelope
}

// failure is a failed call, with a delay where the same bytes may go again, and with the signed refusal if there is one.
func failure(t *testing.T, reason refusal.Reason, signed []byte) error {
	t.Helper()
	details := []*anypb.Any{detail(t, &errdetails.ErrorInfo{Reason: string(reason), Domain: "coloan.v1"})}
	if reason == "OVERLOADED" || reason == "IN_PROGRESS" {
		details = append(details, detail(t, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Millisecond)}))
	}
	if signed != nil {
		details = append(details, &anypb.Any{TypeUrl: "type.googleapis.com/coloan.v1.Envelope", Value: signed})
	}
	said := status.New(codes.FailedPrecondition, "refused").Proto()
	said.Details = details
	return status.FromProto(said).Err()
}

func detail(t *testing.T, message proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(message)
	return Must(t, packed, err)
}
