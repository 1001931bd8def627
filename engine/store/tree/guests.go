package tree

import (
	"fmt"
	"slices"
	"strings"
)

// A guest is configured by one file, nodes/NODE/qemu-server/NUMBER.conf for a virtual machine and
// nodes/NODE/lxc/NUMBER.conf for a container, and belongs to the node of that file. Virtual machines and
// containers share their numbers. Other kinds of services have nodes/NODE/KIND/NAME.conf. As in pmxcfs, a
// guest has at most one configuration in the whole tree, and the tree itself refuses a second one: a client
// that looks first and creates later cannot know what another client does in between.

// numberedDirs are the directories of a node whose guests share their numbers, and privateDir the directory
// of what belongs to the node itself.
var numberedDirs = [...]string{"qemu-server", "lxc"}

const privateDir = "priv"

// GuestOf returns which guest a file of this path configures: its number, or KIND/NAME for other services.
// The result is false when a file there configures none. A number has no leading zero, so each number has
// one spelling.
func GuestOf(path string) (guest string, ok bool) {
	rest, ok := strings.CutPrefix(path, "nodes/")
	if !ok || strings.Count(rest, "/") != 2 {
		return "", false
	}
	_, rest, _ = strings.Cut(rest, "/")
	dir, name, _ := strings.Cut(rest, "/")
	name, ok = strings.CutSuffix(name, ".conf")
	if !ok || name == "" || dir == privateDir {
		return "", false
	}
	if slices.Contains(numberedDirs[:], dir) && name[0] != '0' && strings.Trim(name, "0123456789") == "" {
		return name, true
	}
	return dir + "/" + name, true
}

// GuestConfigs returns the paths of the configurations of a guest, as GuestOf names it, in order. There is
// more than one only in a tree that an earlier version made.
func (t *Tree) GuestConfigs(guest string) []string { return t.guests[guest] }

// noteGuest keeps the paths of each guest when a file appears or, without isThere, vanishes.
func (t *Tree) noteGuest(e *Entry, isThere bool) {
	guest, ok := GuestOf(e.Path)
	if !ok || e.Kind != File {
		return
	}
	paths := t.guests[guest]
	at, known := slices.BinarySearch(paths, e.Path)
	switch {
	case isThere && !known:
		t.guests[guest] = slices.Insert(paths, at, e.Path)
	case !isThere && known && len(paths) == 1:
		delete(t.guests, guest)
	case !isThere && known:
		t.guests[guest] = slices.Delete(paths, at, at+1)
	}
}

// checkGuest refuses a file at a path if its guest has a configuration at a path other than this one and
// from, the path that a rename empties ("" for other operations).
func (t *Tree) checkGuest(path, from string) *Refusal {
	guest, ok := GuestOf(path)
	if !ok {
		return nil
	}
	for _, other := range t.guests[guest] {
		if other != path && other != from {
			return refuse(GuestExists, fmt.Sprintf("guest %s is configured by %s already", guest, other))
		}
	}
	return nil
}

// checkGuestMove refuses a rename that would give a guest a second configuration, or replace the
// configuration of one guest by another one's. A file that configures no guest may replace one that does:
// that is how programs write a file in one step.
func (t *Tree) checkGuestMove(from, to string) *Refusal {
	if _, isGuest := GuestOf(from); isGuest && t.entries[to] != nil {
		if guest, there := GuestOf(to); there {
			return refuse(GuestExists, fmt.Sprintf("guest %s is configured by %s already", guest, to))
		}
	}
	return t.checkGuest(to, from)
}
