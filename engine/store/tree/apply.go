package tree

import (
	"bytes"
	"crypto/sha256"
)

// Change is what one operation did: which inodes vanished and which entries have new content. At
// most one of each exists.
type Change struct {
	Removed *Entry
	Put     *Entry
}

// Check reports whether an operation can be done on the tree as it is; nil means yes.
func (t *Tree) Check(op *Op) *Refusal {
	if r := t.CheckForm(op); r != nil {
		return r
	}
	if r := t.checkParent(op.Path); r != nil {
		return r
	}
	entry := t.entries[op.Path]
	switch op.Kind {
	case Create:
		if r := t.checkNew(entry, int64(len(op.Data))); r != nil {
			return r
		}
		return t.checkGuest(op.Path, "")
	case Mkdir:
		return t.checkNew(entry, 0)
	case Write:
		return t.checkContent(entry, op)
	case CAS:
		if r := checkExpected(entry, op.Expect); r != nil {
			return r
		}
		return t.checkContent(entry, op)
	case Delete:
		return t.checkDelete(entry, op)
	default:
		return t.checkRename(entry, op)
	}
}

// CheckForm refuses what could be done on no tree of these limits.
func (t *Tree) CheckForm(op *Op) *Refusal {
	if op.Kind < Write || op.Kind > CAS {
		return refuse(Invalid, "unknown operation")
	}
	if op.Path == "" || op.Kind == Rename && op.To == "" {
		return refuse(Invalid, "the root directory cannot be changed")
	}
	if r := CheckPath(op.Path); r != nil {
		return r
	}
	if op.Kind == Rename {
		if op.To == op.Path {
			return refuse(Invalid, "source and target of the rename are the same")
		}
		return CheckPath(op.To)
	}
	if len(op.Data) > t.limits.FileBytes {
		return refuse(TooLarge, "the file would be larger than the limit of 1 MiB")
	}
	return nil
}

// checkParent checks the directories above a path.
func (t *Tree) checkParent(path string) *Refusal {
	dir, _ := splitPath(path)
	if dir == "" {
		return nil
	}
	if parent := t.entries[dir]; parent != nil {
		if parent.Kind != Directory {
			return refuse(NotDirectory, "a part of the path is a file")
		}
		return nil
	}
	if r := t.checkParent(dir); r != nil {
		return r
	}
	return refuse(NotFound, "a directory of the path does not exist")
}

func (t *Tree) checkNew(entry *Entry, size int64) *Refusal {
	if entry != nil {
		return refuse(Exists, "the path exists already")
	}
	return t.checkRoom(1, size)
}

func (t *Tree) checkRoom(entries int, size int64) *Refusal {
	if len(t.entries)+entries > t.limits.Entries {
		return refuse(NoSpace, "the store holds its largest number of files and directories")
	}
	if size > 0 && t.totalBytes+size > t.limits.TreeBytes {
		return refuse(NoSpace, "the store is full")
	}
	return nil
}

func (t *Tree) checkContent(entry *Entry, op *Op) *Refusal {
	entries, size := 1, len(op.Data)
	if entry != nil {
		entries, size = 0, len(op.Data)-len(entry.Data)
		if entry.Kind == Directory {
			return refuse(IsDirectory, "the path is a directory")
		}
	}
	if r := t.checkRoom(entries, int64(size)); r != nil {
		return r
	}
	return t.checkGuest(op.Path, "")
}

func checkExpected(entry *Entry, expect uint64) *Refusal {
	var actual uint64
	if entry != nil {
		actual = entry.Mod
	}
	if actual == expect {
		return nil
	}
	return &Refusal{Code: RevisionMismatch, Actual: actual,
		Message: "the entry has another revision than expected"}
}

func (t *Tree) checkDelete(entry *Entry, op *Op) *Refusal {
	if entry == nil {
		return refuse(NotFound, "no such file or directory")
	}
	if op.Expect > 0 {
		if r := checkExpected(entry, op.Expect); r != nil {
			return r
		}
	}
	if len(t.children[op.Path]) > 0 {
		return refuse(NotEmpty, "the directory is not empty")
	}
	return nil
}

func (t *Tree) checkRename(entry *Entry, op *Op) *Refusal {
	if entry == nil {
		return refuse(NotFound, "no such file or directory")
	}
	if len(t.children[op.Path]) > 0 {
		return refuse(NotEmpty, "only empty directories can be renamed")
	}
	if r := t.checkParent(op.To); r != nil {
		return r
	}
	if dir, _ := splitPath(op.To); dir == op.Path {
		return refuse(Invalid, "a directory cannot be moved into itself")
	}
	target := t.entries[op.To]
	if target == nil || target.Kind == File && entry.Kind == File {
		if entry.Kind == Directory {
			return nil
		}
		return t.checkGuestMove(op.Path, op.To)
	}
	if target.Kind == Directory && entry.Kind == File {
		return refuse(IsDirectory, "the target is a directory")
	}
	return refuse(Exists, "the target exists")
}

// Apply does an operation that Check allows; the tree's next revision is given. It panics if
// Check refuses.
func (t *Tree) Apply(op *Op, revision uint64) Change {
	if r := t.Check(op); r != nil {
		panic("tree: applying a refused operation: " + r.Message)
	}
	old := t.entries[op.Path]
	switch op.Kind {
	case Delete:
		t.remove(old)
		return Change{Removed: old}
	case Rename:
		replaced := t.entries[op.To]
		moved := *old
		moved.Path = op.To
		t.remove(old)
		return t.setModified(&moved, op, revision, replaced)
	}
	e := &Entry{Inode: revision, Path: op.Path, Kind: File, Data: bytes.Clone(op.Data)}
	if op.Kind == Mkdir {
		e.Kind, e.Data = Directory, nil
	}
	if old != nil {
		e.Inode = old.Inode
	}
	e.dataSum = sha256.Sum256(e.Data)
	return t.setModified(e, op, revision, nil)
}

func (t *Tree) setModified(e *Entry, op *Op, revision uint64, removed *Entry) Change {
	e.Mod, e.Writer, e.MtimeMS = revision, op.Writer, op.MtimeMS
	t.insert(e)
	return Change{Removed: removed, Put: e}
}
