package world

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// maxOpenFiles limits the files that one process may have open.
const maxOpenFiles = 1024

// procDisk is the machine's disk as one incarnation of a process sees it.
type procDisk struct {
	proc       *Proc
	generation uint64
}

// Disk implements env.Env.
func (p *Proc) Disk() env.Disk { return procDisk{p, p.generation} }

// hasEnded reports whether the disk must not be used now, because the incarnation has ended, or because
// none of its steps runs.
func (d procDisk) hasEnded() bool {
	return d.proc.generation != d.generation || !d.proc.up || !d.proc.mayCall("Disk")
}

// beginChange starts a call that changes the disk: it waits for the latency of the call, and then returns
// an error if a disk fault is active or the process has ended meanwhile.
func (d procDisk) beginChange(op string, base time.Duration, latency *choice.List) error {
	if d.hasEnded() {
		return env.ErrDead
	}
	m := d.proc.machine
	m.diskState.calls[anyCall]++
	m.diskState.calls[callOf(op)]++
	var trigger *callTrigger
	if len(m.diskState.triggers) > 0 {
		trigger = m.diskState.countCall(d.proc, op)
	}
	cost := int64(base) + int64(latency.Choose(uint64(base)+1))
	if m.diskState.addedLatency > 0 {
		cost += int64(m.diskState.addedLatency)
	}
	d.proc.waitInStep(cost)
	if d.hasEnded() {
		return env.ErrDead
	}
	if m.diskState.failingOps[op] > 0 || trigger != nil && trigger.crash == nil {
		return env.ErrIO
	}
	if trigger != nil {
		return d.awaitCrash(trigger)
	}
	return nil
}

func (d procDisk) beginNameChange() error {
	m := d.proc.machine
	return d.beginChange("write", m.world.cfg.Disk.Write, m.diskState.writeLatency)
}

func (d procDisk) noteInDigest(op uint64, size int64, content uint64) {
	d.proc.world().noteInDigest(d.proc, noteDisk, op<<56|uint64(size), content)
}

const (
	diskOpen = 1 + iota
	diskRemove
	diskRename
	diskSyncDir
	diskWrite
	diskTruncate
	diskSync
)

// Open implements env.Disk.
func (d procDisk) Open(name string, flag env.OpenFlag) (env.File, error) {
	if d.hasEnded() {
		return nil, env.ErrDead
	}
	if flag&env.Create != 0 && d.proc.machine.disk.Lookup(name) == nil {
		if err := d.beginNameChange(); err != nil {
			return nil, fmt.Errorf("creating %s: %w", name, err)
		}
		d.proc.machine.diskState.calls[growingCall]++
		if d.proc.machine.diskState.fullFaults > 0 {
			return nil, fmt.Errorf("creating %s: %w", name, env.ErrNoSpace)
		}
	}
	inode, created, err := d.proc.machine.disk.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	if created {
		d.noteInDigest(diskOpen, 0, kernel.Fingerprint([]byte(name)))
		d.endChange()
	}
	if d.proc.openFiles++; d.proc.openFiles > maxOpenFiles {
		panic(fmt.Sprintf("env: %s has more than %d files open", d.proc.spec.Name, maxOpenFiles))
	}
	return &file{procDisk: d, name: name, inode: inode, readOnly: flag&env.ReadOnly != 0}, nil
}

// Remove implements env.Disk.
func (d procDisk) Remove(name string) error {
	if err := d.beginNameChange(); err != nil {
		return err
	}
	d.noteInDigest(diskRemove, 0, kernel.Fingerprint([]byte(name)))
	err := d.proc.machine.disk.Remove(name)
	d.endChange()
	return err
}

// Rename implements env.Disk.
func (d procDisk) Rename(oldName, newName string) error {
	if err := d.beginNameChange(); err != nil {
		return err
	}
	d.noteInDigest(diskRename, 0, kernel.Fingerprint([]byte(oldName+"\x00"+newName)))
	err := d.proc.machine.disk.Rename(oldName, newName)
	d.endChange()
	return err
}

// SyncDir implements env.Disk.
func (d procDisk) SyncDir(string) error {
	m := d.proc.machine
	if err := d.beginChange("sync", m.world.cfg.Disk.Sync, m.diskState.syncLatency); err != nil {
		return err
	}
	d.noteInDigest(diskSyncDir, 0, 0)
	m.disk.SyncNames()
	d.endChange()
	return nil
}

// Exists implements env.Disk.
func (d procDisk) Exists(name string) (bool, error) {
	if d.hasEnded() {
		return false, env.ErrDead
	}
	return d.proc.machine.disk.Lookup(name) != nil, nil
}

// file is an open file of one incarnation of a process.
type file struct {
	procDisk
	name     string // under which it was opened
	inode    *disk.Inode
	readOnly bool
	closed   bool
}

func (f *file) checkUsable() error {
	if f.hasEnded() || f.closed {
		return env.ErrDead
	}
	return nil
}

// ReadAt implements env.File. Reads come from the page cache: they take no time.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.checkUsable(); err != nil {
		return 0, err
	}
	d := &f.proc.machine.diskState
	d.calls[readCall]++
	if d.failingOps["read"] > 0 || len(d.triggers) > 0 && d.countCall(f.proc, "read") != nil ||
		len(d.damage.latent) > 0 && d.damage.failsRead(f.inode, off, len(p)) {
		f.proc.readFailed = true
		return 0, env.ErrIO
	}
	return f.inode.ReadAt(p, off)
}

// WriteAt implements env.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if f.closed || f.readOnly {
		return 0, env.ErrDead
	}
	m := f.proc.machine
	if err := f.beginNameChange(); err != nil {
		f.inode.RefuseWrite()
		return 0, err
	}
	grows := f.inode.Grows(off, len(p))
	if grows > 0 {
		m.diskState.calls[growingCall]++
	}
	capacity := m.world.cfg.Disk.CapacityBytes
	if grows > 0 && (m.diskState.fullFaults > 0 || capacity > 0 && m.disk.UsedBytes()+grows > capacity) {
		f.inode.RefuseWrite()
		return 0, env.ErrNoSpace
	}
	f.noteInDigest(diskWrite, off, kernel.Fingerprint(p))
	f.writeFile(p, off)
	f.endChange()
	return len(p), nil
}

// Truncate implements env.File.
func (f *file) Truncate(size int64) error {
	if f.closed || f.readOnly {
		return env.ErrDead
	}
	if err := f.beginNameChange(); err != nil {
		return err
	}
	f.noteInDigest(diskTruncate, size, 0)
	f.proc.machine.disk.Truncate(f.proc.spec.Name, f.inode, size)
	f.endChange()
	return nil
}

// Sync implements env.File.
func (f *file) Sync() error {
	if err := f.checkUsable(); err != nil {
		return err
	}
	m := f.proc.machine
	err := f.beginChange("sync", m.world.cfg.Disk.Sync, m.diskState.syncLatency)
	if errors.Is(err, env.ErrIO) {
		m.disk.LoseSync(f.inode)
	}
	if err != nil {
		return err
	}
	f.noteInDigest(diskSync, f.inode.Size(), 0)
	f.syncFile()
	f.endChange()
	return nil
}

// Size implements env.File.
func (f *file) Size() (int64, error) {
	if err := f.checkUsable(); err != nil {
		return 0, err
	}
	return f.inode.Size(), nil
}

// Close implements env.File.
func (f *file) Close() error {
	if f.closed {
		return env.ErrDead
	}
	f.closed = true
	if !f.hasEnded() {
		f.proc.openFiles--
	}
	return nil
}
