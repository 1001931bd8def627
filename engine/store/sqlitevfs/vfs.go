package sqlitevfs

import (
	"errors"
	"io"
	"weak"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// session is what a connection needs of its environment. SQLite's side (the registry of file systems and
// the open files) holds it weakly: so a connection that was dropped without Release is garbage
// together with the process that it belonged to, and its memory can be given back.
type session struct {
	disk         env.Disk
	files        []env.File
	processEnded bool
	// memoryOwner owns SQLite's memory, from the first file that it opens on.
	memoryOwner    io.Closer
	firstDiskError error // the first disk error, which SQLite's own error code does not contain
}

func (l *session) noteError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if l.firstDiskError == nil {
		l.firstDiskError = err
	}
	if errors.Is(err, env.ErrNoSpace) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return err
}

// fileSystem implements vfs.VFS for one connection.
type fileSystem struct{ session weak.Pointer[session] }

func (fs fileSystem) liveSession() (*session, error) {
	if l := fs.session.Value(); l != nil && !l.processEnded {
		return l, nil
	}
	return nil, env.ErrDead
}

// OpenFilename implements vfs.VFSFilename: unlike the plain Open it leads to the connection's
// memory before the first disk call, so that a failed or interrupted opening leaks nothing.
func (fs fileSystem) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	l, err := fs.liveSession()
	if err != nil {
		return nil, flags, err
	}
	if l.memoryOwner == nil {
		l.memoryOwner = memoryOwner(name)
	}
	return fs.Open(name.String(), flags)
}

// Open implements vfs.VFS.
func (fs fileSystem) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	l, err := fs.liveSession()
	if err != nil {
		return nil, flags, err
	}
	if name == "" { // temporary files stay in memory by configuration
		return nil, flags, sqlite3.CANTOPEN
	}
	existed, err := l.disk.Exists(name)
	if err != nil {
		return nil, flags, l.noteError(err)
	}
	var how env.OpenFlag
	if flags&vfs.OPEN_CREATE != 0 {
		how |= env.Create
	}
	f, err := l.disk.Open(name, how)
	if err != nil {
		return nil, flags, l.noteError(err)
	}
	l.files = append(l.files, f)
	opened := &file{session: fs.session, fileIndex: len(l.files) - 1, dir: env.Dir(name),
		nameNotDurable: !existed}
	return opened, flags, nil
}

// Delete implements vfs.VFS.
func (fs fileSystem) Delete(name string, syncDir bool) error {
	l, err := fs.liveSession()
	if err != nil {
		return err
	}
	if err := l.disk.Remove(name); errors.Is(err, env.ErrNotExist) {
		return sqlite3.IOERR_DELETE_NOENT
	} else if err != nil {
		return l.noteError(err)
	}
	if syncDir {
		return l.noteError(l.disk.SyncDir(env.Dir(name)))
	}
	return nil
}

// Access implements vfs.VFS.
func (fs fileSystem) Access(name string, _ vfs.AccessFlag) (bool, error) {
	l, err := fs.liveSession()
	if err != nil {
		return false, err
	}
	ok, err := l.disk.Exists(name)
	return ok, l.noteError(err)
}

// FullPathname implements vfs.VFS.
func (fs fileSystem) FullPathname(name string) (string, error) { return name, nil }

// file implements vfs.File. Locks are no-ops: a database has one connection.
type file struct {
	session        weak.Pointer[session]
	fileIndex      int
	dir            string
	nameNotDurable bool // the name is not yet durable
}

func (f *file) liveFile() (*session, env.File, error) {
	if l := f.session.Value(); l != nil && !l.processEnded {
		return l, l.files[f.fileIndex], nil
	}
	return nil, nil, env.ErrDead
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	l, h, err := f.liveFile()
	if err != nil {
		return 0, err
	}
	n, err := h.ReadAt(p, off)
	return n, l.noteError(err)
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	l, h, err := f.liveFile()
	if err != nil {
		return 0, err
	}
	n, err := h.WriteAt(p, off)
	return n, l.noteError(err)
}

// Truncate implements vfs.File.
func (f *file) Truncate(size int64) error {
	l, h, err := f.liveFile()
	if err != nil {
		return err
	}
	return l.noteError(h.Truncate(size))
}

// Sync implements vfs.File. The first one makes the file's name durable too.
func (f *file) Sync(vfs.SyncFlag) error {
	l, h, err := f.liveFile()
	if err != nil {
		return err
	}
	if err := h.Sync(); err != nil {
		return l.noteError(err)
	}
	if f.nameNotDurable {
		if err := l.disk.SyncDir(f.dir); err != nil {
			return l.noteError(err)
		}
		f.nameNotDurable = false
	}
	return nil
}

// Size implements vfs.File.
func (f *file) Size() (int64, error) {
	l, h, err := f.liveFile()
	if err != nil {
		return 0, err
	}
	n, err := h.Size()
	return n, l.noteError(err)
}

// Close implements vfs.File. Once the connection is released it leaves the disk alone.
func (f *file) Close() error {
	l, h, err := f.liveFile()
	if err != nil {
		return nil
	}
	return l.noteError(h.Close())
}

// Lock implements vfs.File.
func (f *file) Lock(vfs.LockLevel) error { return nil }

// Unlock implements vfs.File.
func (f *file) Unlock(vfs.LockLevel) error { return nil }

// CheckReservedLock implements vfs.File.
func (f *file) CheckReservedLock() (bool, error) { return false, nil }

// SectorSize implements vfs.File.
func (f *file) SectorSize() int { return 4096 }

// DeviceCharacteristics implements vfs.File: a write that is cut off by a power failure changes
// no bytes beside those that it was to write.
func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}
