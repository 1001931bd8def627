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
	"math"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// SectorBytes is the unit that a disk writes atomically: a torn write keeps or loses whole sectors.
const SectorBytes = 512

// Disk holds files.
type Disk struct {
	visibleNames map[string]*Inode // as processes see it
	durableNames map[string]*Inode // as a power cut would leave it
	pendingNames []nameChange      // from durable to current, in order
	usedBytes    int64
	spareBuffers [][]byte          // buffers for reuse by later writes
	synced       map[string]uint64 // by owner: writes that have become durable
}

// Inode is a file's content.
type Inode struct {
	visible       content
	durable       *content // nil: visible, with the pending writes undone
	pendingWrites []change
	linkCount     int        // names of the file; it uses space while there are any
	owner         string     // who wrote last
	lost          byteRanges // what failed syncs took, is still readable and was not written again and synced
	abandoned     bool       // a write was refused behind pending ones, and no sync has followed
}

// change is a pending write of length bytes at offset or, if it truncates, a truncation to offset.
type change struct {
	offset, length int64
	truncates      bool
	oldSize        int64 // of what was visible before
	// bytes are those that were overwritten or cut off, as long as durable content is not kept apart, and
	// then those that were written.
	bytes []byte
}

// nameChange sets the inode of a name, or removes the name when inode is nil.
type nameChange struct {
	newName string
	inode   *Inode
	oldName string // a rename also removes this name
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{visibleNames: map[string]*Inode{}, durableNames: map[string]*Inode{},
		synced: map[string]uint64{}}
}

// Install creates a durable file.
func (d *Disk) Install(name string, data []byte) {
	n := &Inode{visible: contentOf(data), linkCount: 1}
	d.visibleNames[name], d.durableNames[name] = n, n
	d.usedBytes += int64(len(data))
}

// UsedBytes returns the total size of all files that have names.
func (d *Disk) UsedBytes() int64 { return d.usedBytes }

// Lookup finds a file; nil when there is none.
func (d *Disk) Lookup(name string) *Inode { return d.visibleNames[name] }

// Create makes a file; the name must be free.
func (d *Disk) Create(name string) *Inode {
	n := &Inode{linkCount: 1}
	d.visibleNames[name] = n
	d.pendingNames = append(d.pendingNames, nameChange{newName: name, inode: n})
	return n
}

// Remove removes a name.
func (d *Disk) Remove(name string) error {
	n := d.visibleNames[name]
	if n == nil {
		return fs.ErrNotExist
	}
	d.dropLink(n)
	delete(d.visibleNames, name)
	d.pendingNames = append(d.pendingNames, nameChange{newName: name})
	return nil
}

// Rename moves a file over another name.
func (d *Disk) Rename(from, to string) error {
	n := d.visibleNames[from]
	if n == nil {
		return fs.ErrNotExist
	}
	if old := d.visibleNames[to]; old != nil && old != n {
		d.dropLink(old)
	}
	delete(d.visibleNames, from)
	d.visibleNames[to] = n
	d.pendingNames = append(d.pendingNames, nameChange{newName: to, inode: n, oldName: from})
	return nil
}

func (d *Disk) dropLink(n *Inode) {
	n.linkCount = 0
	d.usedBytes -= n.visible.size
}

// SyncNames makes every change of names durable.
func (d *Disk) SyncNames() {
	for _, c := range d.pendingNames {
		c.apply(d.durableNames)
	}
	d.pendingNames = d.pendingNames[:0]
}

func (c *nameChange) apply(names map[string]*Inode) {
	if c.oldName != "" {
		delete(names, c.oldName)
	}
	if c.inode == nil {
		delete(names, c.newName)
		return
	}
	names[c.newName] = c.inode
}

// Size is the file's size.
func (n *Inode) Size() int64 { return n.visible.size }

// ReadAt reads as io.ReaderAt does.
func (n *Inode) ReadAt(p []byte, off int64) (int, error) {
	if off >= n.visible.size {
		return 0, io.EOF
	}
	got := n.visible.readAt(p, off)
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

// Grows returns by how many bytes a write would enlarge the file.
func (n *Inode) Grows(off int64, length int) int64 {
	return max(0, off+int64(length)-n.visible.size)
}

// WriteAt writes to the file for an owner, a process. The write is pending until the next sync.
func (d *Disk) WriteAt(owner string, n *Inode, p []byte, off int64) {
	n.owner, n.abandoned = owner, false
	if n.linkCount > 0 {
		d.usedBytes += n.Grows(off, len(p))
	}
	c := change{offset: off, length: int64(len(p)), oldSize: n.visible.size}
	if n.durable != nil {
		c.bytes = append(d.takeBuffer(), p...)
	} else if covered := min(c.oldSize-off, c.length); covered > 0 {
		c.bytes = append(d.takeBuffer(), p[:covered]...)
		n.visible.readAt(c.bytes, off)
	}
	n.visible.writeAt(p, off)
	n.pendingWrites = append(n.pendingWrites, c)
}

// spareBytes is the size of the buffers that are kept, enough for a page of a database;
// maxSpare is how many are.
const (
	spareBytes = 4096
	maxSpare   = 256
)

func (d *Disk) takeBuffer() []byte {
	if last := len(d.spareBuffers) - 1; last >= 0 {
		b := d.spareBuffers[last]
		d.spareBuffers = d.spareBuffers[:last]
		return b
	}
	return make([]byte, 0, spareBytes)
}

func (d *Disk) returnBuffer(b []byte) {
	if cap(b) == spareBytes && len(d.spareBuffers) < maxSpare {
		d.spareBuffers = append(d.spareBuffers, b[:0])
	}
}

// Truncate sets the size for an owner, a process.
func (d *Disk) Truncate(owner string, n *Inode, size int64) {
	n.owner = owner
	n.lost.remove(byteRange{size, math.MaxInt64}) // it is no longer readable
	if n.linkCount > 0 {
		d.usedBytes += size - n.visible.size
	}
	c := change{offset: size, truncates: true, oldSize: n.visible.size}
	if n.durable == nil && size < c.oldSize {
		c.bytes = n.visible.bytes(size, c.oldSize-size)
	}
	n.visible.resize(size)
	n.pendingWrites = append(n.pendingWrites, c)
}

// Sync makes a file's content durable and, with it, every change of names.
func (d *Disk) Sync(n *Inode) {
	if len(n.pendingWrites) > 0 {
		d.synced[n.owner] += uint64(len(n.pendingWrites))
	}
	n.noteSynced()
	for i := range n.pendingWrites {
		if n.durable != nil {
			n.pendingWrites[i].apply(n.durable)
		}
		d.returnBuffer(n.pendingWrites[i].bytes)
	}
	n.pendingWrites, n.abandoned = n.pendingWrites[:0], false
	d.SyncNames()
}

// SyncAll makes everything durable, as an orderly shutdown does.
func (d *Disk) SyncAll() {
	for _, n := range d.visibleNames {
		d.Sync(n) // the order of the map does not matter: files are independent
	}
	d.SyncNames()
}

// LoseSync is a failed sync: the pending writes stay readable, but no later sync makes them durable.
func (d *Disk) LoseSync(n *Inode) {
	if len(n.pendingWrites) == 0 {
		return
	}
	n.keepDurableApart()
	n.noteLost()
	n.pendingWrites = n.pendingWrites[:0]
}

// RefuseWrite notes that a write was refused. What was written before it may be half of a copy whose original
// is durable, such as a checkpoint: a program that gave it up after that error relies on the original.
func (n *Inode) RefuseWrite() { n.abandoned = len(n.pendingWrites) > 0 }

// isUnsynced reports whether a file that an owner wrote has content that is not durable and was not given up.
func (n *Inode) isUnsynced(owner string) bool {
	return n.owner == owner && (len(n.lost) > 0 || len(n.pendingWrites) > 0 && !n.abandoned)
}

// State returns the files that an owner wrote and whose content is not durable and was not given up, in
// alphabetical order, and how many of its writes have become durable.
func (d *Disk) State(owner string) (unsynced []string, syncedWrites uint64) {
	for name, n := range d.visibleNames {
		if n.isUnsynced(owner) {
			unsynced = append(unsynced, name)
		}
	}
	slices.Sort(unsynced)
	return unsynced, d.synced[owner]
}

// apply does to durable content, kept apart, what was done to what is visible.
func (c *change) apply(durable *content) {
	if c.truncates {
		durable.resize(c.offset)
		return
	}
	durable.writeAt(c.bytes, c.offset)
}

// undo does the opposite to content of which this is the last change.
func (c *change) undo(in *content) {
	if c.truncates && c.oldSize > c.offset {
		in.writeAt(c.bytes, c.offset)
		return
	}
	in.resize(c.oldSize)
	in.writeAt(c.bytes, min(c.offset, c.oldSize))
}

// keepDurableApart prepares a file for what makes its durable content differ from what is visible by more
// than the pending writes.
func (n *Inode) keepDurableApart() {
	if n.durable != nil {
		return
	}
	durable := n.visible.clone()
	n.undoPending(&durable, true)
	n.durable = &durable
}

// undoPending undoes the pending writes in a copy of what is visible. If asked, it changes each so that it
// has the bytes that were written.
func (n *Inode) undoPending(in *content, redo bool) {
	for i := len(n.pendingWrites) - 1; i >= 0; i-- {
		c := &n.pendingWrites[i]
		var written []byte
		if redo && !c.truncates {
			written = in.bytes(c.offset, c.length)
		}
		c.undo(in)
		if redo {
			c.bytes = written
		}
	}
}

// durableSize returns the size of the durable content.
func (n *Inode) durableSize() int64 {
	switch {
	case n.durable != nil:
		return n.durable.size
	case len(n.pendingWrites) > 0:
		return n.pendingWrites[0].oldSize
	}
	return n.visible.size
}

// durableBytes returns a copy of the durable content.
func (n *Inode) durableBytes() []byte {
	if n.durable != nil {
		return n.durable.bytes(0, n.durable.size)
	}
	durable := n.visible
	if len(n.pendingWrites) > 0 {
		durable = n.visible.clone()
		n.undoPending(&durable, false)
	}
	return durable.bytes(0, durable.size)
}

// Crash is a power cut. Draws decide which pending writes and changes of names it keeps; 0 loses all.
func (d *Disk) Crash(draw draw.Chooser) {
	survive := int(draw.Choose(uint64(len(d.pendingNames) + 1)))
	for _, c := range d.pendingNames[:survive] {
		c.apply(d.durableNames)
	}
	d.pendingNames = d.pendingNames[:0]
	d.visibleNames = make(map[string]*Inode, len(d.durableNames))
	names := make([]string, 0, len(d.durableNames))
	for name := range d.durableNames {
		names = append(names, name)
	}
	slices.Sort(names)
	d.usedBytes = 0
	settled := map[*Inode]bool{}
	for _, name := range names {
		n := d.durableNames[name]
		if !settled[n] {
			n.settlePending(draw)
			settled[n] = true
		}
		d.visibleNames[name] = n
		d.usedBytes += n.visible.size
	}
}

// The fates of a pending write at a power cut.
const (
	fateLost = iota
	fateKept
	fateTorn
	fates
)

// settlePending decides the fate of each pending write.
func (n *Inode) settlePending(draw draw.Chooser) {
	if len(n.pendingWrites) > 0 {
		n.keepDurableApart()
	}
	for i := range n.pendingWrites {
		c := &n.pendingWrites[i]
		switch fate := draw.Choose(fates); {
		case fate == fateKept, fate == fateTorn && c.truncates:
			c.apply(n.durable)
		case fate == fateTorn:
			n.tearWrite(c, draw)
		}
	}
	n.pendingWrites = n.pendingWrites[:0]
	if n.durable != nil {
		n.visible, n.durable = *n.durable, nil
	}
	n.linkCount, n.lost = 1, nil
}

// tearWrite keeps some sectors of a write and loses the others.
func (n *Inode) tearWrite(c *change, draw draw.Chooser) {
	for start := int64(0); start < int64(len(c.bytes)); {
		end := min((c.offset+start)/SectorBytes*SectorBytes+SectorBytes-c.offset, int64(len(c.bytes)))
		if draw.Choose(2) == 1 {
			n.durable.writeAt(c.bytes[start:end], c.offset+start)
		}
		start = end
	}
}

// Wipe empties the disk, as when it was replaced.
func (d *Disk) Wipe() {
	synced := d.synced
	*d = *New()
	d.synced = synced
}

// Free ends the use of a disk, so that other disks can use its memory.
func Free(d *Disk) {
	for _, names := range []map[string]*Inode{d.visibleNames, d.durableNames} {
		for _, n := range names { // the order of the maps does not matter: the bytes are never read
			n.visible.free()
			if n.durable != nil {
				n.durable.free()
			}
		}
	}
}

// Image is what a disk had durable at an instant: content by name.
type Image map[string][]byte

// Image copies what is durable.
func (d *Disk) Image() Image {
	image := make(Image, len(d.durableNames))
	for name, n := range d.durableNames {
		image[name] = n.durableBytes()
	}
	return image
}

// Longest returns the name of the longest file of a disk, "" if it has none.
func Longest(d *Disk) (longest string) {
	size := int64(-1)
	for name, n := range d.visibleNames {
		if n.Size() > size || n.Size() == size && name < longest { // the order of the map does not matter
			longest, size = name, n.Size()
		}
	}
	return longest
}

// RestoreTo puts the files of an image onto an empty disk.
func (i Image) RestoreTo(d *Disk) {
	for name, data := range i {
		d.Install(name, data) // the order of the map does not matter: files are independent
	}
}

// OpenFile applies the rules of env.Disk's Open.
func (d *Disk) OpenFile(name string, flag env.OpenFlag) (n *Inode, created bool, err error) {
	n = d.visibleNames[name]
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
