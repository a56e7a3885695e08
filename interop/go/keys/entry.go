package keys

import (
	"time"

	pb "coloan.example/interop/go/internal/coloanv1"
)

// Entry is a key as the directory lists it.
type Entry struct {
	PublicKey
	Party      string
	Purpose    pb.KeyPurpose
	Status     pb.KeyStatus
	ValidFrom  time.Time
	ValidUntil time.Time
}

// WasInForce tells whether the key could sign at a moment, whatever its status now: for events and kept messages.
func (e Entry) WasInForce(at time.Time) bool {
	return !at.Before(e.ValidFrom) && at.Before(e.ValidUntil)
}

// IsInForce tells whether the key verifies a message that arrives now.
func (e Entry) IsInForce(now time.Time) bool {
	inUse := e.Status == pb.KeyStatus_KEY_STATUS_ACTIVE || e.Status == pb.KeyStatus_KEY_STATUS_RETIRING
	return inUse && e.WasInForce(now)
}
