// Package journal remembers what must survive a crash: messages before they are first sent, events before they are acknowledged.
// A real bank keeps the same records in its database, in the transaction that goes with them.
package journal

import (
	"encoding/json"
	"fmt"
	"sort"
	"sync"

	"coloan.example/interop/go/envelope"
)

type kind string

const (
	started kind = "start"   // the process began
	sending kind = "sending" // a request is on its way
	settled kind = "settled" // its outcome is known
	event   kind = "event"   // an event was received
	applied kind = "applied" // the bank's core has taken it over
	told    kind = "told"    // the centre has confirmed that it knows so
	held    kind = "held"    // events that come later
	gap     kind = "gap"     // events that never come
)

// record is one entry of the file; each kind fills what it has.
type record struct {
	Kind      kind
	Purpose   string `json:",omitempty"`
	Method    string `json:",omitempty"`
	MessageID []byte `json:",omitempty"`
	Envelope  []byte `json:",omitempty"`
	Digest    envelope.Digest
	Sequence  uint64 `json:",omitempty"`
	Reference string `json:",omitempty"`
	From      uint64 `json:",omitempty"`
	To        uint64 `json:",omitempty"`
}

// Pending is a request whose outcome is not known. There is one at a time for a purpose (COL-DUP-006).
type Pending struct {
	Purpose string
	Method  string
	Sealed  envelope.Sealed
}

// Event is one that was received.
type Event struct {
	Sequence  uint64
	Digest    envelope.Digest
	Envelope  []byte // as it came, with its disclosures
	Reference string // of the bank; empty until its core has taken the event over
}

// Journal may be used by many goroutines.
type Journal struct {
	mutex   sync.Mutex
	file    *file
	starts  uint64
	pending map[string]Pending
	events  map[uint64]Event
	untold  map[uint64]bool // sequences of events that the centre does not yet know to be taken over
	later   map[uint64]bool // sequences up to last that come later
	last    uint64          // the highest sequence that came or was named
}

// Open reads a journal, or begins it. The key has KeyBytes.
func Open(name string, key []byte) (*Journal, error) {
	j := &Journal{pending: map[string]Pending{}, events: map[uint64]Event{}, untold: map[uint64]bool{}, later: map[uint64]bool{}}
	file, err := openFile(name, key, func(line []byte) error {
		var one record
		if err := json.Unmarshal(line, &one); err != nil {
			return err
		}
		return j.remember(one)
	})
	if err != nil {
		return nil, err
	}
	j.file = file
	return j, nil
}

// Close ends the use of the file.
func (j *Journal) Close() error {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.file.handle.Close()
}

func (j *Journal) remember(one record) error {
	switch one.Kind {
	case started:
		j.starts++
	case sending:
		sealed := envelope.Sealed{Envelope: one.Envelope, Digest: one.Digest, MessageID: one.MessageID}
		j.pending[one.Purpose] = Pending{Purpose: one.Purpose, Method: one.Method, Sealed: sealed}
	case settled:
		delete(j.pending, one.Purpose)
	case event:
		j.events[one.Sequence] = Event{Sequence: one.Sequence, Digest: one.Digest, Envelope: one.Envelope}
		j.untold[one.Sequence] = true
		delete(j.later, one.Sequence)
		j.last = max(j.last, one.Sequence)
	case applied:
		known := j.events[one.Sequence]
		known.Reference = one.Reference
		j.events[one.Sequence] = known
	case told:
		delete(j.untold, one.Sequence)
	case held:
		for sequence := one.From; sequence <= one.To; sequence++ {
			j.later[sequence] = true
		}
		j.last = one.To
	case gap:
		j.last = one.To
	default:
		return fmt.Errorf("the journal holds an unknown record %q", one.Kind)
	}
	return nil
}

func max(a, b uint64) uint64 {
	if a > b {
		return a
	}
	return b
}

// write returns when the record is durable.
func (j *Journal) write(one record) error {
	line, err := json.Marshal(one)
	if err != nil {
		return err
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if err := j.file.append(line); err != nil {
		return err
	}
	return j.remember(one)
}

// -- Starts and requests -------------------------------------------------------------------------------------------

// Start counts the starts of the process: the number rises each time, as the epoch of a stream has to.
func (j *Journal) Start() (uint64, error) {
	if err := j.write(record{Kind: started}); err != nil {
		return 0, err
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.starts, nil
}

// Sending keeps a request before it is sent for the first time.
func (j *Journal) Sending(purpose, method string, sealed *envelope.Sealed) error {
	return j.write(record{Kind: sending, Purpose: purpose, Method: method, MessageID: sealed.MessageID,
		Envelope: sealed.Envelope, Digest: sealed.Digest})
}

// Settled says that the outcome of the request for a purpose is known.
func (j *Journal) Settled(purpose string) error {
	return j.write(record{Kind: settled, Purpose: purpose})
}

// Pending gives the request for a purpose whose outcome is not known.
func (j *Journal) Pending(purpose string) (Pending, bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	pending, found := j.pending[purpose]
	return pending, found
}

// AllPending gives all of them, in the order of their message ids, which is that of their making.
func (j *Journal) AllPending() []Pending {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	all := make([]Pending, 0, len(j.pending))
	for _, pending := range j.pending {
		all = append(all, pending)
	}
	sort.Slice(all, func(a, b int) bool {
		return string(all[a].Sealed.MessageID) < string(all[b].Sealed.MessageID)
	})
	return all
}

// -- Events --------------------------------------------------------------------------------------------------------

// Received keeps an event before it is acknowledged.
func (j *Journal) Received(sequence uint64, digest envelope.Digest, bytes []byte) error {
	return j.write(record{Kind: event, Sequence: sequence, Digest: digest, Envelope: bytes})
}

// Applied says that the bank's core has taken an event over.
func (j *Journal) Applied(sequence uint64, reference string) error {
	return j.write(record{Kind: applied, Sequence: sequence, Reference: reference})
}

// Told says that the centre has confirmed the bank's reference of an event.
func (j *Journal) Told(sequence uint64) error {
	return j.write(record{Kind: told, Sequence: sequence})
}

// Held notes events behind the last one that come later.
func (j *Journal) Held(from, to uint64) error {
	return j.write(record{Kind: held, From: from, To: to})
}

// Gap notes events behind the last one that never come.
func (j *Journal) Gap(from, to uint64) error {
	return j.write(record{Kind: gap, From: from, To: to})
}

// Last is the highest sequence that came or was named: a stream resumes behind it.
func (j *Journal) Last() uint64 {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.last
}

// ComesLater tells whether an event below the last one is still to come.
func (j *Journal) ComesLater(sequence uint64) bool {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.later[sequence]
}

// Event gives one that was received.
func (j *Journal) Event(sequence uint64) (Event, bool) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	known, found := j.events[sequence]
	return known, found
}

// Untold gives the events that are still to be taken over, or of which the centre does not yet know that they are.
func (j *Journal) Untold() []Event {
	return j.list(func(one Event) bool { return j.untold[one.Sequence] })
}

// After gives the events behind a sequence.
func (j *Journal) After(sequence uint64) []Event {
	return j.list(func(one Event) bool { return one.Sequence > sequence })
}

// list gives the events that are wanted, in their order.
func (j *Journal) list(wanted func(Event) bool) []Event {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	var found []Event
	for _, one := range j.events {
		if wanted(one) {
			found = append(found, one)
		}
	}
	sort.Slice(found, func(a, b int) bool { return found[a].Sequence < found[b].Sequence })
	return found
}
