package sqldb

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/bin"
	"github.com/holdfast-sim/holdfast/engine/store/sqlitevfs"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// schemaVersion is kept in the database's user_version.
const schemaVersion = 1

const schema = `
CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1), incarnation BLOB NOT NULL, boot INTEGER NOT NULL,
  epoch_seq INTEGER NOT NULL, epoch_rep INTEGER NOT NULL, config BLOB);
CREATE TABLE entry(inode INTEGER PRIMARY KEY, path TEXT NOT NULL, kind INTEGER NOT NULL,
  mod INTEGER NOT NULL, writer INTEGER NOT NULL, mtime INTEGER NOT NULL, data BLOB);
CREATE TABLE log(revision INTEGER PRIMARY KEY, epoch_seq INTEGER NOT NULL, epoch_rep INTEGER NOT NULL,
  request TEXT NOT NULL, kind INTEGER NOT NULL, path TEXT NOT NULL, target TEXT NOT NULL,
  digest BLOB NOT NULL, chain BLOB NOT NULL);
PRAGMA user_version=1;`

// memorySchema adds the table of what the store keeps for itself. Databases of the first versions lack it.
const memorySchema = `
CREATE TABLE IF NOT EXISTS memory(id INTEGER PRIMARY KEY CHECK(id=1), data BLOB NOT NULL)`

// trimInterval is how many revisions pass between deletions of forgotten log entries.
const trimInterval = 128

// ErrUnusable means that the database cannot be used as it is: it is damaged or was made by a
// later version. It is left as it is.
var ErrUnusable = errors.New("store database is unusable")

// ErrOtherVersion means that the database is unusable because another version of the program made it. It is
// fine for that version.
var ErrOtherVersion = errors.New("use the version of the program that wrote it")

// Options are the parameters of a database.
type Options struct {
	Disk env.Disk
	Name string
	// Boot is the machine's boot counter.
	Boot uint64
	// AfterError reports that this process had a disk error since it started.
	AfterError bool
	// NewIncarnation makes the incarnation of a new store.
	NewIncarnation func() state.Incarnation
	Limits         tree.Limits
	// PageBytes is the size of the pages of a new database; SQLite's default unless set.
	PageBytes int
	// CheckpointPages is the length of the write-ahead log that leads to a checkpoint;
	// [sqlitevfs.DefaultCheckpointPages] unless set.
	CheckpointPages int
}

// DB is an open database; it implements [state.Backend].
type DB struct {
	db        *sqlitevfs.DB
	trimmedTo uint64
	stmts     [stmtCount]*sqlite3.Stmt
}

const (
	stmtBegin = iota
	stmtCommit
	stmtPutEntry
	stmtDropEntry
	stmtPutLog
	stmtTrimLog
	stmtEpoch
	stmtConfig
	stmtMemory
	stmtIdentity
	stmtCount
)

var sqls = [stmtCount]string{
	stmtBegin:     "BEGIN IMMEDIATE",
	stmtCommit:    "COMMIT",
	stmtPutEntry:  "INSERT OR REPLACE INTO entry VALUES(?,?,?,?,?,?,?)",
	stmtDropEntry: "DELETE FROM entry WHERE inode=?",
	stmtPutLog:    "INSERT INTO log VALUES(?,?,?,?,?,?,?,?,?)",
	stmtTrimLog:   "DELETE FROM log WHERE revision<=?",
	stmtEpoch:     "UPDATE meta SET epoch_seq=?, epoch_rep=?",
	stmtConfig:    "UPDATE meta SET config=?",
	stmtMemory:    "INSERT OR REPLACE INTO memory VALUES(1,?)",
	stmtIdentity:  "UPDATE meta SET incarnation=?",
}

// Open opens or creates a store's database and loads the replica. It fails with a disk error or
// with ErrUnusable; then the files are as they were, but for SQLite's own recovery.
func Open(o Options) (*DB, *state.Replica, error) {
	db, err := sqlitevfs.Open(o.Disk, o.Name, sqlitevfs.Options{PageBytes: o.PageBytes,
		CheckpointPages: o.CheckpointPages})
	if err != nil {
		return nil, nil, fmt.Errorf("opening the store: %w", markDamage(err))
	}
	d := &DB{db: db}
	var r *state.Replica
	err = db.Run(func(c *sqlite3.Conn) (err error) {
		r, err = d.loadReplica(c, o)
		return err
	})
	if err != nil {
		db.Release()
		return nil, nil, fmt.Errorf("opening the store: %w", markDamage(err))
	}
	return d, r, nil
}

// markDamage marks damage, as opposed to disk errors, with ErrUnusable.
func markDamage(err error) error {
	if errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) || errors.Is(err, state.ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return err
}

func (d *DB) loadReplica(c *sqlite3.Conn, o Options) (*state.Replica, error) {
	version, err := queryInt(c, "PRAGMA user_version")
	if err != nil {
		return nil, err
	}
	if version != 0 && version != schemaVersion {
		return nil, fmt.Errorf("%w: %w: its schema has version %d, and this program knows %d", ErrUnusable,
			ErrOtherVersion, version, schemaVersion)
	}
	r := &state.Replica{Tree: tree.New(o.Limits), Memory: &state.Memory{}}
	if version == 0 {
		r.Incarnation = o.NewIncarnation()
		err = createTables(c, r.Incarnation, o.Boot)
	} else if err = d.readReplica(c, r); err == nil {
		err = rewriteIfDoubtful(c, o)
	}
	if err == nil {
		err = readMemory(c, r)
	}
	if err != nil {
		return nil, err
	}
	for i, sql := range sqls {
		if d.stmts[i], _, err = c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, fmt.Errorf("preparing %q: %w", sql, err)
		}
	}
	return r, nil
}

// createTables makes the tables and the identity in one transaction: a store either has an identity
// that it will keep or has promised nothing yet.
func createTables(c *sqlite3.Conn, inc state.Incarnation, boot uint64) error {
	return c.Exec(fmt.Sprintf("BEGIN IMMEDIATE;%s INSERT INTO meta VALUES(1,x'%s',%d,0,0,NULL);COMMIT;",
		schema, inc, int64(boot)))
}

// rewriteIfDoubtful prepares a database that existed for further use. If it was open before since the
// machine booted, a failed sync may have left bytes that can be read now but are not on the
// medium; then everything is written anew, log first, so that what was read is durable before
// it is reported to other stores.
func rewriteIfDoubtful(c *sqlite3.Conn, o Options) error {
	boot, err := queryInt(c, "SELECT boot FROM meta")
	if err != nil {
		return err
	}
	if uint64(boot) == o.Boot || o.AfterError {
		if err := c.Exec("PRAGMA wal_checkpoint(TRUNCATE); VACUUM"); err != nil {
			return fmt.Errorf("writing the store anew: %w", err)
		}
	}
	return c.Exec(fmt.Sprintf("UPDATE meta SET boot=%d", int64(o.Boot)))
}

func queryInt(c *sqlite3.Conn, sql string) (int64, error) {
	s, _, err := c.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if !s.Step() {
		return 0, errors.Join(s.Err(), fmt.Errorf("%w: no row for %q", ErrUnusable, sql))
	}
	return s.ColumnInt64(0), nil
}

// eachRow calls each for every row of a query.
func eachRow(c *sqlite3.Conn, sql string, each func(*sqlite3.Stmt) error) error {
	s, _, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer s.Close()
	for s.Step() {
		if err := each(s); err != nil {
			return err
		}
	}
	return s.Err()
}

func (d *DB) readReplica(c *sqlite3.Conn, r *state.Replica) error {
	err := eachRow(c, "SELECT incarnation, epoch_seq, epoch_rep, config FROM meta",
		func(s *sqlite3.Stmt) error {
			copy(r.Incarnation[:], s.ColumnRawBlob(0))
			r.Epoch = ring.ID{Seq: uint64(s.ColumnInt64(1)), Rep: ring.NodeID(s.ColumnInt64(2))}
			if raw := s.ColumnRawBlob(3); raw != nil {
				br := &bin.Reader{B: raw}
				if r.Config = state.ReadConfig(br); !br.Done() {
					return fmt.Errorf("%w: configuration cannot be read", ErrUnusable)
				}
			}
			return nil
		})
	if err != nil {
		return err
	}
	if r.Incarnation.IsZero() {
		return fmt.Errorf("%w: no identity", ErrUnusable)
	}
	err = eachRow(c, "SELECT inode, path, kind, mod, writer, mtime, data FROM entry",
		func(s *sqlite3.Stmt) error {
			r.Tree.Put(tree.Entry{Inode: uint64(s.ColumnInt64(0)), Path: s.ColumnText(1),
				Kind: tree.Kind(s.ColumnInt(2)), Mod: uint64(s.ColumnInt64(3)),
				Writer: uint32(s.ColumnInt64(4)), MtimeMS: s.ColumnInt64(5), Data: s.ColumnBlob(6, nil)})
			return nil
		})
	if err != nil {
		return err
	}
	return d.readLog(c, r)
}

// readMemory reads what the store keeps for itself.
func readMemory(c *sqlite3.Conn, r *state.Replica) error {
	if err := c.Exec(memorySchema); err != nil {
		return fmt.Errorf("adding the table of the store's memory: %w", err)
	}
	return eachRow(c, "SELECT data FROM memory", func(s *sqlite3.Stmt) (err error) {
		if r.Memory, err = state.DecodeMemory(s.ColumnRawBlob(0)); err != nil {
			return fmt.Errorf("%w: what it keeps about other nodes cannot be read", ErrUnusable)
		}
		return nil
	})
}

func (d *DB) readLog(c *sqlite3.Conn, r *state.Replica) error {
	const sql = "SELECT revision, epoch_seq, epoch_rep, request, kind, path, target, digest, chain " +
		"FROM log ORDER BY revision"
	err := eachRow(c, sql, func(s *sqlite3.Stmt) error {
		e := state.LogEntry{Revision: uint64(s.ColumnInt64(0)),
			Epoch:   ring.ID{Seq: uint64(s.ColumnInt64(1)), Rep: ring.NodeID(s.ColumnInt64(2))},
			Request: s.ColumnText(3), Kind: tree.OpKind(s.ColumnInt(4)), Path: s.ColumnText(5),
			To: s.ColumnText(6)}
		copy(e.Digest[:], s.ColumnRawBlob(7))
		if err := openSealed(&e, s.ColumnRawBlob(8)); err != nil {
			return err
		}
		if before := r.Log.Revision(); before > 0 && e.Revision != before+1 || r.Config == nil {
			return fmt.Errorf("%w: log has a gap before revision %d", ErrUnusable, e.Revision)
		}
		r.Log.Append(e, state.Floor(e.Revision, r.Config.LogKeep))
		return nil
	})
	if err != nil {
		return err
	}
	return r.Check()
}
