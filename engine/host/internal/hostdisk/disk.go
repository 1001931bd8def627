// Package hostdisk is the disk that a process sees on a real machine: a directory that no name leads out
// of.
//
// Package hostdisk never keeps written data in memory and never orders calls: it passes each to the
// operating system, and the rules of env.Disk hold because the system keeps them.
package hostdisk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/host/internal/incarnation"
)

// ErrName refuses a disk name that is not relative, clean and slash-separated.
var ErrName = errors.New("bad disk name")

const (
	fileMode = 0o640
	dirMode  = 0o750
)

// Disk is a machine's disk for one incarnation of a process. Its handles end with the incarnation.
type Disk struct {
	rootDir     *os.Root
	incarnation *incarnation.Incarnation
}

var _ env.Disk = (*Disk)(nil)

// New returns the disk below a directory for an incarnation. The directory stays the caller's to close.
func New(root *os.Root, i *incarnation.Incarnation) *Disk {
	return &Disk{rootDir: root, incarnation: i}
}

// checkName fails with ErrName.
func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsRune(name, '\\') {
		return fmt.Errorf("%w %q: write a relative name such as db/store.db", ErrName, name)
	}
	return nil
}

// Open implements env.Disk.
func (d *Disk) Open(name string, flag env.OpenFlag) (env.File, error) {
	if err := d.beginCall(name); err != nil {
		return nil, err
	}
	mode := os.O_RDWR
	if flag&env.ReadOnly != 0 {
		mode = os.O_RDONLY
	}
	if flag&env.Create != 0 {
		mode |= os.O_CREATE
		if flag&env.Exclusive != 0 {
			mode |= os.O_EXCL
		}
		if err := d.makeDirs(env.Dir(name)); err != nil {
			return nil, diskError("creating "+name, err)
		}
	}
	f, err := d.rootDir.OpenFile(name, mode, fileMode)
	if err != nil {
		return nil, diskError("opening "+name, err)
	}
	opened := &file{osFile: f, name: name, incarnation: d.incarnation}
	if err := opened.checkRegular(); err != nil {
		f.Close()
		return nil, err
	}
	if !d.incarnation.AddFile(f) {
		return nil, env.ErrDead
	}
	return opened, nil
}

// makeDirs creates the missing directories of a path and makes their names durable at once, because
// nothing else syncs the parents.
func (d *Disk) makeDirs(dir string) error {
	if dir == "" {
		return nil
	}
	if _, err := d.rootDir.Stat(dir); err == nil {
		return nil
	}
	if err := d.makeDirs(env.Dir(dir)); err != nil {
		return err
	}
	if err := d.rootDir.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(env.Dir(dir))
}

// Remove implements env.Disk.
func (d *Disk) Remove(name string) error {
	if err := d.beginCall(name); err != nil {
		return err
	}
	return diskError("removing "+name, d.rootDir.Remove(name))
}

// Rename implements env.Disk.
func (d *Disk) Rename(oldName, newName string) error {
	if err := d.beginCall(oldName); err != nil {
		return err
	}
	if err := checkName(newName); err != nil {
		return err
	}
	if err := d.makeDirs(env.Dir(newName)); err != nil {
		return diskError("renaming to "+newName, err)
	}
	return diskError("renaming "+oldName, d.rootDir.Rename(oldName, newName))
}

// SyncDir implements env.Disk.
func (d *Disk) SyncDir(dir string) error {
	if dir != "" {
		if err := checkName(dir); err != nil {
			return err
		}
	}
	if err := d.incarnation.Pass(); err != nil {
		return err
	}
	return diskError("syncing directory "+dir, d.syncDir(dir))
}

// syncDir syncs a directory, where the operating system can.
func (d *Disk) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there; names are journalled
	}
	f, err := d.rootDir.Open(path.Clean(dir)) // "" is "."
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Exists implements env.Disk.
func (d *Disk) Exists(name string) (bool, error) {
	if err := d.beginCall(name); err != nil {
		return false, err
	}
	info, err := d.rootDir.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, diskError("looking for "+name, err)
	}
	return info.Mode().IsRegular(), nil
}

// beginCall begins every call: it checks the name, waits while the process is paused, and fails once it has
// ended.
func (d *Disk) beginCall(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return d.incarnation.Pass()
}

// file is an open file of one incarnation of a process.
type file struct {
	osFile      *os.File
	name        string
	incarnation *incarnation.Incarnation
}

// checkRegular refuses files that are not regular.
func (f *file) checkRegular() error {
	info, err := f.osFile.Stat()
	if err != nil {
		return diskError("opening "+f.name, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("opening %s: %w: it is not a regular file", f.name, env.ErrIO)
	}
	return nil
}

// ReadAt implements env.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.incarnation.Pass(); err != nil {
		return 0, err
	}
	n, err := f.osFile.ReadAt(p, off)
	if err == io.EOF {
		return n, err
	}
	return n, diskError("reading "+f.name, err)
}

// WriteAt implements env.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.incarnation.Pass(); err != nil {
		return 0, err
	}
	n, err := f.osFile.WriteAt(p, off)
	return n, diskError("writing "+f.name, err)
}

// Truncate implements env.File.
func (f *file) Truncate(size int64) error {
	if err := f.incarnation.Pass(); err != nil {
		return err
	}
	return diskError("truncating "+f.name, f.osFile.Truncate(size))
}

// Sync implements env.File.
func (f *file) Sync() error {
	if err := f.incarnation.Pass(); err != nil {
		return err
	}
	return diskError("syncing "+f.name, f.osFile.Sync())
}

// Size implements env.File.
func (f *file) Size() (int64, error) {
	if err := f.incarnation.Pass(); err != nil {
		return 0, err
	}
	info, err := f.osFile.Stat()
	if err != nil {
		return 0, diskError("measuring "+f.name, err)
	}
	return info.Size(), nil
}

// Close implements env.File.
func (f *file) Close() error {
	f.incarnation.RemoveFile(f.osFile)
	if err := f.incarnation.Pass(); err != nil {
		return err
	}
	return diskError("closing "+f.name, f.osFile.Close())
}

// diskError wraps an error of the operating system in an error of package env.
func diskError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", doing, err)
	case isNoSpace(err):
		return fmt.Errorf("%s: %w: %w", doing, env.ErrNoSpace, err)
	default:
		return fmt.Errorf("%s: %w: %w", doing, env.ErrIO, err)
	}
}
