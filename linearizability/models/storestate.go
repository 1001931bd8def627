package models

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// storeNode is a file or a directory. It is never changed: a new content is a new node.
type storeNode struct {
	value   digest
	content json.RawMessage
	sum     string
	mod     uint64
	dir     bool
}

func (n *storeNode) digest(path string) digest {
	d := bytesDigest(path).mix(n.mod).mix(n.value.hi).mix(n.value.lo)
	if n.sum != "" {
		s := bytesDigest(n.sum)
		d = d.mix(s.hi).mix(s.lo)
	}
	if n.dir {
		d = d.mix(prime1)
	}
	return d
}

// storeTree is the one mutable tree that all versions of a state share; it holds the content of
// exactly one of them at a time.
type storeTree struct {
	nodes    map[string]*storeNode
	children map[string]map[string]struct{}
}

// storeChange says that path holds (or held) node; a nil node is absence.
type storeChange struct {
	path string
	node *storeNode
}

// StoreState is one version of the tree. Versions behave as values: stepping from one leaves it intact.
//
// Only one version is spelled out in the shared tree; every other one knows the changes that lead to it
// from a neighbour. A replay, which always goes on from the newest version, therefore costs the same
// as changing a map in place, and a search that goes back pays for the steps that it undoes.
// Versions of one Init must not be used by two goroutines at once.
type StoreState struct {
	rev  uint64
	sum  digest
	tree *storeTree // not nil if the tree holds this version

	// If tree is nil: this version is next with undo (and then more) applied to it, last one first.
	next *StoreState
	undo storeChange
	more []storeChange

	// linear means that only the newest version is ever used: steps then change the state in place.
	linear bool
	spare  *spareNodes
}

// spareNodes are the first nodes of a linear state, which are then not allocated one by one.
type spareNodes struct {
	nodes [linearNodes]storeNode
	used  int
}

// linearNodes is enough for the keys of a small history.
const linearNodes = 8

func (s *StoreState) newNode() *storeNode {
	if s.linear && s.spare.used < linearNodes {
		s.spare.used++
		return &s.spare.nodes[s.spare.used-1]
	}
	return new(storeNode)
}

func newStoreState(rev uint64) *StoreState {
	return &StoreState{rev: rev, tree: &storeTree{
		nodes:    map[string]*storeNode{"": rootNode},
		children: map[string]map[string]struct{}{},
	}}
}

// put places node at path, nil to remove, and returns what was there.
func (t *storeTree) put(path string, node *storeNode) *storeNode {
	old := t.nodes[path]
	if node != nil {
		t.nodes[path] = node
	} else {
		delete(t.nodes, path)
	}
	if (old == nil) == (node == nil) {
		return old
	}
	parent, name := parentOf(path)
	names := t.children[parent]
	if node == nil {
		delete(names, name)
		return old
	}
	if names == nil {
		names = make(map[string]struct{})
		t.children[parent] = names
	}
	names[name] = struct{}{}
	return old
}

// view returns the tree spelling out this version.
func (s *StoreState) view() *storeTree {
	if s.tree == nil {
		s.makeRoot()
	}
	return s.tree
}

// makeRoot moves the tree from the version that holds it to s, turning the path between them around.
func (s *StoreState) makeRoot() {
	var path []*StoreState
	at := s
	for at.tree == nil {
		path = append(path, at)
		at = at.next
	}
	for i := len(path) - 1; i >= 0; i-- {
		older := path[i]
		tree := at.tree
		redo := make([]storeChange, 0, 1+len(older.more))
		for j := len(older.more) - 1; j >= 0; j-- {
			c := older.more[j]
			redo = append(redo, storeChange{c.path, tree.put(c.path, c.node)})
		}
		c := older.undo
		redo = append(redo, storeChange{c.path, tree.put(c.path, c.node)})
		older.tree, older.next, older.more, older.undo = tree, nil, nil, storeChange{}
		at.tree, at.next, at.undo, at.more = nil, older, redo[0], redo[1:]
		at = older
	}
}

// with returns the next version: revision one higher, and the changes applied in order.
func (s *StoreState) with(first storeChange, more ...storeChange) *StoreState {
	tree := s.view()
	if s.linear {
		s.rev++
		tree.put(first.path, first.node)
		for _, c := range more {
			tree.put(c.path, c.node)
		}
		return s
	}
	next := &StoreState{rev: s.rev + 1, sum: s.sum, tree: tree}
	s.undo = next.apply(first)
	s.more = nil
	for _, c := range more {
		s.more = append(s.more, next.apply(c))
	}
	s.tree, s.next = nil, next
	return next
}

// overwrite is with for the one change of a file's content. A linear state reuses the node.
func (s *StoreState) overwrite(path string, old *storeNode, file storeNode) *StoreState {
	if s.linear && old != nil {
		s.rev++
		*old = file
		return s
	}
	node := s.newNode()
	*node = file
	return s.with(storeChange{path, node})
}

func (s *StoreState) apply(c storeChange) (undo storeChange) {
	old := s.tree.put(c.path, c.node)
	if old != nil {
		s.sum = s.sum.sub(old.digest(c.path))
	}
	if c.node != nil {
		s.sum = s.sum.add(c.node.digest(c.path))
	}
	return storeChange{c.path, old}
}

// Revision returns the revision of the version.
func (s *StoreState) Revision() uint64 { return s.rev }

func equalStoreStates(a, b any) bool {
	x, y := a.(*StoreState), b.(*StoreState)
	return x == y || (x.rev == y.rev && x.sum == y.sum)
}

func hashStoreState(a any) uint64 {
	s := a.(*StoreState)
	return s.sum.mix(s.rev).lo
}

// maxDescribed bounds how many entries a description of a state lists.
const maxDescribed = 24

func describeStoreState(a any) string {
	s := a.(*StoreState)
	tree := s.view()
	paths := make([]string, 0, len(tree.nodes))
	for path := range tree.nodes {
		if path != "" {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	var text strings.Builder
	fmt.Fprintf(&text, "rev %d", s.rev)
	for i, path := range paths {
		if i == maxDescribed {
			fmt.Fprintf(&text, ", and %d more", len(paths)-i)
			break
		}
		node := tree.nodes[path]
		if node.dir {
			fmt.Fprintf(&text, ", %s/", path)
			continue
		}
		fmt.Fprintf(&text, ", %s=%s@%d", path, shorten(node.content), node.mod)
	}
	return text.String()
}

// maxShown bounds the bytes of a value in a description.
const maxShown = 40

func shorten(value json.RawMessage) string {
	if len(value) == 0 {
		return `""`
	}
	if len(value) > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", value[:maxShown], len(value))
	}
	return string(value)
}

// storeInitial is the initial state as a header carries it.
type storeInitial struct {
	Rev  uint64 `json:"rev"`
	Tree map[string]struct {
		Value json.RawMessage `json:"v"`
		Mod   uint64          `json:"mod"`
		Dir   bool            `json:"dir"`
	} `json:"tree"`
}

func parseStoreInitial(raw json.RawMessage) (storeInitial, error) {
	var initial storeInitial
	if len(raw) == 0 {
		return initial, nil
	}
	if err := json.Unmarshal(raw, &initial); err != nil {
		return initial, fmt.Errorf(`%w: want {"rev":0,"tree":{"path":{"v":…,"mod":0,"dir":false}}}`, err)
	}
	return initial, nil
}

// linearState returns the initial state for a replay that never goes back, in the memory of reuse if that
// is one.
func (initial *storeInitial) linearState(reuse any) *StoreState {
	s, ok := reuse.(*StoreState)
	if !ok || !s.linear {
		s = initial.state()
		s.linear, s.spare = true, &spareNodes{}
		return s
	}
	s.rev, s.sum, s.spare.used = initial.Rev, digest{}, 0
	clear(s.tree.nodes)
	if len(s.tree.children) > linearNodes {
		clear(s.tree.children)
	}
	for _, names := range s.tree.children { // order does not matter: each is emptied
		clear(names)
	}
	s.tree.nodes[""] = rootNode
	initial.fill(s)
	return s
}

// rootNode is the directory that holds everything; it is never changed.
var rootNode = &storeNode{dir: true}

func (initial *storeInitial) state() *StoreState {
	s := newStoreState(initial.Rev)
	initial.fill(s)
	return s
}

func (initial *storeInitial) fill(s *StoreState) {
	for path, entry := range initial.Tree { // order does not matter: sums and maps
		node := &storeNode{mod: entry.Mod, dir: entry.Dir}
		if !entry.Dir {
			node.value, node.content = valueDigest(entry.Value), entry.Value
		}
		s.apply(storeChange{cleanPath(path), node})
	}
}
