package disk

import (
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// PageBytes is the unit in which reads fail and writes go astray.
const PageBytes = 4096

// Rot flips drawn bits of what is durable, in the file of a name or, for "", anywhere on the disk. It
// returns how many it flipped. What is readable changes as well, unless a later write covers it.
func Rot(d *Disk, name string, bits int, draws draw.Chooser) (flipped int) {
	files, total := durableFiles(d, name)
	if total == 0 {
		return 0
	}
	for range bits {
		bit := int64(draws.Choose(uint64(total) * 8))
		n, at := locate(files, bit/8)
		mask := byte(1) << (bit % 8)
		n.keepDurableApart()
		durable := n.durable.at(at, 1)
		if at < n.visible.size && n.visible.at(at, 1)[0] == durable[0] {
			n.visible.at(at, 1)[0] ^= mask
		}
		durable[0] ^= mask
		flipped++
	}
	return flipped
}

// DrawPage draws a page of the file of a name or, for "", of any file. The inode is nil if there is none.
func DrawPage(d *Disk, name string, draws draw.Chooser) (n *Inode, from, to int64) {
	files, total := durableFiles(d, name)
	if total == 0 {
		return nil, 0, 0
	}
	n, at := locate(files, int64(draws.Choose(uint64(total))))
	from = at / PageBytes * PageBytes
	return n, from, from + PageBytes
}

// durableFiles returns the durable files, or the one of a name, in the order of their names, and their length
// together.
func durableFiles(d *Disk, name string) (files []*Inode, total int64) {
	names := make([]string, 0, len(d.durableNames))
	for have := range d.durableNames {
		if name == "" || have == name {
			names = append(names, have)
		}
	}
	slices.Sort(names)
	for _, have := range names {
		n := d.durableNames[have]
		files = append(files, n)
		total += n.durableSize()
	}
	return files, total
}

// locate returns the file that holds the at-th byte of files, and the byte's place in it.
func locate(files []*Inode, at int64) (*Inode, int64) {
	for _, n := range files {
		if size := n.durableSize(); at >= size {
			at -= size
			continue
		}
		return n, at
	}
	panic("disk: a byte beyond the end of all files")
}

// SyncLosing is Sync for a disk that reports success and loses writes: lose decides for each pending write.
// What is lost stays readable until the machine loses its power.
func SyncLosing(d *Disk, n *Inode, lose func() bool) {
	n.keepDurableApart()
	n.noteSynced()
	kept := n.pendingWrites[:0]
	lost := uint64(0)
	for _, c := range n.pendingWrites {
		if !c.truncates && lose() {
			d.returnBuffer(c.bytes)
			lost++
			continue
		}
		kept = append(kept, c)
	}
	n.pendingWrites = kept
	d.synced[n.owner] += lost // as far as anyone can know
	d.Sync(n)
}

// MisdirectLast lets the last pending write reach a drawn page of the same file instead of its own. What is
// readable is not affected: it comes from the page cache.
func (n *Inode) MisdirectLast(draws draw.Chooser) {
	n.keepDurableApart()
	c := &n.pendingWrites[len(n.pendingWrites)-1]
	n.lost.remove(c.span()) // as far as anyone can know, once it is synced
	pages := max((n.visible.size+PageBytes-1)/PageBytes, 1)
	c.offset = int64(draws.Choose(uint64(pages)))*PageBytes + c.offset%PageBytes
}
