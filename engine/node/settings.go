package node

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/ring"
)

// The nodes of a cluster read their configuration each from its own file. Settings that must be equal are
// compared at the start of each ring: every member sends a digest of its settings, and a member that sees
// another digest sends its settings once, so that every member can name the difference. A difference changes
// no decision: it is logged and shown, because two nodes may run for a while with an old and a new file.

// The messages of the comparison begin with a byte that no message of package quorum begins with.
const (
	tagSettingsDigest = 0xd0
	tagSettingsList   = 0xd1

	settingsDigestBytes = 16
	// maxSettings and maxSettingBytes bound a list.
	maxSettings     = ring.MaxNodes + 64
	maxSettingBytes = 1024
	// maxDifferences bounds what is kept of one node.
	maxDifferences = 20
)

// Difference is a setting that must be equal and that another node has otherwise.
type Difference struct {
	Node    ring.NodeID `json:"node"` // the other node
	Setting string      `json:"setting"`
	Here    string      `json:"here"` // "" if it is not set
	There   string      `json:"there"`
}

// String returns the difference on one line.
func (d Difference) String() string {
	value := func(v string) string {
		if v == "" {
			return "is not set"
		}
		return "is " + v
	}
	return fmt.Sprintf("%s %s here and %s on node %d", d.Setting, value(d.Here), value(d.There), d.Node)
}

// settingsThatMustBeEqual returns the settings of a node that must be equal on all nodes, by name.
func settingsThatMustBeEqual(o Options) []corosync.Setting {
	list := o.Cluster.SettingsThatMustBeEqual()
	if !o.Timescale.IsOne() {
		list = append(list, corosync.Setting{Name: "timescale", Value: o.Timescale.String()})
		sortSettings(list)
	}
	return list
}

func sortSettings(list []corosync.Setting) {
	slices.SortFunc(list, func(a, b corosync.Setting) int { return cmp.Compare(a.Name, b.Name) })
}

var errSettings = errors.New("malformed list of settings")

// settingsComparison compares this node's settings with those of the other members.
type settingsComparison struct {
	self     ring.NodeID
	own      []corosync.Setting
	digest   [settingsDigestBytes]byte
	listSent bool // in the present ring
	found    []Difference
	reported map[Difference]bool
}

func newSettingsComparison(self ring.NodeID, own []corosync.Setting) *settingsComparison {
	c := &settingsComparison{self: self, own: own, reported: map[Difference]bool{}}
	sum := sha256.Sum256(encodeSettings(own))
	copy(c.digest[:], sum[:])
	return c
}

// startInRing starts the comparison of a ring. What was found stays until the other node is heard again
// or has gone.
func (c *settingsComparison) startInRing(h cluster.Host, members []ring.NodeID) {
	c.listSent = false
	c.found = slices.DeleteFunc(c.found, func(d Difference) bool { return !slices.Contains(members, d.Node) })
	if len(members) > 1 {
		h.Multicast(append([]byte{tagSettingsDigest}, c.digest[:]...))
	}
}

// isSettings reports whether a message of the service belongs to the comparison.
func isSettings(payload []byte) bool {
	return len(payload) > 0 && (payload[0] == tagSettingsDigest || payload[0] == tagSettingsList)
}

// deliver takes a message of the comparison. It returns the differences that are new.
func (c *settingsComparison) deliver(h cluster.Host, from ring.NodeID, payload []byte) ([]Difference, error) {
	if from == c.self {
		return nil, nil
	}
	body := payload[1:]
	if payload[0] == tagSettingsDigest {
		switch {
		case len(body) != settingsDigestBytes:
			return nil, fmt.Errorf("%w: a digest of %d bytes", errSettings, len(body))
		case bytes.Equal(body, c.digest[:]):
			c.forgetNode(from)
		case !c.listSent:
			c.listSent = true
			h.Multicast(append([]byte{tagSettingsList}, encodeSettings(c.own)...))
		}
		return nil, nil
	}
	theirs, err := decodeSettings(body)
	if err != nil {
		return nil, err
	}
	c.forgetNode(from)
	var news []Difference
	for _, d := range compareSettings(from, c.own, theirs) {
		c.found = append(c.found, d)
		if !c.reported[d] && len(c.reported) < maxSettings*maxDifferences {
			c.reported[d] = true
			news = append(news, d)
		}
	}
	slices.SortStableFunc(c.found, func(a, b Difference) int { return cmp.Compare(a.Node, b.Node) })
	return news, nil
}

// forgetNode drops what was found about a node.
func (c *settingsComparison) forgetNode(node ring.NodeID) {
	c.found = slices.DeleteFunc(c.found, func(d Difference) bool { return d.Node == node })
}

// compareSettings compares two lists that are sorted by name.
func compareSettings(node ring.NodeID, here, there []corosync.Setting) []Difference {
	var out []Difference
	for len(here)+len(there) > 0 && len(out) < maxDifferences {
		switch {
		case len(there) == 0 || len(here) > 0 && here[0].Name < there[0].Name:
			out = append(out, Difference{Node: node, Setting: here[0].Name, Here: here[0].Value})
			here = here[1:]
		case len(here) == 0 || there[0].Name < here[0].Name:
			out = append(out, Difference{Node: node, Setting: there[0].Name, There: there[0].Value})
			there = there[1:]
		default:
			if here[0].Value != there[0].Value {
				out = append(out, Difference{Node: node, Setting: here[0].Name, Here: here[0].Value,
					There: there[0].Value})
			}
			here, there = here[1:], there[1:]
		}
	}
	return out
}

// encodeSettings writes settings: their number, and each as two texts with their lengths in front.
func encodeSettings(list []corosync.Setting) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(min(len(list), maxSettings)))
	for _, s := range list[:min(len(list), maxSettings)] {
		for _, text := range []string{s.Name, s.Value} {
			text = text[:min(len(text), maxSettingBytes)]
			b = append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
		}
	}
	return b
}

// decodeSettings reads exactly what encodeSettings writes; names must ascend.
func decodeSettings(b []byte) ([]corosync.Setting, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("%w: %d bytes", errSettings, len(b))
	}
	count := int(binary.LittleEndian.Uint16(b))
	b = b[2:]
	if count > maxSettings {
		return nil, fmt.Errorf("%w: %d settings", errSettings, count)
	}
	var out []corosync.Setting
	for range count {
		var text [2]string
		for i := range text {
			if len(b) < 2 {
				return nil, fmt.Errorf("%w: it ends early", errSettings)
			}
			n := int(binary.LittleEndian.Uint16(b))
			if n > maxSettingBytes || len(b) < 2+n {
				return nil, fmt.Errorf("%w: a text of %d bytes", errSettings, n)
			}
			text[i], b = string(b[2:2+n]), b[2+n:]
		}
		if len(out) > 0 && out[len(out)-1].Name >= text[0] {
			return nil, fmt.Errorf("%w: %q is out of order", errSettings, text[0])
		}
		out = append(out, corosync.Setting{Name: text[0], Value: text[1]})
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes follow", errSettings, len(b))
	}
	return out, nil
}
