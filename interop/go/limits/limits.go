// Package limits holds the numbers of the specification, chapters 3 to 12.
package limits

import "time"

// Sizes and counts of messages.
const (
	MessageBytes    = 256 * 1024
	PayloadBytes    = 192 * 1024
	Nesting         = 8
	Fields          = 4096
	DirectoryFields = 10*Keys + 64
	Keys            = 700
	Signatures      = 4
	KeyTries        = 4
	DetailsBytes    = 4096
	PartyBytes      = 64
	Environment     = 64
	SaltBytes       = 16
	ValueBytes      = 256
	Persons         = 4
	TermMonths      = 480
	KeyFileBytes    = 4096 // of ours: a PEM file of an Ed25519 key has 119
)

// Times.
const (
	ClockAhead   = 30 * time.Second
	Life         = 10 * time.Minute
	Deadline     = 30 * time.Second
	RetryDefault = time.Second
	Heartbeat    = 15 * time.Second
	Silence      = 3 * Heartbeat
	BackoffMin   = 500 * time.Millisecond
	BackoffMax   = 30 * time.Second
	DirectoryAge = time.Hour
)

// Events that may be sent and not yet acknowledged: at first, and at most.
const (
	Outstanding    = 100
	OutstandingMax = 1000
	HeldMax        = 1 << 16 // of ours: how many may be named to come later at once
)
