package haspec

import (
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// OperatorProcess is the name of the process that stands for the operator at a node's console.
const OperatorProcess = "operator"

// OperatorDid is the record that the operator emits when it has carried out a command or put the files into
// place, or when the store has refused a command for good.
type OperatorDid struct {
	// What is the command's text, or FilesInPlace.
	What string `json:"what"`
	// Refused is why the store refused the command for good; "" when it was carried out.
	Refused string `json:"refused,omitempty"`
}

// FilesInPlace is what the operator does first.
const FilesInPlace = "files in place"

// RecordKind implements env.Record.
func (OperatorDid) RecordKind() string { return "operator" }

// GuestSuffix ends the names of the files whose folder is the node where a service is configured.
const GuestSuffix = ".conf"

// PlacementOf reads a path of a guest's configuration: which service it configures, and on which
// node. It returns "" for every other path; it is the inverse of haproc.GuestPath.
func PlacementOf(path string) (sid, node string) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || parts[0] != "nodes" {
		return "", ""
	}
	name := strings.TrimSuffix(parts[3], GuestSuffix)
	for _, kind := range []string{"vm", "ct", parts[2]} {
		if haproc.GuestPath(kind+":"+name, parts[1]) == path {
			return kind + ":" + name, parts[1]
		}
	}
	return "", ""
}
