package haproc

import (
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/resource"
)

// removableLocks are the locks that a dead owner may leave behind without harm. A lock that marks the
// creation of a guest stays, because nothing complete is there to start.
var removableLocks = []string{"backup", "mounted", "migrate", "clone", "rollback", "snapshot",
	"snapshot-delete",
	"suspending", "suspended"}

// withoutLock returns a guest's configuration without its lock, and the lock's name; nil and "" if there is
// no lock that may go.
func withoutLock(data []byte) (without []byte, name string) {
	g := resource.ParseConf(data)
	if !slices.Contains(removableLocks, g.Lock) {
		return nil, ""
	}
	var kept strings.Builder
	dropped := false
	for line := range strings.Lines(string(data)) {
		if !dropped && strings.HasPrefix(line, "lock:") {
			dropped = true
			continue
		}
		kept.WriteString(line)
	}
	return []byte(kept.String()), g.Lock
}
