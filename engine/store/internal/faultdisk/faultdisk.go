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

	visibleNames map[string]*inode
	durableNames map[string]*inode
	generation   int
}

type inode struct {
	data           []byte
	syncedData     []byte
	unsyncedWrites []change // since the last sync, in order
}

type change struct {
	offset   int64
	data     []byte // nil: truncate to off
	truncate bool
}

// New returns an empty disk.
func New() *Disk { return &Disk{visibleNames: map[string]*inode{}, durableNames: map[string]*inode{}} }

// Kill makes every open handle dead, as the end of the process does.
func (d *Disk) Kill() { d.generation++ }

// PowerCut kills, and loses what was not durable as choose decides: for each sector of a write
// and for each name, choose(2) == 1 means that it survived.
func (d *Disk) PowerCut(choose func(n int) int) {
	d.Kill()
	for _, name := range slices.Sorted(maps.Keys(d.visibleNames)) {
		if d.durableNames[name] != d.visibleNames[name] && choose(2) == 1 {
			d.durableNames[name] = d.visibleNames[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durableNames)) {
		if d.visibleNames[name] == nil && choose(2) == 1 {
			delete(d.durableNames, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durableNames)) {
		d.durableNames[name].losePower(choose)
	}
	d.visibleNames = maps.Clone(d.durableNames)
}

func (n *inode) losePower(choose func(int) int) {
	data := n.syncedData
	for _, c := range n.unsyncedWrites {
		if c.truncate {
			if choose(2) == 1 {
				data = resized(data, c.offset)
			}
			continue
		}
		for start := int64(0); start < int64(len(c.data)); {
			end := min(int64(len(c.data)), (c.offset+start)/SectorBytes*SectorBytes+SectorBytes-c.offset)
			if choose(2) == 1 {
				data = written(data, c.data[start:end], c.offset+start)
			}
			start = end
		}
	}
	n.data, n.syncedData, n.unsyncedWrites = slices.Clone(data), data, nil
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
	d.visibleNames, d.durableNames = map[string]*inode{}, map[string]*inode{}
}

// Clone copies the disk with what is durable and what is not.
func (d *Disk) Clone() *Disk {
	c := New()
	copies := map[*inode]*inode{}
	dup := func(n *inode) *inode {
		if copies[n] == nil {
			copies[n] = &inode{data: slices.Clone(n.data), syncedData: slices.Clone(n.syncedData),
				unsyncedWrites: slices.Clone(n.unsyncedWrites)}
		}
		return copies[n]
	}
	for name, n := range d.visibleNames {
		c.visibleNames[name] = dup(n)
	}
	for name, n := range d.durableNames {
		c.durableNames[name] = dup(n)
	}
	return c
}

func (d *Disk) beforeCall(op, name string, changes bool) error {
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
	n := d.visibleNames[name]
	switch {
	case n == nil && flag&env.Create == 0:
		return nil, fs.ErrNotExist
	case n != nil && flag&env.Exclusive != 0:
		return nil, fs.ErrExist
	case n == nil:
		if err := d.beforeCall("create", name, true); err != nil {
			return nil, err
		}
		n = &inode{}
		d.visibleNames[name] = n
	default:
		if err := d.beforeCall("open", name, false); err != nil {
			return nil, err
		}
	}
	return &file{disk: d, name: name, inode: n, generation: d.generation}, nil
}

// Remove implements env.Disk.
func (d *Disk) Remove(name string) error {
	if d.visibleNames[name] == nil {
		return fs.ErrNotExist
	}
	if err := d.beforeCall("remove", name, true); err != nil {
		return err
	}
	delete(d.visibleNames, name)
	return nil
}

// Rename implements env.Disk.
func (d *Disk) Rename(oldName, newName string) error {
	if d.visibleNames[oldName] == nil {
		return fs.ErrNotExist
	}
	if err := d.beforeCall("rename", oldName, true); err != nil {
		return err
	}
	d.visibleNames[newName] = d.visibleNames[oldName]
	delete(d.visibleNames, oldName)
	return nil
}

// SyncDir implements env.Disk. A file's own sync does not make its name durable here.
func (d *Disk) SyncDir(dir string) error {
	if err := d.beforeCall("syncdir", dir, true); err != nil {
		return err
	}
	for name := range d.durableNames {
		if env.Dir(name) == dir && d.visibleNames[name] == nil {
			delete(d.durableNames, name)
		}
	}
	for name, n := range d.visibleNames {
		if env.Dir(name) == dir {
			d.durableNames[name] = n
		}
	}
	return nil
}

// Exists implements env.Disk.
func (d *Disk) Exists(name string) (bool, error) { return d.visibleNames[name] != nil, nil }

type file struct {
	disk       *Disk
	name       string
	inode      *inode
	generation int
}

func (f *file) checkAlive() error {
	if f.generation != f.disk.generation {
		return env.ErrDead
	}
	return nil
}

// beginCall runs the hook; the process may be dead afterwards.
func (f *file) beginCall(op string, changes bool) error {
	if err := f.checkAlive(); err != nil {
		return err
	}
	if err := f.disk.beforeCall(op, f.name, changes); err != nil {
		return err
	}
	return f.checkAlive()
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.beginCall("read", false); err != nil {
		return 0, err
	}
	if off >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.beginCall("write", true); err != nil {
		return 0, err
	}
	f.inode.unsyncedWrites = append(f.inode.unsyncedWrites, change{offset: off, data: slices.Clone(p)})
	if need := off + int64(len(p)); need > int64(len(f.inode.data)) {
		f.inode.data = append(f.inode.data, make([]byte, need-int64(len(f.inode.data)))...)
	}
	return copy(f.inode.data[off:], p), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.beginCall("truncate", true); err != nil {
		return err
	}
	f.inode.unsyncedWrites = append(f.inode.unsyncedWrites, change{offset: size, truncate: true})
	f.inode.data = resized(f.inode.data, size)
	return nil
}

func (f *file) Sync() error {
	if err := f.beginCall("sync", true); err != nil {
		return err
	}
	f.inode.applyPending()
	return nil
}

// applyPending carries the pending changes to the medium: those only, not what a failed sync lost.
func (n *inode) applyPending() {
	for _, c := range n.unsyncedWrites {
		size := int64(len(n.syncedData))
		if need := c.offset + int64(len(c.data)); c.truncate && need < size {
			n.syncedData = n.syncedData[:need]
		} else if need > size {
			n.syncedData = append(n.syncedData, make([]byte, need-size)...)
		}
		copy(n.syncedData[c.offset:], c.data)
	}
	n.unsyncedWrites = nil
}

// LoseDirty forgets what is not synced yet without undoing it for readers: what a failed sync
// leaves behind on systems that drop the dirty mark.
func (d *Disk) LoseDirty(name string) {
	if n := d.visibleNames[name]; n != nil {
		n.unsyncedWrites = nil
	}
}

func (f *file) Size() (int64, error) { return int64(len(f.inode.data)), f.checkAlive() }
func (f *file) Close() error         { return nil }
