// Package ids checks the ids of services, guests, rules and groups by the rules of Proxmox VE.
//
// Package ids never asks a node: what exists is an argument.
package ids

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Forms of ids, as in Proxmox VE.
var (
	numberPattern   = regexp.MustCompile(`^\d+$`)
	vmidPattern     = regexp.MustCompile(`^[1-9][0-9]+$`)
	configIDPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]+$`)
)

// Kinds are the kinds of resources.
var Kinds = []string{"vm", "ct"}

// guestNames are the kinds of guests, as messages name them.
var guestNames = map[string]string{"vm": "VM", "ct": "container"}

// IsNumber reports whether a word is the number of a guest.
func IsNumber(word string) bool { return numberPattern.MatchString(word) }

// CheckSIDForm returns an error for a word that is neither a number nor of the form of a service id.
func CheckSIDForm(word string) error {
	if IsNumber(word) {
		return nil
	}
	if _, _, err := ha.SplitSID(word); err != nil {
		return fmt.Errorf("value does not look like a valid ha resource id: %q", word)
	}
	return nil
}

// CheckGuestSID returns an error for a service id that no guest can have.
func CheckGuestSID(sid string) error {
	kind, name, err := ha.SplitSID(sid)
	if err != nil {
		return CheckSIDForm(sid)
	}
	if !slices.Contains(Kinds, kind) {
		return fmt.Errorf("unknown resource type '%s': there are %s", kind,
			strings.Join(Kinds, " and "))
	}
	if !vmidPattern.MatchString(name) {
		return fmt.Errorf("invalid VMID '%s': write a number from 10, such as %s:100", name, kind)
	}
	return nil
}

// CheckGuestExists returns an error for a resource of which no node has a configuration.
func CheckGuestExists(guests map[string]string, sid string) error {
	if guests[sid] != "" {
		return nil
	}
	kind, name, _ := ha.SplitSID(sid)
	for _, other := range Kinds {
		if guests[other+":"+name] != "" {
			return fmt.Errorf("resource '%s' - guest with ID %s is not a %s", sid, name, guestNames[kind])
		}
	}
	return fmt.Errorf("resource '%s' does not exist in cluster: `ha-manager guest create %s --node NODE` "+
		"makes one", sid, sid)
}

// CheckConfigID returns an error for a name that no section of a configuration can have.
func CheckConfigID(id string) error {
	if !configIDPattern.MatchString(id) {
		return fmt.Errorf("invalid configuration ID '%s': it has two or more letters, digits, - or _, "+
			"and begins with a letter", id)
	}
	return nil
}
