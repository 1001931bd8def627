package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// journal is the durable state of a replica: term, vote and log, as changes that follow each other. Each
// has its length and checksum; a torn last one is cut off at the next start.
type journal struct {
	file      env.File
	endOffset int64
	// syncsLater is the bug ack-before-sync: what was appended is synced with the next heartbeat tick.
	syncsLater bool
	unsynced   bool
	failure    error // of the first call that failed; the journal is of no use then
}

const (
	journalName     = "raft/journal"
	journalMaxBytes = 256 << 20
	headerBytes     = 8
)

// The kinds of changes.
const (
	changeTerm     = 1 // term, vote
	changeTruncate = 2 // the index of the first entry that is removed
	changeEntry    = 3 // an entry at the end of the log
)

// durableState is what a journal holds.
type durableState struct {
	term uint64
	vote uint64 // the machine's number plus 1; 0 for none
	log  []entry
}

// open reads the journal. It writes what it read anew: what is readable now may be left of a sync that
// failed, and would be gone after a power cut.
func (j *journal) open(d env.Disk) (durableState, error) {
	data, err := env.ReadFile(d, journalName, journalMaxBytes)
	if err != nil && !errors.Is(err, env.ErrNotExist) {
		return durableState{}, fmt.Errorf("reading the journal: %w", err)
	}
	state, err := readJournal(data)
	if err != nil {
		return durableState{}, err
	}
	fresh := appendTermChange(nil, state.term, state.vote)
	for i := range state.log {
		fresh = appendEntryChange(fresh, &state.log[i])
	}
	if err := env.ReplaceFile(d, journalName, fresh); err != nil {
		return durableState{}, err
	}
	if j.file, err = d.Open(journalName, 0); err != nil {
		return durableState{}, fmt.Errorf("opening the journal: %w", err)
	}
	j.endOffset = int64(len(fresh))
	return state, nil
}

// readJournal returns the state after all changes of a journal, up to a torn one.
func readJournal(data []byte) (durableState, error) {
	var s durableState
	for offset := 0; ; {
		body, ok := nextChange(data[offset:])
		if !ok {
			return s, nil
		}
		if err := s.apply(body); err != nil {
			return s, fmt.Errorf("reading the journal at byte %d: %w", offset, err)
		}
		offset += headerBytes + len(body)
	}
}

// nextChange returns the body of the first change; false at the end or where a write was torn. A torn
// write may have left zeros, so an empty body is no change although its checksum is right.
func nextChange(rest []byte) ([]byte, bool) {
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

// errImpossible is a change with the right checksum that no replica writes.
var errImpossible = errors.New("impossible change")

func (s *durableState) apply(body []byte) error {
	d := decoder{rest: body}
	switch kind := d.byte(); kind {
	case changeTerm:
		s.term, s.vote = d.number(), d.number()
	case changeTruncate:
		first := d.number()
		d.require(first >= 1 && first <= uint64(len(s.log)))
		if !d.failed {
			s.log = s.log[:first-1]
		}
	case changeEntry:
		if e := d.entry(); !d.failed {
			s.log = append(s.log, e)
		}
	default:
		return fmt.Errorf("%w of kind %d", errImpossible, kind)
	}
	if d.require(len(d.rest) == 0); d.failed {
		return fmt.Errorf("%w: %x", errImpossible, body)
	}
	return nil
}

func appendChange(b, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	return append(b, body...)
}

func appendTermChange(b []byte, term, vote uint64) []byte {
	body := binary.AppendUvarint([]byte{changeTerm}, term)
	return appendChange(b, binary.AppendUvarint(body, vote))
}

func appendTruncateChange(b []byte, first uint64) []byte {
	return appendChange(b, binary.AppendUvarint([]byte{changeTruncate}, first))
}

func appendEntryChange(b []byte, e *entry) []byte {
	return appendChange(b, appendEntry([]byte{changeEntry}, e))
}

// saveTerm makes term and vote durable.
func (j *journal) saveTerm(term, vote uint64) error {
	if err := j.write(appendTermChange(nil, term, vote)); err != nil {
		return err
	}
	return j.sync()
}

// saveLog makes changes of the log durable.
func (j *journal) saveLog(changes []byte) error {
	if err := j.write(changes); err != nil || j.syncsLater {
		return err
	}
	return j.sync()
}

func (j *journal) write(changes []byte) error {
	if j.failure == nil {
		_, j.failure = j.file.WriteAt(changes, j.endOffset)
	}
	if j.failure != nil {
		return j.failure
	}
	j.endOffset += int64(len(changes))
	j.unsynced = true
	return nil
}

func (j *journal) sync() error {
	if j.failure == nil && j.unsynced {
		j.failure = j.file.Sync()
		j.unsynced = false
	}
	return j.failure
}
