package fence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// AgentFingerprints holds the fingerprint that each agent had when the fence devices were installed, by
// agent. An agent that is not in it, or reports something else on the node that fences, proves nothing.
type AgentFingerprints map[string]string

// ErrUnreadableFingerprints means that the file with the fingerprints cannot be read.
var ErrUnreadableFingerprints = errors.New("read verified fence agents")

// maxFingerprintFileBytes bounds the file.
const maxFingerprintFileBytes = 256 << 10

const fingerprintFileHead = "# What each fence agent reported when the devices were installed.\n" +
	"# Written by `ha-manager fence set`.\n"

// Encode writes the file, sorted by agent.
func (v AgentFingerprints) Encode() string {
	var b strings.Builder
	b.WriteString(fingerprintFileHead)
	for _, agent := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&b, "%s %s\n", agent, v[agent])
	}
	return b.String()
}

// DecodeFingerprints reads the file; an empty one verifies nothing. It fails with ErrUnreadableFingerprints.
func DecodeFingerprints(text string) (AgentFingerprints, error) {
	if len(text) > maxFingerprintFileBytes || !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: %d bytes, or not UTF-8", ErrUnreadableFingerprints, len(text))
	}
	v := AgentFingerprints{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		agent, fingerprint, ok := strings.Cut(line, " ")
		if !ok || agent == "" || v[agent] != "" {
			return nil, fmt.Errorf("%w, line %d: want an agent, once, and its fingerprint",
				ErrUnreadableFingerprints, i+1)
		}
		v[agent] = fingerprint
	}
	return v, nil
}

// check compares an agent with what it reported when the devices were installed.
func (v AgentFingerprints) check(agent string, m *Metadata) error {
	known, now := v[agent], m.Fingerprint()
	switch known {
	case now:
		return nil
	case "":
		return fmt.Errorf("%w: %s was not verified when the devices were installed; run ha-manager fence set",
			ErrProvesNothing, agent)
	}
	return fmt.Errorf("%w: %s reports %q here and reported %q when the devices were installed; "+
		"run ha-manager fence set", ErrProvesNothing, agent, now, known)
}
