// Package faultdisk is an [env.Disk] in memory that keeps what is durable apart from what is not, so that
// tests can cut the power, kill a process in the middle of a call, and fail calls.
//
// The simulator's disk (package sim/disk) does the same for whole runs, but the engine must not import the
// simulator, and tests of single packages need what a run cannot give: a hook before every single call
// (Before), so that a test kills or fails at call number i for every i; a copy of a disk (Clone), so that it
// tries every power cut from one state; and choices that the test enumerates instead of draws. What a power
// cut leaves is the same in both: each sector of an unsynced write, and each unsynced name, or not.
//
// Package faultdisk never decides on a fault by itself: tests do.
package faultdisk

import (
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// SectorBytes is what survives a power cut as a whole or not at all.
const SectorBytes = 512

// Disk is one machine's disk.
type Disk struct {
	// Before, when set, is called ahead of every call with its name ("write", "sync", "truncate",
	// "create", "remove", "rename", "syncdir", "open", "read"). An error is what the call
	// returns; a panic is a kill.
	Before func(op, name string) error
	// Calls counts the calls that change something.
	Calls int

	names      map[string]*inode
	durable    map[string]*inode
	generation int
}

type inode struct {
	data    []byte
	synced  []byte
	pending []change // since the last sync, in order
}

type change struct {
	off      int64
	data     []byte // nil: truncate to off
	truncate bool
}

// New returns an empty disk.
func New() *Disk { return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}} }

// Kill makes every open handle dead, as the end of the process does.
func (d *Disk) Kill() { d.generation++ }

// PowerCut kills, and loses what was not durable as choose decides: for each sector of a write
// and for each name, choose(2) == 1 means that it survived.
func (d *Disk) PowerCut(choose func(n int) int) {
	d.Kill()
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		if d.durable[name] != d.names[name] && choose(2) == 1 {
			d.durable[name] = d.names[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		if d.names[name] == nil && choose(2) == 1 {
			delete(d.durable, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		d.durable[name].cut(choose)
	}
	d.names = maps.Clone(d.durable)
}

func (n *inode) cut(choose func(int) int) {
	data := n.synced
	for _, c := range n.pending {
		if c.truncate {
			if choose(2) == 1 {
				data = resized(data, c.off)
			}
			continue
		}
		for start := int64(0); start < int64(len(c.data)); {
			end := min(int64(len(c.data)), (c.off+start)/SectorBytes*SectorBytes+SectorBytes-c.off)
			if choose(2) == 1 {
				data = written(data, c.data[start:end], c.off+start)
			}
			start = end
		}
	}
	n.data, n.synced, n.pending = slices.Clone(data), data, nil
}

func resized(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return slices.Clone(data[:size])
	}
	return append(slices.Clone(data), make([]byte, size-int64(len(data)))...)
}

func written(data, p []byte, off int64) []byte {
	if need := off + int64(len(p)); need > int64(len(data)) {
		data = resized(data, need)
	} else {
		data = slices.Clone(data)
	}
	copy(data[off:], p)
	return data
}

// Wipe replaces the disk with an empty one.
func (d *Disk) Wipe() {
	d.Kill()
	d.names, d.durable = map[string]*inode{}, map[string]*inode{}
}

// Clone copies the disk with what is durable and what is not.
func (d *Disk) Clone() *Disk {
	c := New()
	copies := map[*inode]*inode{}
	dup := func(n *inode) *inode {
		if copies[n] == nil {
			copies[n] = &inode{data: slices.Clone(n.data), synced: slices.Clone(n.synced),
				pending: slices.Clone(n.pending)}
		}
		return copies[n]
	}
	for name, n := range d.names {
		c.names[name] = dup(n)
	}
	for name, n := range d.durable {
		c.durable[name] = dup(n)
	}
	return c
}

func (d *Disk) call(op, name string, changes bool) error {
	if changes {
		d.Calls++
	}
	if d.Before != nil {
		return d.Before(op, name)
	}
	return nil
}

// Open implements env.Disk.
func (d *Disk) Open(name string, flag env.OpenFlag) (env.File, error) {
	n := d.names[name]
	switch {
	case n == nil && flag&env.Create == 0:
		return nil, fs.ErrNotExist
	case n != nil && flag&env.Exclusive != 0:
		return nil, fs.ErrExist
	case n == nil:
		if err := d.call("create", name, true); err != nil {
			return nil, err
		}
		n = &inode{}
		d.names[name] = n
	default:
		if err := d.call("open", name, false); err != nil {
			return nil, err
		}
	}
	return &file{disk: d, name: name, n: n, generation: d.generation}, nil
}

// Remove implements env.Disk.
func (d *Disk) Remove(name string) error {
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	if err := d.call("remove", name, true); err != nil {
		return err
	}
	delete(d.names, name)
	return nil
}

// Rename implements env.Disk.
func (d *Disk) Rename(oldName, newName string) error {
	if d.names[oldName] == nil {
		return fs.ErrNotExist
	}
	if err := d.call("rename", oldName, true); err != nil {
		return err
	}
	d.names[newName] = d.names[oldName]
	delete(d.names, oldName)
	return nil
}

// SyncDir implements env.Disk. A file's own sync does not make its name durable here.
func (d *Disk) SyncDir(dir string) error {
	if err := d.call("syncdir", dir, true); err != nil {
		return err
	}
	for name := range d.durable {
		if env.Dir(name) == dir && d.names[name] == nil {
			delete(d.durable, name)
		}
	}
	for name, n := range d.names {
		if env.Dir(name) == dir {
			d.durable[name] = n
		}
	}
	return nil
}

// Exists implements env.Disk.
func (d *Disk) Exists(name string) (bool, error) { return d.names[name] != nil, nil }

type file struct {
	disk       *Disk
	name       string
	n          *inode
	generation int
}

func (f *file) alive() error {
	if f.generation != f.disk.generation {
		return env.ErrDead
	}
	return nil
}

// begin runs the hook; the process may be dead afterwards.
func (f *file) begin(op string, changes bool) error {
	if err := f.alive(); err != nil {
		return err
	}
	if err := f.disk.call(op, f.name, changes); err != nil {
		return err
	}
	return f.alive()
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	f.n.pending = append(f.n.pending, change{off: off, data: slices.Clone(p)})
	if need := off + int64(len(p)); need > int64(len(f.n.data)) {
		f.n.data = append(f.n.data, make([]byte, need-int64(len(f.n.data)))...)
	}
	return copy(f.n.data[off:], p), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.begin("truncate", true); err != nil {
		return err
	}
	f.n.pending = append(f.n.pending, change{off: size, truncate: true})
	f.n.data = resized(f.n.data, size)
	return nil
}

func (f *file) Sync() error {
	if err := f.begin("sync", true); err != nil {
		return err
	}
	f.n.applyPending()
	return nil
}

// applyPending carries the pending changes to the medium: those only, not what a failed sync lost.
func (n *inode) applyPending() {
	for _, c := range n.pending {
		size := int64(len(n.synced))
		if need := c.off + int64(len(c.data)); c.truncate && need < size {
			n.synced = n.synced[:need]
		} else if need > size {
			n.synced = append(n.synced, make([]byte, need-size)...)
		}
		copy(n.synced[c.off:], c.data)
	}
	n.pending = nil
}

// LoseDirty forgets what is not synced yet without undoing it for readers: what a failed sync
// leaves behind on systems that drop the dirty mark.
func (d *Disk) LoseDirty(name string) {
	if n := d.names[name]; n != nil {
		n.pending = nil
	}
}

func (f *file) Size() (int64, error) { return int64(len(f.n.data)), f.alive() }
func (f *file) Close() error         { return nil }
