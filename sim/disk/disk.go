// Package disk is the simulator's model of a disk: which writes are readable, which are durable, and
// which a power cut keeps.
//
// A write is pending until a sync makes it durable. At a power cut, draws decide for each pending
// write whether it is kept, lost or torn sector by sector. Of the pending changes of names a prefix
// survives, as on a journalling file system.
//
// Package disk never takes time and models no fault but the power cut. The machine that owns the disk
// adds latency and the other faults.
package disk

import (
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// SectorBytes is the unit that a disk writes atomically: a torn write keeps or loses whole sectors.
const SectorBytes = 512

// Disk holds files.
type Disk struct {
	current map[string]*Inode // as processes see it
	durable map[string]*Inode // as a power cut would leave it
	pending []nameChange      // from durable to current, in order
	used    int64
	spare   [][]byte // buffers for reuse by later writes
}

// Inode is a file's content.
type Inode struct {
	data    []byte
	durable []byte
	pending []change
	links   int // names of the file; it uses space while there are any
}

// change is a write or, with nil bytes, a truncation to off.
type change struct {
	off   int64
	bytes []byte
	cut   bool
}

// nameChange sets the inode of a name, or removes the name when inode is nil.
type nameChange struct {
	name  string
	inode *Inode
	from  string // a rename also removes this name
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{current: map[string]*Inode{}, durable: map[string]*Inode{}}
}

// Install creates a durable file.
func (d *Disk) Install(name string, data []byte) {
	n := &Inode{data: slices.Clone(data), durable: slices.Clone(data), links: 1}
	d.current[name], d.durable[name] = n, n
	d.used += int64(len(data))
}

// UsedBytes returns the total size of all files that have names.
func (d *Disk) UsedBytes() int64 { return d.used }

// Lookup finds a file; nil when there is none.
func (d *Disk) Lookup(name string) *Inode { return d.current[name] }

// Create makes a file; the name must be free.
func (d *Disk) Create(name string) *Inode {
	n := &Inode{links: 1}
	d.current[name] = n
	d.pending = append(d.pending, nameChange{name: name, inode: n})
	return n
}

// Remove removes a name.
func (d *Disk) Remove(name string) error {
	n := d.current[name]
	if n == nil {
		return fs.ErrNotExist
	}
	d.drop(n)
	delete(d.current, name)
	d.pending = append(d.pending, nameChange{name: name})
	return nil
}

// Rename moves a file over another name.
func (d *Disk) Rename(from, to string) error {
	n := d.current[from]
	if n == nil {
		return fs.ErrNotExist
	}
	if old := d.current[to]; old != nil && old != n {
		d.drop(old)
	}
	delete(d.current, from)
	d.current[to] = n
	d.pending = append(d.pending, nameChange{name: to, inode: n, from: from})
	return nil
}

func (d *Disk) drop(n *Inode) {
	n.links = 0
	d.used -= int64(len(n.data))
}

// SyncNames makes every change of names durable.
func (d *Disk) SyncNames() {
	for _, c := range d.pending {
		c.apply(d.durable)
	}
	d.pending = d.pending[:0]
}

func (c *nameChange) apply(names map[string]*Inode) {
	if c.from != "" {
		delete(names, c.from)
	}
	if c.inode == nil {
		delete(names, c.name)
		return
	}
	names[c.name] = c.inode
}

// Size is the file's size.
func (n *Inode) Size() int64 { return int64(len(n.data)) }

// ReadAt reads as io.ReaderAt does.
func (n *Inode) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(n.data)) {
		return 0, io.EOF
	}
	got := copy(p, n.data[off:])
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

// Grows returns by how many bytes a write would enlarge the file.
func (n *Inode) Grows(off int64, length int) int64 {
	return max(0, off+int64(length)-int64(len(n.data)))
}

// WriteAt writes to the file. The write is pending until the next sync.
func (d *Disk) WriteAt(n *Inode, p []byte, off int64) {
	if n.links > 0 {
		d.used += n.Grows(off, len(p))
	}
	n.data = writeInto(n.data, p, off)
	n.pending = append(n.pending, change{off: off, bytes: append(d.buffer(), p...)})
}

// spareBytes is the size of the buffers that are kept, enough for a page of a database;
// maxSpare is how many are.
const (
	spareBytes = 4096
	maxSpare   = 256
)

func (d *Disk) buffer() []byte {
	if last := len(d.spare) - 1; last >= 0 {
		b := d.spare[last]
		d.spare = d.spare[:last]
		return b
	}
	return make([]byte, 0, spareBytes)
}

func (d *Disk) giveBack(b []byte) {
	if cap(b) == spareBytes && len(d.spare) < maxSpare {
		d.spare = append(d.spare, b[:0])
	}
}

// minFileBytes is the first capacity of a growing file; further growth doubles it.
const minFileBytes = 16 << 10

func writeInto(data, p []byte, off int64) []byte {
	old := len(data)
	if need := int(off) + len(p); need > cap(data) {
		grown := make([]byte, need, max(need, 2*cap(data), minFileBytes))
		copy(grown, data)
		data = grown
	} else if need > old {
		data = data[:need]
		clear(data[old:])
	}
	copy(data[off:], p)
	return data
}

// Truncate sets the size.
func (d *Disk) Truncate(n *Inode, size int64) {
	if n.links > 0 {
		d.used += size - int64(len(n.data))
	}
	n.data = resize(n.data, size)
	n.pending = append(n.pending, change{off: size, cut: true})
}

func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size]
	}
	return writeInto(data, nil, size)
}

// Sync makes a file's content durable and, with it, every change of names.
func (d *Disk) Sync(n *Inode) {
	for _, c := range n.pending {
		n.durable = c.apply(n.durable)
		d.giveBack(c.bytes)
	}
	n.pending = n.pending[:0]
	d.SyncNames()
}

// SyncAll makes everything durable, as an orderly shutdown does.
func (d *Disk) SyncAll() {
	for _, n := range d.current {
		d.Sync(n) // the order of the map does not matter: files are independent
	}
	d.SyncNames()
}

// LoseSync is a failed sync: the pending writes stay readable, but no later sync makes them durable.
func (d *Disk) LoseSync(n *Inode) { n.pending = n.pending[:0] }

func (c *change) apply(data []byte) []byte {
	if c.cut {
		return resize(data, c.off)
	}
	return writeInto(data, c.bytes, c.off)
}

// Crash is a power cut. Draws decide which pending writes and changes of names it keeps; 0 loses all.
func (d *Disk) Crash(draw draw.Chooser) {
	survive := int(draw.Choose(uint64(len(d.pending) + 1)))
	for _, c := range d.pending[:survive] {
		c.apply(d.durable)
	}
	d.pending = d.pending[:0]
	d.current = make(map[string]*Inode, len(d.durable))
	names := make([]string, 0, len(d.durable))
	for name := range d.durable {
		names = append(names, name)
	}
	slices.Sort(names)
	d.used = 0
	settled := map[*Inode]bool{}
	for _, name := range names {
		n := d.durable[name]
		if !settled[n] {
			n.settle(draw)
			settled[n] = true
		}
		d.current[name] = n
		d.used += int64(len(n.data))
	}
}

// The fates of a pending write at a power cut.
const (
	fateLost = iota
	fateKept
	fateTorn
	fates
)

// settle decides the fate of each pending write.
func (n *Inode) settle(draw draw.Chooser) {
	for _, c := range n.pending {
		switch fate := draw.Choose(fates); {
		case fate == fateKept, fate == fateTorn && c.cut:
			n.durable = c.apply(n.durable)
		case fate == fateTorn:
			n.tear(c, draw)
		}
	}
	n.pending = n.pending[:0]
	n.data = slices.Clone(n.durable)
	n.links = 1
}

// tear keeps some sectors of a write and loses the others.
func (n *Inode) tear(c change, draw draw.Chooser) {
	for start := int64(0); start < int64(len(c.bytes)); {
		end := min((c.off+start)/SectorBytes*SectorBytes+SectorBytes-c.off, int64(len(c.bytes)))
		if draw.Choose(2) == 1 {
			n.durable = writeInto(n.durable, c.bytes[start:end], c.off+start)
		}
		start = end
	}
}

// Wipe empties the disk, as when it was replaced.
func (d *Disk) Wipe() { *d = *New() }

// OpenFile applies the rules of env.Disk's Open.
func (d *Disk) OpenFile(name string, flag env.OpenFlag) (n *Inode, created bool, err error) {
	n = d.current[name]
	switch {
	case n == nil && flag&env.Create == 0:
		return nil, false, fs.ErrNotExist
	case n != nil && flag&env.Exclusive != 0:
		return nil, false, fs.ErrExist
	case n == nil:
		return d.Create(name), true, nil
	}
	return n, false, nil
}
