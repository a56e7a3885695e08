package transport

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"coloan.example/interop/go/limits"
)

const keepaliveEvery = time.Minute

// rawCodec hands bytes through: what arrives is scanned before anything decodes it, and what was signed is sent as it is.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" } // what the bytes are

func (rawCodec) Marshal(message any) ([]byte, error) {
	bytes, isRaw := message.([]byte)
	if !isRaw {
		return nil, fmt.Errorf("%T is not bytes", message)
	}
	return bytes, nil
}

func (rawCodec) Unmarshal(bytes []byte, message any) error {
	into, isRaw := message.(*[]byte)
	if !isRaw {
		return fmt.Errorf("%T is not bytes", message)
	}
	*into = append([]byte(nil), bytes...)
	return nil
}

// Dial opens the one connection of a party to its peer; gRPC makes and renews it in the background.
func Dial(target, peer string, identity Identity, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(credentials.NewTLS(identity.clientConfig(peer))),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(rawCodec{}),
			grpc.MaxCallRecvMsgSize(limits.MessageBytes),
			grpc.MaxCallSendMsgSize(limits.MessageBytes)),
		grpc.WithDisableRetry(), // when to send again is the protocol's business
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
			BaseDelay: limits.BackoffMin, Multiplier: 2, Jitter: 0.2, MaxDelay: limits.BackoffMax}}),
	}
	return grpc.Dial(target, append(options, more...)...)
}

// NewServer makes a server for one peer.
func NewServer(peer string, identity Identity, more ...grpc.ServerOption) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(identity.serverConfig(peer))),
		grpc.ForceServerCodec(rawCodec{}),
		grpc.MaxRecvMsgSize(limits.MessageBytes),
		grpc.MaxSendMsgSize(limits.MessageBytes),
	}
	return grpc.NewServer(append(options, more...)...)
}

// Call makes one unary call of bytes.
func Call(ctx context.Context, connection grpc.ClientConnInterface, method string, request []byte) ([]byte, error) {
	var reply []byte
	err := connection.Invoke(ctx, "/"+method, request, &reply)
	return reply, err
}

// Stream is a stream of bytes in both directions.
type Stream struct{ grpc.ClientStream }

// OpenStream begins one; it ends with its context.
func OpenStream(ctx context.Context, connection grpc.ClientConnInterface, method string) (Stream, error) {
	description := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := connection.NewStream(ctx, description, "/"+method)
	return Stream{stream}, err
}

// Send sends one message.
func (s Stream) Send(message []byte) error { return s.SendMsg(message) }

// Receive waits for one message.
func (s Stream) Receive() ([]byte, error) {
	var message []byte
	err := s.RecvMsg(&message)
	return message, err
}

// Handler answers one unary call.
type Handler func(ctx context.Context, request []byte) ([]byte, error)

// Handle registers a service of one unary method.
func Handle(server *grpc.Server, service, method string, handler Handler) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		Methods: []grpc.MethodDesc{{
			MethodName: method,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var request []byte
				if err := decode(&request); err != nil {
					return nil, err
				}
				return handler(ctx, request)
			},
		}},
	}, nil)
}
