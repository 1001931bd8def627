package env

import (
	"errors"
	"io/fs"
)

// Disk is the part of a machine's local file system that protocols need. Names are slash-separated and
// relative; missing directories of a file's path are created with the file.
//
// What survives a power cut: the bytes of a file up to its last Sync, and the names in a directory up to
// its last SyncDir or, as on Linux journalling file systems, up to the last Sync of a file in it. Later
// changes may be lost, kept, or torn at sector granularity, each write independently. A process kill
// alone loses nothing that was written.
type Disk interface {
	// Open opens a file. It fails with [fs.ErrNotExist] if the file does not exist and Create is not set,
	// and with [fs.ErrExist] if it exists and Exclusive is set.
	Open(name string, flag OpenFlag) (File, error)

	// Remove deletes a file. It fails with [fs.ErrNotExist] if there is none.
	Remove(name string) error

	// Rename moves a file over another one. Readers see the old or the new file; the change is durable
	// after SyncDir.
	Rename(oldName, newName string) error

	// SyncDir makes the names in a directory durable. "" is the top directory.
	SyncDir(dir string) error

	// Exists reports whether there is a file with this name.
	Exists(name string) (bool, error)
}

// OpenFlag is how to open a file.
type OpenFlag uint8

const (
	// Create creates the file if it is missing.
	Create OpenFlag = 1 << iota
	// Exclusive, with Create, fails if the file exists.
	Exclusive
	// ReadOnly refuses writes.
	ReadOnly
)

// File is an open file. The handles of an ended process fail with ErrDead and change nothing.
type File interface {
	// ReadAt reads as [io.ReaderAt] does: it returns io.EOF when it reads fewer bytes than asked for.
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt writes as [io.WriterAt] does, and extends the file with zeros where needed.
	WriteAt(p []byte, off int64) (int, error)
	// Truncate sets the file's size.
	Truncate(size int64) error
	// Sync makes the file's bytes and size durable.
	Sync() error
	// Size returns the file's size in bytes.
	Size() (int64, error)
	// Close releases the handle; it does not sync.
	Close() error
}

var (
	// ErrIO is a failed read, write or sync (EIO). After a failed Sync, nothing may be assumed about what
	// was written before it.
	ErrIO = errors.New("input/output error")
	// ErrNoSpace means that the disk is full (ENOSPC).
	ErrNoSpace = errors.New("no space left on device")
	// ErrDead is returned by the handles of an ended process.
	ErrDead = errors.New("process has ended")
	// ErrNotExist is [fs.ErrNotExist], declared here so that callers need one import only.
	ErrNotExist = fs.ErrNotExist
)
