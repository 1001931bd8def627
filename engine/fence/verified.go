package fence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Verified holds the fingerprint that each agent had when the fence devices were installed, by agent. An
// agent that is not in it, or reports something else on the node that fences, proves nothing.
type Verified map[string]string

// ErrVerified means that the file with the fingerprints cannot be read.
var ErrVerified = errors.New("read verified fence agents")

// maxVerifiedBytes bounds the file.
const maxVerifiedBytes = 256 << 10

const verifiedHead = "# What each fence agent reported when the devices were installed.\n" +
	"# Written by `ha-manager fence set`.\n"

// Encode writes the file, sorted by agent.
func (v Verified) Encode() string {
	var b strings.Builder
	b.WriteString(verifiedHead)
	for _, agent := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&b, "%s %s\n", agent, v[agent])
	}
	return b.String()
}

// DecodeVerified reads the file; an empty one verifies nothing. It fails with ErrVerified.
func DecodeVerified(text string) (Verified, error) {
	if len(text) > maxVerifiedBytes || !utf8.ValidString(text) {
		return nil, fmt.Errorf("%w: %d bytes, or not UTF-8", ErrVerified, len(text))
	}
	v := Verified{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		agent, fingerprint, ok := strings.Cut(line, " ")
		if !ok || agent == "" || v[agent] != "" {
			return nil, fmt.Errorf("%w, line %d: want an agent, once, and its fingerprint", ErrVerified, i+1)
		}
		v[agent] = fingerprint
	}
	return v, nil
}

// check compares an agent with what it reported when the devices were installed.
func (v Verified) check(agent string, m *Metadata) error {
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
