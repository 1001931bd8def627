// Package disk is the simulator's model of a disk: what is written, what is durable, and what a
// power cut leaves of the rest.
//
// Every write is kept apart until a sync makes it durable. At a power cut each write that is not
// durable is kept, lost or torn, sector by sector, as the draws say; of the changes to names that
// are not durable, the first few survive, in order, as on a journalling file system.
//
// Package disk knows no time and no faults but the power cut; the machine that owns it adds
// those.
package disk

import (
	"io"
	"io/fs"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// SectorBytes is what a disk writes as one: a torn write keeps or loses whole sectors.
const SectorBytes = 512

// Disk holds files.
type Disk struct {
	live    map[string]*Inode // as processes see it
	durable map[string]*Inode // as a power cut would leave it
	pending []nameChange      // from durable to live, in order
	used    int64
	spare   [][]byte // buffers of writes that were made durable, for the next ones
}

// Inode is a file's content.
type Inode struct {
	data    []byte
	durable []byte
	pending []change
	links   int // live names and open handles do not matter for content, only for space
}

// change is a write or, with nil bytes, a truncation to off.
type change struct {
	off   int64
	bytes []byte
	cut   bool
}

// nameChange gives a name to an inode, or takes it away when inode is nil.
type nameChange struct {
	name  string
	inode *Inode
	from  string // a rename also takes this name away
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{live: map[string]*Inode{}, durable: map[string]*Inode{}}
}

// Install puts a durable file onto the disk.
func (d *Disk) Install(name string, data []byte) {
	n := &Inode{data: slices.Clone(data), durable: slices.Clone(data), links: 1}
	d.live[name], d.durable[name] = n, n
	d.used += int64(len(data))
}

// UsedBytes is what all files that have names hold together.
func (d *Disk) UsedBytes() int64 { return d.used }

// Lookup finds a file; nil when there is none.
func (d *Disk) Lookup(name string) *Inode { return d.live[name] }

// Create makes a file; the name must be free.
func (d *Disk) Create(name string) *Inode {
	n := &Inode{links: 1}
	d.live[name] = n
	d.pending = append(d.pending, nameChange{name: name, inode: n})
	return n
}

// Remove takes a name away.
func (d *Disk) Remove(name string) error {
	n := d.live[name]
	if n == nil {
		return fs.ErrNotExist
	}
	d.drop(n)
	delete(d.live, name)
	d.pending = append(d.pending, nameChange{name: name})
	return nil
}

// Rename moves a file over another name.
func (d *Disk) Rename(from, to string) error {
	n := d.live[from]
	if n == nil {
		return fs.ErrNotExist
	}
	if old := d.live[to]; old != nil && old != n {
		d.drop(old)
	}
	delete(d.live, from)
	d.live[to] = n
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

// Grows is by how many bytes a write would make the file larger.
func (n *Inode) Grows(off int64, length int) int64 {
	return max(0, off+int64(length)-int64(len(n.data)))
}

// WriteAt changes the file; nothing of it is durable yet.
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

// minFileBytes is the least capacity of a file that grows; it doubles from there.
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
	for _, n := range d.live {
		d.Sync(n) // whatever the order, the result is the same
	}
	d.SyncNames()
}

// LoseSync is a sync that failed: what was pending stays readable but will never be made durable
// by a later sync.
func (d *Disk) LoseSync(n *Inode) { n.pending = n.pending[:0] }

func (c *change) apply(data []byte) []byte {
	if c.cut {
		return resize(data, c.off)
	}
	return writeInto(data, c.bytes, c.off)
}

// Crash is a power cut: what is not durable is decided by draws. Draw 0 loses it.
func (d *Disk) Crash(draw draw.Chooser) {
	survive := int(draw.Choose(uint64(len(d.pending) + 1)))
	for _, c := range d.pending[:survive] {
		c.apply(d.durable)
	}
	d.pending = d.pending[:0]
	d.live = make(map[string]*Inode, len(d.durable))
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
		d.live[name] = n
		d.used += int64(len(n.data))
	}
}

// The fates of a write that was under way when the power failed.
const (
	fateLost = iota
	fateKept
	fateTorn
	fates
)

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
	n = d.live[name]
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
