package tree

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is the same store written for clarity: one map, every rule by looking through all of it.
type model struct {
	limits Limits
	files  map[string]Entry
}

func (m *model) children(dir string) int {
	n := 0
	for p := range m.files {
		if strings.HasPrefix(p, dir+"/") {
			n++
		}
	}
	return n
}

// missing returns the code of the first problem with the directories above a path, outermost first.
func (m *model) missing(path string) Code {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i++ {
		e, ok := m.files[strings.Join(parts[:i], "/")]
		if !ok {
			return NotFound
		}
		if e.Kind == File {
			return NotDirectory
		}
	}
	return ""
}

func (m *model) bytes() (sum int64) {
	for _, e := range m.files {
		sum += int64(len(e.Data))
	}
	return sum
}

func (m *model) room(old Entry, exists bool, size int) Code {
	if !exists && len(m.files) >= m.limits.Entries {
		return NoSpace
	}
	if size > len(old.Data) && m.bytes()-int64(len(old.Data))+int64(size) > m.limits.TreeBytes {
		return NoSpace
	}
	return ""
}

func (m *model) do(op Op, rev uint64) Code {
	if len(op.Data) > m.limits.FileBytes {
		return TooLarge
	}
	if op.Kind == Rename && op.Path == op.To {
		return Invalid
	}
	if c := m.missing(op.Path); c != "" {
		return c
	}
	old, exists := m.files[op.Path]
	switch op.Kind {
	case Create, Mkdir:
		if exists {
			return Exists
		}
	case CAS:
		if old.Mod != op.Expect {
			return RevisionMismatch
		}
	case Delete, Rename:
		if !exists {
			return NotFound
		}
		if op.Kind == Delete && op.Expect > 0 && old.Mod != op.Expect {
			return RevisionMismatch
		}
		if m.children(op.Path) > 0 {
			return NotEmpty
		}
	}
	return m.change(op, old, exists, rev)
}

func (m *model) change(op Op, old Entry, exists bool, rev uint64) Code {
	switch op.Kind {
	case Delete:
		delete(m.files, op.Path)
		return ""
	case Rename:
		return m.rename(op, old, rev)
	case Mkdir:
		if c := m.room(old, exists, 0); c != "" {
			return c
		}
		m.files[op.Path] = Entry{Inode: rev, Path: op.Path, Kind: Directory, Mod: rev}
		return ""
	}
	if exists && old.Kind == Directory {
		return IsDirectory
	}
	if c := m.room(old, exists, len(op.Data)); c != "" {
		return c
	}
	if m.otherConfigs(op.Path, "") > 0 {
		return GuestExists
	}
	inode := rev
	if exists {
		inode = old.Inode
	}
	m.files[op.Path] = Entry{Inode: inode, Path: op.Path, Kind: File, Data: op.Data, Mod: rev}
	return ""
}

func (m *model) rename(op Op, old Entry, rev uint64) Code {
	if c := m.missing(op.To); c != "" {
		return c
	}
	if strings.HasPrefix(op.To, op.Path+"/") {
		return Invalid
	}
	if target, ok := m.files[op.To]; ok {
		if old.Kind == Directory {
			return Exists
		}
		if target.Kind == Directory {
			return IsDirectory
		}
		if guestOf(op.Path) != "" && guestOf(op.To) != "" {
			return GuestExists
		}
	}
	if old.Kind == File && m.otherConfigs(op.To, op.Path) > 0 {
		return GuestExists
	}
	delete(m.files, op.Path)
	old.Path, old.Mod = op.To, rev
	m.files[op.To] = old
	return ""
}

var (
	numberedPattern = regexp.MustCompile(`^nodes/[^/]+/(qemu-server|lxc)/([1-9][0-9]*)\.conf$`)
	servicePattern  = regexp.MustCompile(`^nodes/[^/]+/([^/]+/[^/]+)\.conf$`)
)

// guestOf returns the guest that a file of this path configures, "" if it configures none.
func guestOf(path string) string {
	if match := numberedPattern.FindStringSubmatch(path); match != nil {
		return match[2]
	}
	match := servicePattern.FindStringSubmatch(path)
	if match != nil && !strings.HasPrefix(match[1], "priv/") {
		return match[1]
	}
	return ""
}

// otherConfigs counts the configurations of a path's guest at other paths.
func (m *model) otherConfigs(path, from string) (n int) {
	for p, e := range m.files {
		if p != path && p != from && e.Kind == File && guestOf(p) != "" && guestOf(p) == guestOf(path) {
			n++
		}
	}
	return n
}

var modelPaths = []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/f", "g/h"}

// guestPaths are paths of guests' configurations, and of files that look like some.
var guestPaths = []string{"nodes/a/qemu-server/1.conf", "nodes/b/qemu-server/1.conf", "nodes/a/lxc/1.conf",
	"nodes/b/lxc/2.conf", "nodes/a/lxc/01.conf", "nodes/a/qemu-server/01.conf", "nodes/a/lxc/1.conf.tmp",
	"nodes/a/priv/1.conf", "nodes/b/priv/1.conf", "nodes/a/web/x.conf", "nodes/b/web/x.conf"}

func drawOp(t *rapid.T, paths []string) Op {
	op := Op{Kind: OpKind(rapid.IntRange(1, 6).Draw(t, "kind")),
		Path: rapid.SampledFrom(paths).Draw(t, "path")}
	switch op.Kind {
	case Write, Create, CAS:
		op.Data = bytes.Repeat([]byte{'x'}, rapid.IntRange(0, 12).Draw(t, "size"))
	case Rename:
		op.To = rapid.SampledFrom(paths).Draw(t, "to")
	}
	if op.Kind == CAS || op.Kind == Delete {
		op.Expect = uint64(rapid.IntRange(0, 12).Draw(t, "expect"))
	}
	return op
}

func TestTreeIsTheModel(t *testing.T) {
	limits := Limits{FileBytes: 10, TreeBytes: 25, Entries: 6}
	rapid.Check(t, func(t *rapid.T) { compareRuns(t, limits, modelPaths) })
}

// TestGuestsAreTheModel: the same where every directory of guests is there.
func TestGuestsAreTheModel(t *testing.T) {
	dirs := []string{"nodes", "nodes/a", "nodes/b", "nodes/a/priv", "nodes/b/priv", "nodes/a/qemu-server",
		"nodes/b/qemu-server", "nodes/a/lxc", "nodes/b/lxc", "nodes/a/web", "nodes/b/web"}
	limits := Limits{FileBytes: 10, TreeBytes: 60, Entries: len(dirs) + 5}
	rapid.Check(t, func(t *rapid.T) { compareRuns(t, limits, guestPaths, dirs...) })
}

// A tree that an earlier version made may have two configurations of one guest: one can be removed, and
// nothing else makes it worse.
func TestTwoConfigurationsFromEarlier(t *testing.T) {
	tr := New(DefaultLimits())
	first, second := guestPaths[0], guestPaths[1]
	for _, path := range []string{"nodes", "nodes/a", "nodes/b", "nodes/a/qemu-server",
		"nodes/b/qemu-server"} {
		tr.Apply(&Op{Kind: Mkdir, Path: path}, 1)
	}
	tr.Put(Entry{Inode: 6, Path: second, Kind: File})
	tr.Put(Entry{Inode: 7, Path: first, Kind: File})
	require.Equal(t, []string{first, second}, tr.GuestConfigs("1"))
	for _, op := range []Op{{Kind: Write, Path: first}, {Kind: Rename, Path: first, To: second},
		{Kind: Rename, Path: second, To: "nodes/b/qemu-server/2.conf"}} {
		r := tr.Check(&op)
		if op.To == "nodes/b/qemu-server/2.conf" {
			require.Nil(t, r, "a free number may be given to one of them")
			continue
		}
		require.Equal(t, GuestExists, r.Code, "%+v", op)
		require.Contains(t, r.Message, "guest 1 is configured by nodes/b/qemu-server/1.conf already")
	}
	require.Nil(t, tr.Check(&Op{Kind: Delete, Path: second}))
}

// compareRuns carries out random operations on a tree and on the model.
func compareRuns(t *rapid.T, limits Limits, paths []string, dirs ...string) {
	tr, m := New(limits), &model{limits: limits, files: map[string]Entry{}}
	revision := uint64(0)
	for _, dir := range dirs {
		revision++
		op := Op{Kind: Mkdir, Path: dir}
		require.Empty(t, m.do(op, revision))
		tr.Apply(&op, revision)
	}
	for range rapid.IntRange(1, 60).Draw(t, "ops") {
		op := drawOp(t, paths)
		var code Code
		if r := tr.Check(&op); r != nil {
			code = r.Code
			if code == RevisionMismatch {
				require.Equal(t, m.files[op.Path].Mod, r.Actual)
			}
		}
		want := m.do(op, revision+1)
		require.Equal(t, want, code, "%+v", op)
		if code == "" {
			revision++
			tr.Apply(&op, revision)
		}
		compare(t, tr, m)
	}
}

func compare(t require.TestingT, tr *Tree, m *model) {
	require.Equal(t, slices.Sorted(maps.Keys(m.files)),
		slices.AppendSeq([]string(nil), slices.Values(tr.Paths())))
	rebuilt := New(tr.Limits())
	for p, want := range m.files {
		got := tr.Get(p)
		require.Equal(t, want.Inode, got.Inode, p)
		require.Equal(t, want.Mod, got.Mod, p)
		require.Equal(t, want.Kind, got.Kind, p)
		require.Equal(t, string(want.Data), string(got.Data), p)
		rebuilt.Put(*got)
	}
	require.Equal(t, m.bytes(), tr.Bytes())
	require.Equal(t, rebuilt.Digest(), tr.Digest(), "the running digest is that of the content")
	require.NoError(t, tr.CheckShape())
	copied := tr.Clone()
	require.Equal(t, tr.Digest(), copied.Digest())
	require.Equal(t, tr.guests, copied.guests)
	require.Equal(t, tr.guests, rebuilt.guests)
}

func TestEveryFieldIsInTheDigest(t *testing.T) {
	base := Entry{Inode: 1, Path: "a", Kind: File, Data: []byte("x"), Mod: 2, Writer: 3, MtimeMS: 4}
	seen := map[Digest]bool{}
	for _, change := range []func(*Entry){func(*Entry) {}, func(e *Entry) { e.Inode = 9 },
		func(e *Entry) { e.Path = "b" }, func(e *Entry) { e.Kind = Directory },
		func(e *Entry) { e.Data = []byte("y") },
		func(e *Entry) { e.Mod = 9 }, func(e *Entry) { e.Writer = 9 }, func(e *Entry) { e.MtimeMS = 9 }} {
		e, tr := base, New(DefaultLimits())
		change(&e)
		tr.Put(e)
		require.False(t, seen[tr.Digest()], "%+v", e)
		seen[tr.Digest()] = true
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]Code{
		"": "", "a": "", "a/b": "", "nodes/n1/qemu-server/100.conf": "", "ä": "",
		"/a": Invalid, "a/": Invalid, "a//b": Invalid, ".": Invalid, "a/..": Invalid, "a\x00": Invalid,
		"a\n": Invalid, "\xff": Invalid, "\x7f": Invalid,
		strings.Repeat("n", 256):         "",
		strings.Repeat("n", 257):         NameTooLong,
		strings.Repeat("n/", 2048) + "n": NameTooLong,
		"a/" + strings.Repeat("n", 257):  NameTooLong,
	} {
		var code Code
		if r := CheckPath(path); r != nil {
			code = r.Code
		}
		require.Equal(t, want, code, "%.40q", path)
	}
}

func TestLimits(t *testing.T) {
	tr := New(DefaultLimits())
	require.Nil(t, tr.Check(&Op{Kind: Create, Path: "a", Data: make([]byte, MaxFileBytes)}))
	require.Equal(t, TooLarge, tr.Check(&Op{Kind: Create, Path: "a",
		Data: make([]byte, MaxFileBytes+1)}).Code)
	for i := range 128 {
		tr.Apply(&Op{Kind: Create, Path: fmt.Sprint(i), Data: make([]byte, MaxFileBytes)}, uint64(i+1))
	}
	require.Equal(t, NoSpace, tr.Check(&Op{Kind: Create, Path: "x", Data: []byte("1")}).Code)
	require.Nil(t, tr.Check(&Op{Kind: Create, Path: "x"}), "an empty file needs no space")
	require.Nil(t, tr.Check(&Op{Kind: Write, Path: "1", Data: []byte("1")}), "shrinking is always possible")
}

// Shape checking finds what a damaged disk or a bad peer could bring.
func TestCheckShape(t *testing.T) {
	for name, entries := range map[string][]Entry{
		"orphan":             {{Inode: 1, Path: "a/b", Kind: File}},
		"file as parent":     {{Inode: 1, Path: "a", Kind: File}, {Inode: 2, Path: "a/b", Kind: File}},
		"bad name":           {{Inode: 1, Path: "a//b", Kind: File}},
		"root":               {{Inode: 1, Path: "", Kind: Directory}},
		"directory has data": {{Inode: 1, Path: "a", Kind: Directory, Data: []byte("x")}},
		"unknown kind":       {{Inode: 1, Path: "a", Kind: 3}},
	} {
		tr := New(DefaultLimits())
		for _, e := range entries {
			tr.Put(e)
		}
		require.Error(t, tr.CheckShape(), name)
	}
}
