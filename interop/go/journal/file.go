package journal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A file of records, each
//
//	length of what follows (4 bytes, big-endian) ‖ nonce (12) ‖ AES-256-GCM of the record, with its number as associated data
//
// so that personal values are encrypted at rest (COL-PER-007) and no record is changed, moved or left out unseen. A crash can
// only cut the last record off; it was never relied on, and is dropped. What is whole and does not verify is never dropped.

const (
	lengthBytes    = 4
	recordBytesMax = 1 << 20 // an envelope of 256 KiB, in JSON, and what stands around it
	ownerOnly      = 0o600
)

// KeyBytes is the size of a journal's key.
const KeyBytes = 32

var errDamaged = errors.New("the journal is damaged, or has another key")

type file struct {
	handle *os.File
	seal   cipher.AEAD
	count  uint64
	broken error // after a failed write nobody knows what the disk holds: the journal takes nothing more
}

// openFile gives every whole record to `each`, and makes the file end there.
func openFile(name string, key []byte, each func([]byte) error) (*file, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	handle, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, ownerOnly)
	if err != nil {
		return nil, err
	}
	f := &file{handle: handle, seal: seal}
	if err := f.recover(each); err != nil {
		handle.Close()
		return nil, err
	}
	return f, nil
}

func (f *file) recover(each func([]byte) error) error {
	content, err := io.ReadAll(f.handle)
	if err != nil {
		return err
	}
	whole := 0
	for {
		record, length, err := f.next(content[whole:])
		if err != nil {
			return err
		}
		if length == 0 {
			break
		}
		if err := each(record); err != nil {
			return err
		}
		whole += length
		f.count++
	}
	if err := f.handle.Truncate(int64(whole)); err != nil {
		return err
	}
	if _, err := f.handle.Seek(int64(whole), io.SeekStart); err != nil {
		return err
	}
	return f.settle()
}

// settle makes the file's end, and its name, durable.
func (f *file) settle() error {
	if err := f.handle.Sync(); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(f.handle.Name()))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// next gives the first record and its length in the file; length 0 when it is not whole, or there is none.
func (f *file) next(content []byte) ([]byte, int, error) {
	if len(content) < lengthBytes {
		return nil, 0, nil
	}
	length := int(binary.BigEndian.Uint32(content))
	if length > recordBytesMax || length < f.seal.NonceSize() {
		return nil, 0, errDamaged
	}
	if len(content) < lengthBytes+length {
		return nil, 0, nil
	}
	nonce, sealed := content[lengthBytes:lengthBytes+f.seal.NonceSize()], content[lengthBytes+f.seal.NonceSize():lengthBytes+length]
	record, err := f.seal.Open(nil, nonce, sealed, f.number())
	if err != nil {
		return nil, 0, errDamaged
	}
	return record, lengthBytes + length, nil
}

// number is that of the record being read or written.
func (f *file) number() []byte { return binary.BigEndian.AppendUint64(nil, f.count) }

// append returns when the record is durable.
func (f *file) append(record []byte) error {
	if f.broken != nil {
		return f.broken
	}
	nonce := make([]byte, f.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	length := len(nonce) + len(record) + f.seal.Overhead()
	if length > recordBytesMax {
		return fmt.Errorf("a record of %d bytes", length)
	}
	line := binary.BigEndian.AppendUint32(nil, uint32(length))
	line = f.seal.Seal(append(line, nonce...), nonce, record, f.number())
	if _, err := f.handle.Write(line); err != nil {
		return f.fail(err)
	}
	if err := f.handle.Sync(); err != nil {
		return f.fail(err)
	}
	f.count++
	return nil
}

func (f *file) fail(err error) error {
	f.broken = fmt.Errorf("the journal takes nothing more: %w", err)
	return f.broken
}
