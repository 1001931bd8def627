package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind distinguishes files from directories. The values are those of readdir, as in pmxcfs.
type Kind uint8

const (
	// Directory holds other entries.
	Directory Kind = 4
	// File holds bytes.
	File Kind = 8
)

// Entry is a file or directory. Entries are never changed once they are in a tree, so they may
// be kept and shared.
type Entry struct {
	Inode   uint64 // the revision at which it was created
	Path    string
	Kind    Kind
	Data    []byte
	Mod     uint64 // the revision at which it was last changed
	Writer  uint32
	MtimeMS int64

	dataSum  [32]byte
	entrySum Digest
}

// Digest is a sum over the entries of a tree, so that it can be kept up to date with each change.
// It finds damage and divergence; it is not meant to withstand an attacker.
type Digest [4]uint64

func (d *Digest) add(x Digest) {
	for i := range d {
		d[i] += x[i]
	}
}

func (d *Digest) remove(x Digest) {
	for i := range d {
		d[i] -= x[i]
	}
}

// Bytes is the digest as 32 bytes.
func (d Digest) Bytes() [32]byte {
	var b [32]byte
	for i, v := range d {
		binary.LittleEndian.PutUint64(b[i*8:], v)
	}
	return b
}

// String is the digest in hexadecimal.
func (d Digest) String() string { return fmt.Sprintf("%x", d.Bytes()) }

func (e *Entry) updateDigest() {
	b := make([]byte, 0, 96+len(e.Path))
	b = append(b, byte(e.Kind))
	for _, v := range [...]uint64{e.Inode, e.Mod, uint64(e.Writer), uint64(e.MtimeMS), uint64(len(e.Data))} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, e.dataSum[:]...)
	sum := sha256.Sum256(append(b, e.Path...))
	for i := range e.entrySum {
		e.entrySum[i] = binary.LittleEndian.Uint64(sum[i*8:])
	}
}

// Tree is one state of the store's content. The root directory has no entry.
type Tree struct {
	limits     Limits
	entries    map[string]*Entry
	children   map[string][]*Entry // directory -> what is in it, by name
	guests     map[string][]string // by GuestOf -> paths of its configurations, in order
	totalBytes int64
	digest     Digest
}

// New returns an empty tree.
func New(limits Limits) *Tree {
	return &Tree{limits: limits, entries: map[string]*Entry{}, children: map[string][]*Entry{},
		guests: map[string][]string{}}
}

// Get returns the entry of a path, nil where there is none.
func (t *Tree) Get(path string) *Entry { return t.entries[path] }

// Len is the number of entries.
func (t *Tree) Len() int { return len(t.entries) }

// Bytes is the sum of all file contents.
func (t *Tree) Bytes() int64 { return t.totalBytes }

// Digest identifies the content of the tree.
func (t *Tree) Digest() Digest { return t.digest }

// Names lists the names in a directory, in order.
func (t *Tree) Names(dir string) []string {
	names := make([]string, len(t.children[dir]))
	for i, e := range t.children[dir] {
		_, names[i] = splitPath(e.Path)
	}
	return names
}

// Children lists what is in a directory, by name. The list is the tree's own and holds until its next
// change.
func (t *Tree) Children(dir string) []*Entry { return t.children[dir] }

// findEntry is the place of a path in the list of its directory, or where it would be.
func findEntry(in []*Entry, path string) (int, bool) {
	return slices.BinarySearchFunc(in, path, func(e *Entry, path string) int {
		return strings.Compare(e.Path, path)
	})
}

// Paths lists every path in order.
func (t *Tree) Paths() []string {
	paths := make([]string, 0, len(t.entries))
	for path := range t.entries {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Put adds an entry as it was saved or received elsewhere, replacing one of the same path.
func (t *Tree) Put(e Entry) {
	e.Data = bytes.Clone(e.Data) // it may alias a buffer of the environment
	e.dataSum = sha256.Sum256(e.Data)
	t.insert(&e)
}

// Drop removes the entry of a path if there is one.
func (t *Tree) Drop(path string) {
	if old := t.entries[path]; old != nil {
		t.remove(old)
	}
}

func (t *Tree) insert(e *Entry) {
	e.updateDigest()
	dir, _ := splitPath(e.Path)
	in := t.children[dir]
	if i, there := findEntry(in, e.Path); there {
		t.subtractSums(in[i])
		in[i] = e
	} else {
		t.children[dir] = slices.Insert(in, i, e)
	}
	t.entries[e.Path] = e
	t.noteGuest(e, true)
	t.totalBytes += int64(len(e.Data))
	t.digest.add(e.entrySum)
}

func (t *Tree) remove(e *Entry) {
	delete(t.entries, e.Path)
	t.noteGuest(e, false)
	dir, _ := splitPath(e.Path)
	in := t.children[dir]
	if i, there := findEntry(in, e.Path); there {
		in = slices.Delete(in, i, i+1)
	}
	if t.children[dir] = in; len(in) == 0 {
		delete(t.children, dir)
	}
	t.subtractSums(e)
}

// subtractSums takes an entry out of the sums.
func (t *Tree) subtractSums(e *Entry) {
	t.totalBytes -= int64(len(e.Data))
	t.digest.remove(e.entrySum)
}

// CheckShape reports whether every entry has its parent directory and every limit is kept: a tree
// that was loaded or received must pass this before it is used.
func (t *Tree) CheckShape() error {
	for _, path := range t.Paths() {
		if r := CheckPath(path); r != nil || path == "" {
			return fmt.Errorf("entry %q has no valid path", path)
		}
		if r := t.checkParent(path); r != nil {
			return fmt.Errorf("entry %q: %s", path, r.Message)
		}
		if e := t.entries[path]; e.Kind != File && (e.Kind != Directory || len(e.Data) > 0) {
			return fmt.Errorf("entry %q has kind %d with %d bytes", path, e.Kind, len(e.Data))
		}
	}
	return nil
}

// Clone returns a tree that can be changed independently; entries are shared.
func (t *Tree) Clone() *Tree {
	c := New(t.limits)
	maps.Copy(c.entries, t.entries)
	for dir, in := range t.children {
		c.children[dir] = slices.Clone(in)
	}
	for guest, paths := range t.guests {
		c.guests[guest] = slices.Clone(paths)
	}
	c.totalBytes, c.digest = t.totalBytes, t.digest
	return c
}

// Limits are those of the tree.
func (t *Tree) Limits() Limits { return t.limits }
