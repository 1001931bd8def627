package envtest

import (
	"io"
	"io/fs"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Disk keeps files in memory; everything written is durable at once. A file stays readable through open
// handles after its removal.
type Disk struct {
	files map[string]*content
	// Fail, if set, is called before every change; the call returns its error. op is create, remove,
	// rename, syncdir, write, truncate or sync.
	Fail func(op, name string) error
}

type content struct{ data []byte }

// NewDisk returns an empty disk.
func NewDisk() *Disk { return &Disk{files: map[string]*content{}} }

// DiskOf returns a machine's disk.
func (w *World) DiskOf(m env.MachineID) *Disk {
	if w.disks[m] == nil {
		w.disks[m] = NewDisk()
	}
	return w.disks[m]
}

// WipeDisk replaces a machine's disk by an empty one.
func (w *World) WipeDisk(m env.MachineID) { w.disks[m] = NewDisk() }

func (d *Disk) fail(op, name string) error {
	if d.Fail == nil {
		return nil
	}
	return d.Fail(op, name)
}

// Open implements env.Disk.
func (d *Disk) Open(name string, flag env.OpenFlag) (env.File, error) {
	c := d.files[name]
	switch {
	case c == nil && flag&env.Create == 0:
		return nil, fs.ErrNotExist
	case c != nil && flag&env.Exclusive != 0:
		return nil, fs.ErrExist
	case c == nil:
		if err := d.fail("create", name); err != nil {
			return nil, err
		}
		c = &content{}
		d.files[name] = c
	}
	return &file{disk: d, name: name, content: c}, nil
}

// Remove implements env.Disk.
func (d *Disk) Remove(name string) error {
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	if err := d.fail("remove", name); err != nil {
		return err
	}
	delete(d.files, name)
	return nil
}

// Rename implements env.Disk.
func (d *Disk) Rename(oldName, newName string) error {
	if d.files[oldName] == nil {
		return fs.ErrNotExist
	}
	if err := d.fail("rename", oldName); err != nil {
		return err
	}
	d.files[newName] = d.files[oldName]
	delete(d.files, oldName)
	return nil
}

// SyncDir implements env.Disk.
func (d *Disk) SyncDir(dir string) error { return d.fail("syncdir", dir) }

// Exists implements env.Disk.
func (d *Disk) Exists(name string) (bool, error) { return d.files[name] != nil, nil }

type file struct {
	disk    *Disk
	name    string
	content *content
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(f.content.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.content.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.fail("write", f.name); err != nil {
		return 0, err
	}
	if need := off + int64(len(p)); need > int64(len(f.content.data)) {
		f.content.data = append(f.content.data, make([]byte, need-int64(len(f.content.data)))...)
	}
	return copy(f.content.data[off:], p), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.disk.fail("truncate", f.name); err != nil {
		return err
	}
	if size <= int64(len(f.content.data)) {
		f.content.data = f.content.data[:size]
		return nil
	}
	f.content.data = append(f.content.data, make([]byte, size-int64(len(f.content.data)))...)
	return nil
}

func (f *file) Sync() error          { return f.disk.fail("sync", f.name) }
func (f *file) Size() (int64, error) { return int64(len(f.content.data)), nil }
func (f *file) Close() error         { return nil }
