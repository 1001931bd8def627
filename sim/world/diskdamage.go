package world

import (
	"slices"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
)

// diskDamage are the active faults that damage what a disk holds, without an error to the writer.
type diskDamage struct {
	draws     *choice.List
	latent    []*latentError
	lost      []*silentLoss
	misplaced []*silentLoss
}

// latentError is a range of a file that cannot be read until it is written again.
type latentError struct {
	inode    *disk.Inode
	from, to int64
	hits     uint64
}

// silentLoss is a fault that hits writes to one file, or to any.
type silentLoss struct {
	file string
	hits uint64
}

// oneIn is how rarely a write is hit while a lost-write or misdirect fault acts.
const oneIn = 4

// damageEffect returns the effect of a fault that damages what is on the disk.
func damageEffect(m *Machine, f *fault.Fault) Effect {
	d := &m.diskState.damage
	switch f.Kind {
	case fault.DiskCorrupt:
		var hits uint64
		return Effect{End: func() {}, Hits: func() uint64 { return hits }, Begin: func() {
			bits := f.Bits
			if bits == 0 {
				bits = fault.DefaultBits
			}
			hits = uint64(disk.Rot(m.disk, f.File, bits, d.draws))
		}}
	case fault.DiskLatent:
		e := &latentError{}
		return Effect{Hits: func() uint64 { return e.hits },
			Begin: func() {
				e.inode, e.from, e.to = disk.DrawPage(m.disk, f.File, d.draws)
				d.latent = append(d.latent, e)
			},
			End: func() { d.latent = without(d.latent, e) }}
	}
	list := &d.lost
	if f.Kind == fault.DiskMisdirect {
		list = &d.misplaced
	}
	l := &silentLoss{file: f.File}
	return Effect{Hits: func() uint64 { return l.hits }, Begin: func() { *list = append(*list, l) },
		End: func() { *list = without(*list, l) }}
}

func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return t == one })
}

// failsRead reports whether a read meets a latent error.
func (d *diskDamage) failsRead(n *disk.Inode, off int64, length int) bool {
	for _, e := range d.latent {
		if e.inode == n && off < e.to && off+int64(length) > e.from {
			e.hits++
			return true
		}
	}
	return false
}

// heal takes a write: a disk gives a bad sector that is written again another place.
func (d *diskDamage) heal(n *disk.Inode, off int64, length int) {
	for _, e := range d.latent {
		if e.inode == n && off < e.to && off+int64(length) > e.from {
			e.inode = nil
		}
	}
}

// drawHit draws which fault of a list hits a write to a file, and counts that; nil if none does.
func (d *diskDamage) drawHit(list []*silentLoss, name string) *silentLoss {
	for _, l := range list {
		if (l.file == "" || l.file == name) && d.draws.Choose(oneIn) == oneIn-1 {
			l.hits++
			return l
		}
	}
	return nil
}

// syncFile makes a file durable, except for what lost-write faults take.
func (f *file) syncFile() {
	m := f.proc.machine
	d := &m.diskState.damage
	if len(d.lost) == 0 {
		m.disk.Sync(f.inode)
		return
	}
	disk.SyncLosing(m.disk, f.inode, func() bool { return d.drawHit(d.lost, f.name) != nil })
}

// writeFile writes to a file, or as a misdirect fault wants to another place of it.
func (f *file) writeFile(p []byte, off int64) {
	m := f.proc.machine
	d := &m.diskState.damage
	if len(d.latent) > 0 {
		d.heal(f.inode, off, len(p))
	}
	m.disk.WriteAt(f.proc.spec.Name, f.inode, p, off)
	if len(d.misplaced) > 0 && d.drawHit(d.misplaced, f.name) != nil {
		f.inode.MisdirectLast(d.draws)
	}
}
