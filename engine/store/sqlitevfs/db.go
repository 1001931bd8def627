package sqlitevfs

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"unsafe"
	"weak"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// DefaultCheckpointPages is the length of the write-ahead log at which its pages are copied into the
// database file: short, because every opening reads the whole log.
const DefaultCheckpointPages = 256

// Options are what a database is opened with. The zero value is a usual one.
type Options struct {
	// PageBytes is the size of the pages of a file that is created, a power of two from 512 to 65536; 0 is
	// SQLite's default.
	PageBytes int
	// CheckpointPages is the length of the write-ahead log at which its pages are copied into the database
	// file; 0 is DefaultCheckpointPages.
	CheckpointPages int
}

// settings returns what makes a database that one connection owns and that loses nothing it has committed.
// locking_mode comes first: only an exclusively held database can have a write-ahead log without
// shared memory.
func (o *Options) settings() string {
	pages := o.CheckpointPages
	if pages == 0 {
		pages = DefaultCheckpointPages
	}
	text := fmt.Sprintf("PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal; "+
		"PRAGMA synchronous=full; PRAGMA wal_autocheckpoint=%d; PRAGMA temp_store=memory", pages)
	if o.PageBytes != 0 {
		text = fmt.Sprintf("PRAGMA page_size=%d; ", o.PageBytes) + text
	}
	return text
}

// ErrReleased is what a released database answers.
var ErrReleased = errors.New("database was released")

// DB is one open database.
type DB struct {
	conn         *sqlite3.Conn
	session      *session
	registration *registration
	cleanup      runtime.Cleanup
	activeCalls  int // calls into SQLite that have not returned
}

// registration is a place in the library's registry of file systems. Its address is its name, so no two
// that exist at the same time have the same one.
type registration struct{ _ [32]byte }

func (e *registration) String() string {
	return fmt.Sprintf("holdfast-%016x", uintptr(unsafe.Pointer(e)))
}

// Open opens a database file, creating it if it is missing. The name may hold letters, digits and
// any of "/._-".
func Open(disk env.Disk, name string, options Options) (*DB, error) {
	if strings.IndexFunc(name, isForbidden) >= 0 || name == "" {
		return nil, fmt.Errorf("opening database %q: use letters, digits and /._- only", name)
	}
	db := &DB{session: &session{disk: disk}, registration: &registration{}}
	vfs.Register(db.registration.String(), fileSystem{weak.Make(db.session)})
	if err := db.openConnection(name, &options); err != nil {
		db.Release()
		return nil, err
	}
	return db, nil
}

func isForbidden(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("/._-", r))
}

func (db *DB) openConnection(name string, options *Options) error {
	err := db.Run(func(*sqlite3.Conn) (err error) {
		db.conn, err = sqlite3.OpenFlags("file:"+name+"?vfs="+db.registration.String(),
			sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
		return err
	})
	if err != nil {
		return err
	}
	db.cleanup = runtime.AddCleanup(db, sqliteMemory.free,
		sqliteMemory{db.session.memoryOwner, db.registration})
	return db.Run(func(c *sqlite3.Conn) error { return c.Exec(options.settings()) })
}

// sqliteMemory is what a connection holds that the garbage collector does not see. It must not lead
// back to the DB.
type sqliteMemory struct {
	memory       io.Closer
	registration *registration
}

func (o sqliteMemory) free() {
	vfs.Unregister(o.registration.String())
	if o.memory != nil {
		_ = o.memory.Close() // unmapping; no caller is left to inform
	}
}

// memoryOwner finds what owns a connection's memory, given something of the library that leads to
// it. The library frees it only in the course of an orderly close, which it skips when opening
// fails, which SQLite refuses while statements are open, and which must not even be tried after a
// panic has unwound through SQLite.
func memoryOwner(name *vfs.Filename) io.Closer {
	field := reflect.ValueOf(name).Elem().FieldByName("wrp")
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().(io.Closer)
}

// Run calls into SQLite. If f panics, the database is released before the panic continues.
func (db *DB) Run(f func(*sqlite3.Conn) error) error {
	if db.session.processEnded {
		return ErrReleased
	}
	returned := false
	db.activeCalls++
	defer func() {
		db.activeCalls--
		if !returned {
			db.session.processEnded = true
		}
		if db.session.processEnded {
			db.freeMemory()
		}
	}()
	err := f(db.conn)
	returned = true
	return db.withCause(err)
}

// withCause adds the disk's error to SQLite's. It also returns a disk's error that SQLite hides: when the
// copy of the log into the database file fails after a commit, SQLite reports success and tries again later,
// and the file keeps content that no sync made durable.
func (db *DB) withCause(err error) error {
	cause := db.session.firstDiskError
	db.session.firstDiskError = nil
	switch {
	case cause == nil:
		return err
	case err == nil:
		return fmt.Errorf("copying the log into the database file: %w", cause)
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Release ends the use of the database without touching the disk, as a crash of the process
// would: what was committed stays, what was not is gone. It may be called at any time, also from
// within a disk call, and more than once.
func (db *DB) Release() {
	db.session.processEnded = true
	db.freeMemory()
}

func (db *DB) freeMemory() {
	if db.activeCalls > 0 || db.registration == nil {
		return // with SQLite on the stack, Run frees on the way out
	}
	db.cleanup.Stop()
	sqliteMemory{db.session.memoryOwner, db.registration}.free()
	for _, f := range db.session.files {
		_ = f.Close() // nothing was written through it that matters now
	}
	db.conn, db.registration, db.session.memoryOwner, db.session.files = nil, nil, nil, nil
}
