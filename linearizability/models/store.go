package models

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func init() { constructors["store"] = Store }

// Store is the model of a replicated tree of small files with one revision counter.
//
// Every successful mutation raises the revision of the whole tree by one and is answered with it (Rev).
// An entry remembers the revision that last changed it (Mod). Operations, by F:
//
//   - create, write, cas: Key, and the content as the invoke event's value. create demands that Key is
//     absent, write replaces or creates a file, cas demands that Key's Mod equals the Mod of the invoke
//     event (0: absent). The parent must be a directory.
//   - delete: a file or an empty directory; with a Mod on the invoke event, only if it matches.
//   - mkdir: Key must be absent, its parent a directory.
//   - rename: Key to the path in the invoke event's value. It may replace a file by a file and an empty
//     directory by a directory. The entry moved gets the new revision; what lies below it keeps its own.
//   - read: the answer's value, Mod (0: absent) and Rev. list: the names in a directory, in any order.
//   - read_local, list_local: the same from a state that may be old.
//
// A failed call changed nothing. The codes not_found, exists, revision_mismatch, not_directory, is_directory
// and not_empty are checked against the state at Rev; other codes say nothing about the state.
// The Mod of a directory is not checked, because systems differ in what changes it.
//
// The initial state is {"rev":0,"tree":{"path":{"v":value,"mod":0,"dir":false}}}; nil is the empty tree at
// revision 0.
func Store(initial json.RawMessage) (*Model, error) {
	first, err := parseStoreInitial(initial)
	if err != nil {
		return nil, err
	}
	return &Model{
		Name:       "store",
		Purpose:    storePurpose,
		Functions:  storeFunctions,
		Role:       storeRole,
		Decode:     decodeStore,
		Entry:      storeEntry,
		Revisioned: true,
		FirstRev:   first.Rev,
		Replay:     func(reuse any) any { return first.linearState(reuse) },
		Model: porcupine.Model{
			Init:              func() any { return first.state() },
			Step:              stepStore,
			Equal:             equalStoreStates,
			Hash:              hashStoreState,
			DescribeOperation: describeStoreCall,
			DescribeState:     describeStoreState,
		},
	}, nil
}

const storePurpose = "a tree of files with one revision counter; initial: " +
	"{\"rev\":n, \"tree\":{path: {\"v\":content, \"mod\":n, \"dir\":bool}}}"

var storeFunctions = []Function{
	{Name: FCreate, Value: "content"},
	{Name: FWrite, Value: "content"},
	{Name: FCAS, Value: "content, with the expected revision in mod"},
	{Name: FDelete},
	{Name: FMkdir},
	{Name: FRename, Value: "path"},
	{Name: FRead, Answer: "content"},
	{Name: FList, Answer: "[name, …]"},
	{Name: FReadLocal, Answer: "content"},
	{Name: FListLocal, Answer: "[name, …]"},
	{Name: FWatch, Unjudged: true},
}

// stepStore is the specification. The answer is part of the output, so the input is not looked at.
func stepStore(state, _, output any) (bool, any) {
	s, call := state.(*StoreState), output.(*StoreCall)
	switch {
	case call.outcome == history.Fail:
		return call.rightlyRefused(s), s
	case call.fn == fRead:
		return call.outcome == history.Info || call.readMatches(s), s
	case call.fn == fList:
		return call.outcome == history.Info || call.listMatches(s), s
	case call.fn == fOther && call.rev == 0:
		return true, s
	}
	if call.rev != 0 && call.rev != s.rev+1 {
		return false, s
	}
	next, ok := call.mutate(s)
	switch {
	case ok:
		return true, next
	case call.outcome == history.Info && call.rev == 0:
		return true, s // did not happen, or was refused; the answer was lost
	}
	return false, s
}

func (c *StoreCall) readMatches(s *StoreState) bool {
	if c.rev != 0 && c.rev != s.rev {
		return false
	}
	node := s.view().nodes[c.key]
	switch {
	case node == nil:
		return c.mod == 0 && c.value == digest{}
	case node.dir:
		return true
	case c.mod != node.mod && (c.mod != 0 || c.value == digest{}):
		return false
	case node.sum != "":
		return history.DigestOf(c.content) == node.sum
	}
	return c.value == node.value
}

func (c *StoreCall) listMatches(s *StoreState) bool {
	if c.malformed || (c.rev != 0 && c.rev != s.rev) {
		return false
	}
	tree := s.view()
	if node := tree.nodes[c.key]; node == nil || !node.dir {
		return false
	}
	names := tree.children[c.key]
	if len(names) != len(c.names) {
		return false
	}
	seen := make(map[string]struct{}, len(names))
	for _, name := range c.names {
		_, name = parentOf(cleanPath(name))
		if _, ok := names[name]; !ok {
			return false
		}
		seen[name] = struct{}{}
	}
	return len(seen) == len(names)
}

// hasDirectory reports whether the directory of path exists.
func (t *storeTree) hasDirectory(path string) bool {
	parent, _ := parentOf(path)
	node := t.nodes[parent]
	return node != nil && node.dir
}

// mutate returns the version after the call, or false if the state does not allow it.
func (c *StoreCall) mutate(s *StoreState) (*StoreState, bool) {
	tree := s.view()
	node := tree.nodes[c.key]
	if c.fn == fOther {
		return s.with(storeChange{"", node}), true // the root as it was
	}
	if c.key == "" || (node == nil && !tree.hasDirectory(c.key)) {
		return s, false
	}
	switch c.fn {
	case fCreate, fWrite, fCAS:
		if !c.mayWrite(node) {
			return s, false
		}
		file := storeNode{value: c.value, content: c.content, sum: c.sum, mod: s.rev + 1}
		return s.overwrite(c.key, node, file), true
	case fDelete:
		if node == nil || len(tree.children[c.key]) > 0 || (c.expect != 0 && c.expect != node.mod) {
			return s, false
		}
		return s.with(storeChange{c.key, nil}), true
	case fMkdir:
		if node != nil {
			return s, false
		}
		return s.with(storeChange{c.key, &storeNode{dir: true, mod: s.rev + 1}}), true
	case fRename:
		return c.rename(s, tree, node)
	}
	return s, false
}

func (c *StoreCall) mayWrite(node *storeNode) bool {
	switch c.fn {
	case fCreate:
		return node == nil
	case fWrite:
		return node == nil || !node.dir
	}
	if c.expect == 0 {
		return node == nil
	}
	return node != nil && !node.dir && node.mod == c.expect
}

func (c *StoreCall) rename(s *StoreState, tree *storeTree, node *storeNode) (*StoreState, bool) {
	target := tree.nodes[c.to]
	switch {
	case node == nil || c.to == "" || !tree.hasDirectory(c.to) || under(c.to, c.key):
		return s, false
	case target != nil && c.to != c.key:
		if target.dir != node.dir || len(tree.children[c.to]) > 0 {
			return s, false
		}
	}
	moved := *node
	moved.mod = s.rev + 1
	if c.to == c.key {
		return s.with(storeChange{c.key, &moved}), true
	}
	var more []storeChange
	if node.dir {
		more = tree.moveBelow(c.key, c.to)
	}
	more = append(more, storeChange{c.key, nil})
	return s.with(storeChange{c.to, &moved}, more...), true
}

// moveBelow lists the changes that move everything below from to below to.
func (t *storeTree) moveBelow(from, to string) (changes []storeChange) {
	for name := range t.children[from] { // order does not matter: paths are distinct
		path := from + "/" + name
		node := t.nodes[path]
		changes = append(changes, storeChange{to + "/" + name, node})
		if node.dir {
			changes = append(changes, t.moveBelow(path, to+"/"+name)...)
		}
		changes = append(changes, storeChange{path, nil})
	}
	return changes
}

// rightlyRefused reports whether the state explains the error code.
func (c *StoreCall) rightlyRefused(s *StoreState) bool {
	if c.refused == refusedOther {
		return true
	}
	if c.rev != 0 && c.rev != s.rev {
		return false
	}
	tree := s.view()
	node := tree.nodes[c.key]
	switch c.refused {
	case refusedNotFound:
		return node == nil || (c.fn == fRename && !tree.hasDirectory(c.to))
	case refusedExists:
		if c.fn == fRename {
			return tree.nodes[c.to] != nil
		}
		return node != nil
	case refusedMismatch:
		var mod uint64
		if node != nil {
			mod = node.mod
		}
		if node != nil && node.dir {
			return true // no compare-and-set fits a directory
		}
		return mod != c.expect && (c.mod == 0 || c.mod == mod)
	case refusedNotDirectory:
		return tree.fileOnTheWay(c.key, c.fn == fList) || (c.fn == fRename && c.renameNotDirectory(tree))
	case refusedIsDirectory:
		target := tree.nodes[c.to]
		return (node != nil && node.dir) || (c.fn == fRename && target != nil && target.dir)
	case refusedNotEmpty:
		return len(tree.children[c.key]) > 0 || (c.fn == fRename && len(tree.children[c.to]) > 0)
	}
	return false
}

func (c *StoreCall) renameNotDirectory(tree *storeTree) bool {
	node, target := tree.nodes[c.key], tree.nodes[c.to]
	return tree.fileOnTheWay(c.to, false) || (node != nil && node.dir && target != nil && !target.dir)
}

// fileOnTheWay reports whether a file stands where the path needs a directory; itself says that the path
// itself must be one.
func (t *storeTree) fileOnTheWay(path string, itself bool) bool {
	if node := t.nodes[path]; itself && node != nil && !node.dir {
		return true
	}
	for path != "" {
		path, _ = parentOf(path)
		if node := t.nodes[path]; node != nil {
			return !node.dir
		}
	}
	return false
}

func describeStoreCall(_, output any) string {
	c := output.(*StoreCall)
	var text strings.Builder
	fmt.Fprintf(&text, "%s(%s", c.f, c.key)
	switch c.fn {
	case fCreate, fWrite, fCAS:
		fmt.Fprintf(&text, ", %s", shorten(c.content))
	case fRename:
		fmt.Fprintf(&text, " to %s", c.to)
	}
	if c.fn == fCAS || (c.fn == fDelete && c.expect != 0) {
		fmt.Fprintf(&text, ", if at %d", c.expect)
	}
	text.WriteString(") → ")
	switch {
	case c.outcome == history.Fail:
		text.WriteString(c.code)
	case c.outcome == history.Info:
		text.WriteString("unknown")
	case c.fn == fRead:
		fmt.Fprintf(&text, "%s of revision %d", shorten(c.content), c.mod)
	case c.fn == fList:
		fmt.Fprintf(&text, "%v", c.names)
	default:
		text.WriteString("ok")
	}
	if c.rev != 0 {
		fmt.Fprintf(&text, ", at revision %d", c.rev)
	}
	return text.String()
}
