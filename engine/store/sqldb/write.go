package sqldb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"

	"github.com/ncruces/go-sqlite3"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

var _ state.Backend = (*DB)(nil)

// transaction runs f within one transaction and returns once it is durable. After an error the
// database is not to be used any longer, so nothing is rolled back here.
func (d *DB) transaction(f func() error) error {
	err := d.db.Run(func(*sqlite3.Conn) error {
		if err := d.stmts[stmtBegin].Exec(); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
		return d.stmts[stmtCommit].Exec()
	})
	if err != nil {
		return fmt.Errorf("writing the store: %w", markDamage(err))
	}
	return nil
}

// Commit implements state.Backend.
func (d *DB) Commit(b *state.Batch) error {
	return d.transaction(func() error {
		for i := range b.Changes {
			if err := d.putChange(&b.Changes[i]); err != nil {
				return err
			}
		}
		if err := d.putMemory(b.Memory); err != nil {
			return err
		}
		if err := d.putLog(b.Log, b.Floor); err != nil {
			return err
		}
		return d.putConfig(b.Config)
	})
}

// Install implements state.Backend: the epoch and the state that it starts from are one
// transaction.
func (d *DB) Install(i *state.Installation) error {
	return d.transaction(func() error {
		if err := d.putState(i); err != nil {
			return err
		}
		return d.putEpoch(i.Epoch)
	})
}

// Remember implements state.Backend.
func (d *DB) Remember(m *state.Memory) error {
	return d.transaction(func() error { return d.putMemory(m) })
}

// Renew implements state.Backend.
func (d *DB) Renew(inc state.Incarnation, m *state.Memory) error {
	return d.transaction(func() error {
		s := d.stmts[stmtIdentity]
		if err := s.BindBlob(1, inc[:]); err != nil {
			return err
		}
		if err := s.Exec(); err != nil {
			return err
		}
		return d.putMemory(m)
	})
}

// Release implements state.Backend.
func (d *DB) Release() { d.db.Release() }

func (d *DB) putState(i *state.Installation) error {
	if i.Replace {
		if err := d.deleteState(); err != nil {
			return err
		}
	}
	for _, inode := range i.Drop {
		if err := d.dropEntry(inode); err != nil {
			return err
		}
	}
	for k := range i.Put {
		if err := d.putEntry(&i.Put[k]); err != nil {
			return err
		}
	}
	if err := d.putMemory(i.Memory); err != nil {
		return err
	}
	if err := d.putLog(i.Log, i.Floor); err != nil {
		return err
	}
	return d.putConfig(i.Config)
}

func (d *DB) deleteState() error {
	d.trimmedTo = 0
	return d.db.Run(func(c *sqlite3.Conn) error { return c.Exec("DELETE FROM entry; DELETE FROM log") })
}

func (d *DB) putEpoch(epoch ring.ID) error {
	s := d.stmts[stmtEpoch]
	if err := bindInts(s, int64(epoch.Seq), int64(epoch.Rep)); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putConfig(c *state.Config) error {
	if c == nil {
		return nil
	}
	var w bin.Writer
	state.AppendConfig(&w, c)
	s := d.stmts[stmtConfig]
	if err := s.BindBlob(1, w.B); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putMemory(m *state.Memory) error {
	if m == nil {
		return nil
	}
	s := d.stmts[stmtMemory]
	if err := s.BindBlob(1, m.Encode()); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putChange(c *tree.Change) error {
	if c.Removed != nil {
		if err := d.dropEntry(c.Removed.Inode); err != nil {
			return err
		}
	}
	if c.Put != nil {
		return d.putEntry(c.Put)
	}
	return nil
}

func (d *DB) dropEntry(inode uint64) error {
	s := d.stmts[stmtDropEntry]
	if err := s.BindInt64(1, int64(inode)); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putEntry(e *tree.Entry) error {
	s := d.stmts[stmtPutEntry]
	if err := s.BindInt64(1, int64(e.Inode)); err != nil {
		return err
	}
	if err := s.BindText(2, e.Path); err != nil {
		return err
	}
	for i, v := range [...]int64{int64(e.Kind), int64(e.Mod), int64(e.Writer), e.MtimeMS} {
		if err := s.BindInt64(3+i, v); err != nil {
			return err
		}
	}
	if err := s.BindBlob(7, e.Data); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putLog(log []state.LogEntry, floor uint64) error {
	for i := range log {
		if err := d.putLogEntry(&log[i]); err != nil {
			return err
		}
	}
	if floor < d.trimmedTo+trimInterval {
		return nil
	}
	d.trimmedTo = floor
	s := d.stmts[stmtTrimLog]
	if err := s.BindInt64(1, int64(floor)); err != nil {
		return err
	}
	return s.Exec()
}

func (d *DB) putLogEntry(e *state.LogEntry) error {
	s := d.stmts[stmtPutLog]
	if err := bindInts(s, int64(e.Revision), int64(e.Epoch.Seq), int64(e.Epoch.Rep)); err != nil {
		return err
	}
	if err := s.BindText(4, e.Request); err != nil {
		return err
	}
	if err := s.BindInt64(5, int64(e.Kind)); err != nil {
		return err
	}
	if err := s.BindText(6, e.Path); err != nil {
		return err
	}
	if err := s.BindText(7, e.To); err != nil {
		return err
	}
	if err := s.BindBlob(8, e.Digest[:]); err != nil {
		return err
	}
	if err := s.BindBlob(9, sealedChain(e)); err != nil {
		return err
	}
	return s.Exec()
}

// sealTable is the polynomial of the checksums of log entries.
var sealTable = crc64.MakeTable(crc64.ECMA)

// sealedChain returns an entry's chain with a checksum of the whole entry behind it. The chain alone proves
// an entry only together with the tree that it led to, and of the trees the last one is kept.
func sealedChain(e *state.LogEntry) []byte {
	w := bin.Writer{B: make([]byte, 0, 192+len(e.Request)+len(e.Path)+len(e.To))}
	w.Raw(e.Chain[:])
	w.U64(e.Revision)
	w.U64(e.Epoch.Seq)
	w.U32(uint32(e.Epoch.Rep))
	w.String(e.Request)
	w.U8(uint8(e.Kind))
	w.String(e.Path)
	w.String(e.To)
	w.Raw(e.Digest[:])
	return binary.LittleEndian.AppendUint64(w.B[:len(e.Chain):len(e.Chain)], crc64.Checksum(w.B, sealTable))
}

// openSealed reads a chain into an entry, whose other parts are read, and verifies the checksum. Databases of
// the first versions have none.
func openSealed(e *state.LogEntry, sealed []byte) error {
	copy(e.Chain[:], sealed)
	if len(sealed) == len(e.Chain) || bytes.Equal(sealed, sealedChain(e)) {
		return nil
	}
	return fmt.Errorf("%w: log entry %d is not what was written", ErrUnusable, e.Revision)
}

func bindInts(s *sqlite3.Stmt, values ...int64) error {
	for i, v := range values {
		if err := s.BindInt64(1+i, v); err != nil {
			return err
		}
	}
	return nil
}
