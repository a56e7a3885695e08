package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"coloan.example/interop/go/bank"
	"coloan.example/interop/go/client"
	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/directory"
	"coloan.example/interop/go/events"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/journal"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/refusal"
	"coloan.example/interop/go/transport"
)

// world is all that the steps share.
type world struct {
	options
	work              string // a folder that goes away at the end
	approved, refused persona
	directory         *directory.Directory
	main              *party // keeps a stream open all the time
	stream            running
	heartbeats        heartbeats
	open              string // the application that the persona stands in
}

// party is one bank with its connection and its journal.
type party struct {
	signer     *keys.Signer
	identity   transport.Identity
	client     *client.Client
	journal    *journal.Journal
	bank       *bank.Bank
	intake     running
	connection *grpc.ClientConn
	line       line
}

// running is something that goes on beside the steps.
type running struct {
	stop func() error // ends it and gives what it ended with
}

func start(ctx context.Context, run func(context.Context) error) running {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return running{stop: func() error {
		cancel()
		return <-ended
	}}
}

// line keeps the connections of a party, so that they can be cut as a network would.
type line struct {
	mutex sync.Mutex
	open  []net.Conn
}

func (l *line) dial(ctx context.Context, target string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.open = append(l.open, connection)
	return connection, nil
}

func (l *line) cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, connection := range l.open {
		connection.Close() // gRPC sees it end and dials anew
	}
	l.open = nil
}

// heartbeats keeps the last one of the stream.
type heartbeats struct {
	mutex sync.Mutex
	count int
	last  *pb.Heartbeat
}

func (h *heartbeats) watch(heartbeat *pb.Heartbeat) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.count++
	h.last = heartbeat
}

func (h *heartbeats) read() (count int, last *pb.Heartbeat) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.count, h.last
}

func (o options) file(party, suffix string) string {
	_, id, _ := strings.Cut(party, ":")
	return filepath.Join(o.certs, id+suffix)
}

func newWorld(ctx context.Context, o options) (*world, error) {
	w := &world{options: o}
	var err error
	if w.approved, err = readPersona("approved"); err != nil {
		return nil, err
	}
	if w.refused, err = readPersona("refused"); err != nil {
		return nil, err
	}
	pinned, err := keys.LoadPublicKey(filepath.Join(o.certs, "directory.pub"))
	if err != nil {
		return nil, err
	}
	bytes, err := os.ReadFile(filepath.Join(o.certs, "directory.bin"))
	if err != nil {
		return nil, err
	}
	trust := directory.Trust{Key: pinned, Centre: o.centre, Environment: o.environment}
	if w.directory, err = directory.Load(bytes, trust, 0); err != nil {
		return nil, err
	}
	if w.work, err = os.MkdirTemp("", "coloan-go-e2e-"); err != nil {
		return nil, err
	}
	if w.main, err = w.newParty(ctx, o.bank); err != nil {
		return nil, err
	}
	w.stream, err = w.main.listen(ctx, w.heartbeats.watch)
	return w, err
}

func (w *world) newParty(ctx context.Context, name string) (*party, error) {
	p := &party{}
	var err error
	if p.signer, err = keys.LoadSigner(name, w.file(name, ".sign.key")); err != nil {
		return nil, err
	}
	ca := filepath.Join(w.certs, "ca.pem")
	if p.identity, err = transport.LoadIdentity(ca, w.file(name, ".pem"), w.file(name, ".key")); err != nil {
		return nil, err
	}
	p.connection, err = transport.Dial(w.target, w.centre, p.identity, grpc.WithContextDialer(p.line.dial))
	if err != nil {
		return nil, err
	}
	p.client = client.New(p.connection, p.signer, w.directory)
	key := make([]byte, journal.KeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if p.journal, err = journal.Open(filepath.Join(w.work, p.signer.PublicKey().ID()), key); err != nil {
		return nil, err
	}
	if p.bank, err = bank.New(p.client, p.journal, core{w.approved.incomeFen}, say); err != nil {
		return nil, err
	}
	p.intake = start(ctx, func(ctx context.Context) error {
		p.bank.Intake.Run(ctx)
		return nil
	})
	return p, nil
}

func say(text string) { fmt.Println("        " + text) }

// listen keeps a stream open. The journal is new each time: the clock rises where its counter of starts cannot.
func (p *party) listen(ctx context.Context, watch func(*pb.Heartbeat)) (running, error) {
	stream, err := events.NewStream(p.bank.Intake, uint64(time.Now().UnixMilli()))
	if err != nil {
		return running{}, err
	}
	stream.Watch = watch
	return start(ctx, stream.Run), nil
}

func (p *party) close() {
	p.intake.stop()
	p.connection.Close()
	p.journal.Close()
}

func (w *world) close() {
	w.stream.stop()
	w.main.close()
	os.RemoveAll(w.work)
}

// -- Applications --------------------------------------------------------------------------------------------------

// submit hands an application of a persona in; the person stands in no other by then.
func (w *world) submit(ctx context.Context, p *party, who persona, prefix string) (string, error) {
	if err := w.giveUp(ctx, p); err != nil {
		return "", err
	}
	application, disclosures, err := who.submission(w.centre, p.client.Party(), prefix)
	if err != nil {
		return "", err
	}
	receipt, err := p.bank.Submit(ctx, application, disclosures)
	if err != nil {
		return "", err
	}
	w.open = receipt.ApplicationId
	return receipt.ApplicationId, nil
}

// giveUp withdraws what is open, so that the same person may stand in another application.
func (w *world) giveUp(ctx context.Context, p *party) error {
	if w.open == "" {
		return nil
	}
	_, err := p.bank.Send(ctx, "withdraw "+w.open, contract.WithdrawApplication, &pb.Withdrawal{}, client.Options{ApplicationID: w.open})
	if err != nil && !errors.Is(err, refusal.StateConflict) { // it had ended by itself
		return err
	}
	w.open = ""
	return nil
}

// decided waits for the joint decision.
func (p *party) decided(ctx context.Context, application string) (bank.Case, error) {
	err := until(ctx, "the joint decision", func() bool {
		known, _ := p.bank.Case(application)
		return known.Joint != nil
	})
	known, _ := p.bank.Case(application)
	return known, err
}
