package register

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/holdfast-sim/holdfast/engine/env"
)

type messageKind uint8

const (
	kindQuery messageKind = 1 + iota
	kindValue
	kindStore
	kindStored
	kinds
)

// message is what replicas say to each other.
type message struct {
	Kind   messageKind
	Number uint64 // of the operation
	Key    string
	Entry  registerEntry
}

var errMalformed = errors.New("malformed message")

func (m *message) encode() []byte {
	b := append(make([]byte, 0, 32+len(m.Key)+len(m.Entry.Value)), byte(m.Kind))
	b = binary.LittleEndian.AppendUint64(b, m.Number)
	return appendEntry(b, m.Key, m.Entry)
}

func appendEntry(b []byte, key string, v registerEntry) []byte {
	b = binary.LittleEndian.AppendUint64(b, v.Stamp.Seq)
	b = binary.LittleEndian.AppendUint64(b, v.Stamp.Unique)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	return append(b, v.Value...)
}

func decodeEntry(b []byte) (string, registerEntry, error) {
	if len(b) < 18 {
		return "", registerEntry{}, errMalformed
	}
	v := registerEntry{Stamp: writeStamp{Seq: binary.LittleEndian.Uint64(b),
		Unique: binary.LittleEndian.Uint64(b[8:])}}
	keyBytes := int(binary.LittleEndian.Uint16(b[16:]))
	b = b[18:]
	if keyBytes > maxKeyBytes || keyBytes > len(b) || len(b)-keyBytes > maxValueBytes {
		return "", registerEntry{}, errMalformed
	}
	v.Value = string(b[keyBytes:])
	return string(b[:keyBytes]), v, nil
}

func decode(b []byte) (message, error) {
	if len(b) < 9 || b[0] == 0 || messageKind(b[0]) >= kinds {
		return message{}, errMalformed
	}
	m := message{Kind: messageKind(b[0]), Number: binary.LittleEndian.Uint64(b[1:])}
	var err error
	m.Key, m.Entry, err = decodeEntry(b[9:])
	return m, err
}

// journal is the replica's durable state: the entries that it stored, one after the other, each
// with its length and checksum. A torn last one is cut off at the next start.
type journal struct {
	file      env.File
	endOffset int64
}

const (
	journalName     = "register/journal"
	journalMaxBytes = 256 << 20
	headerBytes     = 8
)

// open reads the journal and gives every entry to keep. It writes what it read anew: what is
// readable now may be left of a sync that failed, and would be gone after a power cut.
func (j *journal) open(d env.Disk, keep func(string, registerEntry)) error {
	data, err := env.ReadFile(d, journalName, journalMaxBytes)
	if err != nil && !errors.Is(err, env.ErrNotExist) {
		return fmt.Errorf("reading the journal: %w", err)
	}
	j.endOffset = 0
	for {
		body, ok := nextRecord(data[j.endOffset:])
		if !ok {
			break
		}
		key, v, err := decodeEntry(body)
		if err != nil {
			return fmt.Errorf("reading the journal at byte %d: %w", j.endOffset, err)
		}
		keep(key, v)
		j.endOffset += headerBytes + int64(len(body))
	}
	if err := env.ReplaceFile(d, journalName, data[:j.endOffset]); err != nil {
		return err
	}
	if j.file, err = d.Open(journalName, 0); err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	return nil
}

// nextRecord cuts the first record's body off; false at the end or where a write was torn. A torn
// write may have left zeros, so an empty body is no record although its checksum is right.
func nextRecord(rest []byte) ([]byte, bool) {
	if len(rest) < headerBytes {
		return nil, false
	}
	size := int64(binary.LittleEndian.Uint32(rest))
	if size == 0 || size > int64(len(rest))-headerBytes {
		return nil, false
	}
	body := rest[headerBytes : headerBytes+size]
	return body, crc32.ChecksumIEEE(body) == binary.LittleEndian.Uint32(rest[4:])
}

// append makes an entry durable.
func (j *journal) append(key string, v registerEntry) error {
	body := appendEntry(nil, key, v)
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	b = append(b, body...)
	if _, err := j.file.WriteAt(b, j.endOffset); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.endOffset += int64(len(b))
	return nil
}
