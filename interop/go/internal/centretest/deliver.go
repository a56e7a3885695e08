package centretest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/refusal"
)

// Push adds an event to those of the bank, and sends it when there is a stream.
func (c *Centre) Push(event *pb.Event, disclosures ...*pb.Disclosure) *envelope.Sealed {
	c.t.Helper()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	sealed := c.Event(c.t, uint64(len(c.outbox)+1), event, disclosures...)
	c.outbox = append(c.outbox, sealed)
	if c.stream != nil {
		c.stream.SendMsg(sealed.Envelope)
	}
	return sealed
}

// Send sends a frame as it is.
func (c *Centre) Send(frame []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stream.SendMsg(frame)
}

// BeforeEvents sets frames that every stream gets behind its first heartbeat, in the place of events.
func (c *Centre) BeforeEvents(frames ...proto.Message) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.frames = frames
}

// Forget drops the events and their acknowledgements, so that their numbers are given again.
func (c *Centre) Forget() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.outbox, c.acks = nil, nil
}

// Restore puts an event back as the next one, without sending it.
func (c *Centre) Restore(bytes []byte, digest envelope.Digest) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.outbox = append(c.outbox, &envelope.Sealed{Envelope: bytes, Digest: digest})
}

// Fence ends the stream as if a newer process of the bank had taken over.
func (c *Centre) Fence() { c.End(failure(c.t, refusal.StreamFenced, nil)) }

// End ends the stream: nil in good order.
func (c *Centre) End(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stream = nil
	c.ending <- err
}

// Streams counts how often the bank opened one; there is one now when live.
func (c *Centre) Streams() (count int, live bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.streams, c.stream != nil
}

// Acks gives the acknowledgements of streams.
func (c *Centre) Acks() []*pb.Ack {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([]*pb.Ack(nil), c.acks...)
}

// Frames gives what the bank sent on streams but acknowledgements.
func (c *Centre) Frames() []*envelope.Message {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([]*envelope.Message(nil), c.received...)
}

func (c *Centre) deliver(stream grpc.ServerStream) error {
	ending := make(chan error, 1)
	go func() { ending <- c.read(stream, ending) }()
	err := <-ending
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.stream == stream {
		c.stream = nil
	}
	return err
}

func (c *Centre) read(stream grpc.ServerStream, ending chan error) error {
	for {
		var frame []byte
		if err := stream.RecvMsg(&frame); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := c.take(stream, frame, ending); err != nil {
			return failure(c.t, refusal.ReasonOf(err), nil)
		}
	}
}

func (c *Centre) take(stream grpc.ServerStream, frame []byte, ending chan error) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	opened, err := envelope.Open(frame, c.expect(contract.Deliver,
		envelope.Body{Message: &pb.Open{}, Direction: pb.Direction_DIRECTION_REQUEST},
		envelope.Body{Message: &pb.Credit{}, Direction: pb.Direction_DIRECTION_REQUEST},
		envelope.Body{Message: &pb.Ack{}, Direction: pb.Direction_DIRECTION_ACK}))
	if err != nil {
		return err
	}
	switch body := opened.Body.(type) {
	case *pb.Open:
		c.received = append(c.received, opened)
		c.stream, c.ending = stream, ending
		c.streams++
		return c.answerOpen(opened, body)
	case *pb.Ack:
		if c.isOf(body, opened.Header.InReplyTo) {
			c.acks = append(c.acks, body)
		}
	default:
		c.received = append(c.received, opened)
	}
	return nil
}

// isOf tells whether an acknowledgement names an event of ours by number and digest.
func (c *Centre) isOf(ack *pb.Ack, digest []byte) bool {
	if ack.Sequence > uint64(len(c.outbox)) {
		return false
	}
	event := c.outbox[ack.Sequence-1]
	return event != nil && bytes.Equal(event.Digest[:], digest)
}

func (c *Centre) answerOpen(opened *envelope.Message, open *pb.Open) error {
	head := uint64(len(c.outbox))
	frames := []proto.Message{&pb.Heartbeat{Head: head, ReceivedFloor: c.floor(), ServerTimeMs: time.Now().UnixMilli()}}
	for _, frame := range append(frames, c.frames...) {
		if err := c.stream.SendMsg(c.Reply(c.t, contract.Deliver, opened.Digest, frame).Envelope); err != nil {
			return err
		}
	}
	for sequence := open.ResumeAfter; sequence < head; sequence++ {
		if c.outbox[sequence] == nil {
			continue // a hole
		}
		if err := c.stream.SendMsg(c.outbox[sequence].Envelope); err != nil {
			return err
		}
	}
	return nil
}

// Drop makes a hole where an event was.
func (c *Centre) Drop(sequence uint64) *envelope.Sealed {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	dropped := c.outbox[sequence-1]
	c.outbox[sequence-1] = nil
	return dropped
}

// Tell sends a frame in reply to the last Open.
func (c *Centre) Tell(frame proto.Message) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var open *envelope.Message
	for _, one := range c.received {
		if _, isOpen := one.Body.(*pb.Open); isOpen {
			open = one
		}
	}
	c.stream.SendMsg(c.Reply(c.t, contract.Deliver, open.Digest, frame).Envelope)
}

func (c *Centre) floor() uint64 {
	received := map[uint64]bool{}
	for _, ack := range c.acks {
		received[ack.Sequence] = true
	}
	floor := uint64(0)
	for received[floor+1] {
		floor++
	}
	return floor
}

// Until waits for what a test expects.
func Until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
