// Command e2e lives the whole life of an application against a running centre, then tries everything that a bank may not do, each
// with the reason it has to be refused with, and takes events by the stream and by calls. It prints one line for each step, and
// ends with status 1 at the first that is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"coloan.example/interop/go/refusal"
)

const (
	waitMax   = 60 * time.Second
	waitPause = 20 * time.Millisecond
)

type options struct {
	target, certs, centre, environment string
	bank, other                        string
	inboxPort                          int
}

func main() {
	var o options
	flag.StringVar(&o.target, "target", os.Getenv("COLOAN_TARGET"), "`host:port` of the centre")
	flag.StringVar(&o.certs, "certs", os.Getenv("COLOAN_CERTS"), "`folder` as certs/make-dev makes it, with directory.bin")
	flag.StringVar(&o.centre, "centre", "fund:cn-nj-prov", "party of the centre")
	flag.StringVar(&o.environment, "environment", "test", "environment of the centre")
	flag.StringVar(&o.bank, "bank", "bank:cn-beta-js", "the bank that keeps a stream open")
	flag.StringVar(&o.other, "other", "bank:cn-alpha-js", "the bank that the centre calls")
	flag.IntVar(&o.inboxPort, "inbox-port", 0, "where the centre calls the other bank on this machine; 0: it does not")
	flag.Parse()
	if o.target == "" || o.certs == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	passed, err := run(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d steps passed\n", passed)
}

func run(ctx context.Context, o options) (int, error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return 0, err
	}
	defer w.close()
	chapters := [][]step{w.meeting(), w.rotation(), w.life(), w.contracts(), w.resuming(), w.otherEnds(), w.hostileBytes(),
		w.hostileHeaders(), w.hostileTransport(), w.hostileParties(), w.hostileDisclosures(), w.hostileStreams(), w.fencing(),
		w.callBack()}
	passed := 0
	for _, steps := range chapters {
		for _, one := range steps {
			if err := one.pass(ctx); err != nil {
				return passed, err
			}
			passed++
		}
	}
	return passed, nil
}

// -- Steps ---------------------------------------------------------------------------------------------------------

type step struct {
	title string
	run   func(context.Context) error
}

func (s step) pass(ctx context.Context) error {
	begun := time.Now()
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("FAILED  %s\n        %w", s.title, err)
	}
	fmt.Printf("ok  %s  (%d ms)\n", s.title, time.Since(begun).Milliseconds())
	return nil
}

// refused turns what has to be refused with a reason into a success.
func refused(reason refusal.Reason, err error) error {
	if err == nil {
		return fmt.Errorf("not refused; %s was due", reason)
	}
	if !errors.Is(err, reason) {
		return fmt.Errorf("refused with %w; %s was due", err, reason)
	}
	return nil
}

// refusedSigned asks for the centre's signature, too.
func refusedSigned(reason refusal.Reason, err error) error {
	var refusal *refusal.Error
	if errors.As(err, &refusal) && refusal.Evidence == nil {
		return fmt.Errorf("%w: the refusal is not signed", err)
	}
	return refused(reason, err)
}

func until(ctx context.Context, what string, condition func() bool) error {
	for end := time.Now().Add(waitMax); !condition(); {
		if time.Now().After(end) {
			return fmt.Errorf("%s did not come within %s", what, waitMax)
		}
		select {
		case <-time.After(waitPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func equal[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, not %v", what, got, want)
	}
	return nil
}

// inTurn runs one after the other, up to the first that fails.
func inTurn(ctx context.Context, checks ...func(context.Context) error) error {
	for _, check := range checks {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// first gives the first error there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
