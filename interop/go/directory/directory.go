// Package directory holds the signed key directory: whose keys verify what (chapter 5). What it is checked against cannot stand
// in a directory itself: the centre's directory key, pinned out of band. A directory with one bad key is refused whole.
package directory

import (
	"time"

	"coloan.example/interop/go/contract"
	"coloan.example/interop/go/envelope"
	pb "coloan.example/interop/go/internal/coloanv1"
	"coloan.example/interop/go/keys"
	"coloan.example/interop/go/limits"
	"coloan.example/interop/go/refusal"
)

// Trust is what was agreed out of band.
type Trust struct {
	Key         keys.PublicKey // the centre's DIRECTORY key
	Centre      string
	Environment string
}

// Directory verified as a whole, and never changes.
type Directory struct {
	Trust  Trust
	Number uint64
	Bytes  []byte // as it came
	keys   map[string][]keys.Entry
}

// Load verifies a directory. It has to be newer than the one held, if any, so that an old one cannot bring a withdrawn key back.
func Load(bytes []byte, trust Trust, held uint64) (*Directory, error) {
	listed, header, err := envelope.OpenDirectory(bytes, trust.Key)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(header, trust); err != nil {
		return nil, err
	}
	if listed.Environment != trust.Environment {
		return nil, refusal.EnvironmentWrong
	}
	if listed.Number == 0 || listed.Number != header.Sequence || listed.Number <= held {
		return nil, refusal.SequenceWrong
	}
	if listed.IssuedMs <= 0 || listed.IssuedMs != header.CreatedMs || len(listed.Keys) < 1 || len(listed.Keys) > limits.Keys {
		return nil, refusal.DirectoryInvalid
	}
	byParty, err := readKeys(listed.Keys, trust.Environment)
	if err != nil {
		return nil, err
	}
	return &Directory{Trust: trust, Number: listed.Number, Bytes: bytes, keys: byParty}, nil
}

func checkHeader(header *pb.SignedHeader, trust Trust) error {
	switch {
	case header == nil:
		return refusal.HeaderIncomplete
	case header.SpecVersion != envelope.SpecVersion:
		return refusal.SpecVersion
	case header.Environment != trust.Environment:
		return refusal.EnvironmentWrong
	case header.Sender != trust.Centre:
		return refusal.SenderWrong
	case header.Recipient != "":
		return refusal.RecipientWrong
	case header.Method != contract.GetKeys:
		return refusal.MethodWrong
	case header.Direction != pb.Direction_DIRECTION_EVENT:
		return refusal.DirectionWrong
	case !envelope.IsMessageID(header.MessageId):
		return refusal.MessageIDInvalid
	case len(header.InReplyTo) != 0:
		return refusal.InReplyToWrong
	case header.ExpiresMs != 0:
		return refusal.LifetimeWrong
	default:
		return nil
	}
}

func readKeys(listed []*pb.Key, environment string) (map[string][]keys.Entry, error) {
	byParty := map[string][]keys.Entry{}
	seen := map[keys.PublicKey]bool{}
	for _, key := range listed {
		entry, err := readKey(key, environment)
		if err != nil {
			return nil, err
		}
		if seen[entry.PublicKey] {
			return nil, refusal.DirectoryInvalid
		}
		seen[entry.PublicKey] = true
		byParty[entry.Party] = append(byParty[entry.Party], entry)
	}
	return byParty, nil
}

func readKey(key *pb.Key, environment string) (keys.Entry, error) {
	if key.Environment != environment {
		return keys.Entry{}, refusal.EnvironmentWrong
	}
	if !isComplete(key) {
		return keys.Entry{}, refusal.DirectoryInvalid
	}
	public, err := keys.ParsePublicKey(key.PublicKey)
	if err != nil {
		return keys.Entry{}, err
	}
	if !public.Verify(keys.Possession(key.Party, environment, key.PublicKey), key.Possession) {
		return keys.Entry{}, refusal.KeyPossession
	}
	return keys.Entry{
		PublicKey:  public,
		Party:      key.Party,
		Purpose:    key.Purpose,
		Status:     key.Status,
		ValidFrom:  time.UnixMilli(key.ValidFromMs),
		ValidUntil: time.UnixMilli(key.ValidUntilMs),
	}, nil
}

func isComplete(key *pb.Key) bool {
	return key.Algorithm == pb.KeyAlgorithm_KEY_ALGORITHM_ED25519 && keys.IsParty(key.Party) &&
		key.Purpose != pb.KeyPurpose_KEY_PURPOSE_UNSPECIFIED && key.Status != pb.KeyStatus_KEY_STATUS_UNSPECIFIED &&
		key.ValidFromMs >= 0 && key.ValidFromMs < key.ValidUntilMs
}

// Environment is the one that the directory is for.
func (d *Directory) Environment() string { return d.Trust.Environment }

// Candidates gives the keys that a party signs messages with, whatever their state.
func (d *Directory) Candidates(party string) []keys.Entry {
	var signing []keys.Entry
	for _, key := range d.keys[party] {
		if key.Purpose == pb.KeyPurpose_KEY_PURPOSE_SIGN {
			signing = append(signing, key)
		}
	}
	return signing
}
