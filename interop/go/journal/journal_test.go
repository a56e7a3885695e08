package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"coloan.example/interop/go/envelope"
)

var key = bytes.Repeat([]byte{1}, KeyBytes)

func open(t *testing.T, name string) *Journal {
	t.Helper()
	j, err := Open(name, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "bank.journal") }

var request = &envelope.Sealed{Envelope: []byte("the bytes"), Digest: envelope.Digest{1}, MessageID: []byte("0123456789abcdef")}

// Covers: COL-DUP-001, COL-DEL-008
func TestRemembers(t *testing.T) {
	name := newFile(t)
	first := open(t, name)
	start, err := first.Start()
	must(t, err,
		first.Sending("submit A", "a/method", request),
		first.Sending("submit B", "a/method", request),
		first.Settled("submit B"),
		first.Received(1, envelope.Digest{2}, []byte("event 1")),
		first.Applied(1, "ref-1"),
		first.Told(1),
		first.Held(2, 3),
		first.Received(4, envelope.Digest{4}, []byte("event 4")),
		first.Received(3, envelope.Digest{3}, []byte("event 3")),
		first.Applied(3, "ref-3"),
		first.Gap(5, 9),
		first.Close())
	if start != 1 {
		t.Errorf("the first start is %d", start)
	}
	again := open(t, name)
	start, err = again.Start()
	must(t, err)
	pending, found := again.Pending("submit A")
	if start != 2 || !found || len(again.AllPending()) != 1 || !bytes.Equal(pending.Sealed.Envelope, request.Envelope) {
		t.Errorf("start %d, pending %v", start, again.AllPending())
	}
	if again.Last() != 9 || !again.ComesLater(2) || again.ComesLater(3) {
		t.Errorf("the last is %d", again.Last())
	}
	untold := again.Untold()
	if len(untold) != 2 || untold[0].Sequence != 3 || untold[0].Reference != "ref-3" || untold[1].Reference != "" {
		t.Errorf("untold is %v", untold)
	}
	if after := again.After(1); len(after) != 2 || string(after[1].Envelope) != "event 4" {
		t.Errorf("after 1 comes %v", after)
	}
}

// TestCutAtEveryByte: whatever a crash leaves of the last record, all before it is there, and the journal goes on.
func TestCutAtEveryByte(t *testing.T) {
	name := newFile(t)
	whole := open(t, name)
	must(t, whole.Received(1, envelope.Digest{1}, []byte("event 1")))
	before := size(t, name)
	must(t, whole.Received(2, envelope.Digest{2}, []byte("event 2")), whole.Close())
	content, err := os.ReadFile(name)
	must(t, err)
	for length := before; length < int64(len(content)); length++ {
		cut := newFile(t)
		must(t, os.WriteFile(cut, content[:length], ownerOnly))
		j := open(t, cut)
		if _, found := j.Event(1); !found || j.Last() != 1 {
			t.Fatalf("cut at %d: the last is %d", length, j.Last())
		}
		must(t, j.Received(2, envelope.Digest{3}, []byte("another event 2")), j.Close())
		again := open(t, cut)
		if event, _ := again.Event(2); event.Digest != (envelope.Digest{3}) {
			t.Fatalf("cut at %d: what was written afterwards is not there", length)
		}
	}
}

// TestDamage: what is whole and was changed is never taken for cut off.
func TestDamage(t *testing.T) {
	name := newFile(t)
	whole := open(t, name)
	must(t, whole.Received(1, envelope.Digest{1}, []byte("event 1")), whole.Received(2, envelope.Digest{2}, []byte("event 2")), whole.Close())
	content, err := os.ReadFile(name)
	must(t, err)
	half := len(content) / 2
	for what, damaged := range map[string][]byte{
		"a flipped bit":         flipped(content, half-1),
		"a flipped bit at last": flipped(content, len(content)-1),
		"records exchanged":     append(append([]byte(nil), content[half:]...), content[:half]...),
		"the first left out":    content[half:],
		"zeros behind":          append(append([]byte(nil), content...), make([]byte, 64)...),
	} {
		other := newFile(t)
		must(t, os.WriteFile(other, damaged, ownerOnly))
		if _, err := Open(other, key); err == nil {
			t.Errorf("%s is not seen", what)
		}
		if after := size(t, other); after != int64(len(damaged)) {
			t.Errorf("%s: the file was changed", what)
		}
	}
	if _, err := Open(name, bytes.Repeat([]byte{2}, KeyBytes)); err == nil {
		t.Error("another key opens it")
	}
}

func flipped(content []byte, at int) []byte {
	changed := append([]byte(nil), content...)
	changed[at] ^= 1
	return changed
}

func size(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	return info.Size()
}

// Covers: COL-PER-007
func TestRestsEncrypted(t *testing.T) {
	name := newFile(t)
	j := open(t, name)
	must(t, j.Received(1, envelope.Digest{1}, []byte("测试甲")))
	content, err := os.ReadFile(name)
	must(t, err)
	info, err := os.Stat(name)
	must(t, err)
	if bytes.Contains(content, []byte("测试甲")) || info.Mode().Perm() != ownerOnly {
		t.Errorf("the file of mode %v can be read", info.Mode())
	}
}

func TestTakesNothingAfterAFailure(t *testing.T) {
	j := open(t, newFile(t))
	must(t, j.Close())
	if j.Gap(1, 1) == nil || j.Last() != 0 {
		t.Error("what could not be written is remembered")
	}
	if j.file.broken == nil {
		t.Error("it would write on")
	}
}
