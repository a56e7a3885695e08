package refusal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"
	"time"
)

// TestReasonsArePublished: every name stands in the table that banks act on, and leads to the action that stands there.
func TestReasonsArePublished(t *testing.T) {
	source, err := os.ReadFile("refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/REASONS.md")
	if err != nil {
		t.Fatal(err)
	}
	retries := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| \d{4} \| (\w+) \| \w+ \| (\w+) \|`).FindAllStringSubmatch(string(page), -1) {
		retries[row[1]] = row[2]
	}
	names := regexp.MustCompile(`Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 60 || len(retries) < len(names) {
		t.Fatalf("%d names, %d rows", len(names), len(retries))
	}
	for _, name := range names {
		retry, published := retries[name[1]]
		if givesUp := ActionOf(Reason(name[1])) == GiveUp; !published || givesUp != (retry == "NEVER") {
			t.Errorf("%s is %q in docs/REASONS.md", name[1], retry)
		}
	}
}

func TestErrors(t *testing.T) {
	wrapped := fmt.Errorf("event 7: %w", FieldInvalid.At("offer.terms"))
	if !errors.Is(wrapped, FieldInvalid) || errors.Is(wrapped, FieldMissing) || ReasonOf(wrapped) != FieldInvalid {
		t.Errorf("%v has not the reason that it was given", wrapped)
	}
	if wrapped.Error() != "event 7: FIELD_INVALID at offer.terms" {
		t.Errorf("it reads %q", wrapped)
	}
	if Is(io.EOF) || Is(nil) || !Is(Expired) {
		t.Error("a refusal is not told from another error")
	}
}

func TestActions(t *testing.T) {
	if ActionOf(StaleEpoch) != GiveUp || ActionOf(FieldInvalid) != Mend || ActionOf("A_REASON_OF_TOMORROW") != Mend {
		t.Error("a reason leads to another action")
	}
	busy := fmt.Errorf("a call: %w", &Error{Reason: "OVERLOADED", Action: SendAgain, RetryAfter: time.Second})
	if delay, again := Again(busy); !again || delay != time.Second {
		t.Error("the same bytes are to be sent again")
	}
	if _, again := Again(Expired); again {
		t.Error("what expired is not sent again")
	}
}
