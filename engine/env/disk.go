package env

import (
	"errors"
	"io/fs"
)

// Disk is a machine's local file system as far as protocols need it. Names are slash-separated
// and relative; directories on the way to a file that is created are created with it.
//
// What survives a power cut: the bytes of a file up to its last Sync, and the names of a
// directory up to its last SyncDir or, as on Linux journalling file systems, up to the last Sync
// of a file in it. Anything later may be lost, kept or torn at sector granularity, each write for
// itself. A process kill alone loses nothing that was written.
type Disk interface {
	// Open opens a file. It fails with [fs.ErrNotExist] when the file is not there and Create
	// is not asked for, and with [fs.ErrExist] when it is there and Exclusive is asked for.
	Open(name string, flag OpenFlag) (File, error)

	// Remove deletes a file; [fs.ErrNotExist] when there is none.
	Remove(name string) error

	// Rename moves a file over another one, atomically for readers; durable after SyncDir.
	Rename(oldName, newName string) error

	// SyncDir makes the names in a directory durable. "" is the top.
	SyncDir(dir string) error

	// Exists says whether there is a file of this name.
	Exists(name string) (bool, error)
}

// OpenFlag says how to open a file.
type OpenFlag uint8

const (
	// Create makes the file when it is missing.
	Create OpenFlag = 1 << iota
	// Exclusive, with Create, demands that the file is missing.
	Exclusive
	// ReadOnly refuses writes.
	ReadOnly
)

// File is an open file. Handles of a dead process fail every call and change nothing.
type File interface {
	// ReadAt reads like [io.ReaderAt]: fewer bytes than asked come with io.EOF.
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt writes like [io.WriterAt], extending the file with zeros where needed.
	WriteAt(p []byte, off int64) (int, error)
	// Truncate sets the file's size.
	Truncate(size int64) error
	// Sync makes the file's bytes and size durable.
	Sync() error
	// Size is the file's size in bytes.
	Size() (int64, error)
	// Close releases the handle; it does not sync.
	Close() error
}

var (
	// ErrIO is a failed read, write or sync (EIO). After a failed Sync nothing may be assumed
	// of what was written before it.
	ErrIO = errors.New("input/output error")
	// ErrNoSpace means that the disk is full (ENOSPC).
	ErrNoSpace = errors.New("no space left on device")
	// ErrDead is what the handles of an ended process answer.
	ErrDead = errors.New("process has ended")
	// ErrNotExist is [fs.ErrNotExist], here so that callers need one import.
	ErrNotExist = fs.ErrNotExist
)
