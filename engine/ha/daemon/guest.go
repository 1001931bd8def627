package daemon

import (
	"slices"
	"strconv"
	"strings"
)

// guestConfig is what the HA manager needs of a guest's configuration.
type guestConfig struct {
	cores       float64
	memoryBytes float64
	lock        string
}

const mebibyte = 1 << 20

// parseGuest reads the lines "key: value" before the first section (a snapshot).
func parseGuest(data []byte) (g guestConfig) {
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok {
			continue
		}
		switch key {
		case "cores":
			g.cores, _ = strconv.ParseFloat(value, 64)
		case "memory":
			mib, _ := strconv.ParseFloat(value, 64)
			g.memoryBytes = mib * mebibyte
		case "lock":
			g.lock = value
		}
	}
	return g
}

// leftLocks are the locks that an owner which has died may leave behind without harm. One that
// says that the guest is just being created stays: there is nothing complete to start.
var leftLocks = []string{"backup", "mounted", "migrate", "clone", "rollback", "snapshot", "snapshot-delete",
	"suspending", "suspended"}

// dropLock removes a guest's lock if it may go, and returns its name.
func dropLock(data []byte) (without []byte, name string) {
	g := parseGuest(data)
	if !slices.Contains(leftLocks, g.lock) {
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
	return []byte(kept.String()), g.lock
}
