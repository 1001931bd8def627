// Package fenceagents describes the fence agents that the simulator has: what each prints as its metadata,
// and to which kind of device it belongs. The kinds are those of the agents in the fence-agents project.
//
// Package fenceagents never carries out a call; fencesim does.
package fenceagents

import (
	"encoding/xml"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Kind is a kind of device.
type Kind string

const (
	// Power switches the power of a machine: power switches, management boards, hypervisors.
	Power Kind = "power"
	// Fabric cuts a machine off from a network or its disks; what runs on it goes on running.
	Fabric Kind = "fabric"
	// Cycling switches power, but resets by a method that reports success before the power is off, unless
	// method=onoff is given.
	Cycling Kind = "cycling"
	// Blind cannot report whether a machine is off.
	Blind Kind = "blind"
	// Manual asks a person, and does not describe itself.
	Manual Kind = "manual"
)

// kinds holds the agents of fence-agents 4.12 that are not of the kind Power, by their metadata.
var kinds = map[string]Kind{
	"fence_brocade": Fabric, "fence_cisco_mds": Fabric, "fence_compute": Fabric, "fence_ifmib": Fabric,
	"fence_mpath": Fabric, "fence_sanbox2": Fabric, "fence_scsi": Fabric,
	"fence_gce": Cycling, "fence_sbd": Cycling,
	"fence_ack_manual":      Manual,
	"fence_heuristics_ping": Blind, "fence_kdump": Blind, "fence_ovh": Blind, "fence_rcd_serial": Blind,
}

// KindOf returns the kind of an agent; Power for one that is not known.
func KindOf(agent string) Kind {
	if kind, known := kinds[path.Base(agent)]; known {
		return kind
	}
	return Power
}

// NotPower returns the agents that are not of the kind Power, sorted.
func NotPower() []string {
	var out []string
	for agent := range kinds {
		out = append(out, agent)
	}
	slices.Sort(out)
	return out
}

// option is a parameter that every simulated agent has.
type option struct{ name, mixed, kind, fallback string }

// options are what the agents' common library offers and scenarios use.
var options = []option{
	{"action", "-o, --action=[action]", "string", "reboot"},
	{"ip", "-a, --ip=[ip]", "string", ""},
	{"ipaddr", "-a, --ip=[ip]", "string", ""},
	{"ipport", "-u, --ipport=[port]", "integer", ""},
	{"username", "-l, --username=[name]", "string", ""},
	{"login", "-l, --username=[name]", "string", ""},
	{"password", "-p, --password=[password]", "string", ""},
	{"passwd", "-p, --password=[password]", "string", ""},
	{"password_script", "-S, --password-script=[script]", "string", ""},
	{"plug", "-n, --plug=[id]", "string", ""},
	{"port", "-n, --plug=[id]", "string", ""},
	{"lanplus", "-P, --lanplus", "boolean", ""},
	{"ssh", "-x, --ssh", "boolean", ""},
	{"method", "-m, --method=[method]", "select", "onoff"},
	{"missing_as_off", "--missing-as-off", "boolean", ""},
}

// deprecated are older names of options.
var deprecated = []string{"ipaddr", "login", "passwd", "port"}

// PrintMetadata returns what an agent of a kind prints as its metadata. It takes the options of the common
// library, and the given ones that the scenario uses.
func PrintMetadata(agent string, kind Kind, used []string) []byte {
	if kind == Manual {
		return []byte("usage: " + agent + " <nodename>\n")
	}
	doc := document{Name: path.Base(agent), ShortDesc: "simulated"}
	known := &fence.Metadata{}
	for _, o := range options {
		p := parameter{Name: o.name, Getopt: getopt{o.mixed},
			Content: content{Type: o.kind, Default: o.fallback}}
		if slices.Contains(deprecated, o.name) {
			p.Deprecated = "1"
		}
		if o.name == "method" {
			p.Content.Options = []value{{"onoff"}, {"cycle"}}
			if kind == Cycling {
				p.Content.Default = "cycle"
			}
		}
		doc.Parameters = append(doc.Parameters, p)
		known.Parameters = append(known.Parameters, fence.Parameter{Name: o.name})
	}
	for _, key := range used {
		if len(key) > 1 && !known.Takes(key) {
			doc.Parameters = append(doc.Parameters, parameter{Name: key,
				Getopt: getopt{"--" + key + "=[value]"}, Content: content{Type: "string"}})
			known.Parameters = append(known.Parameters, fence.Parameter{Name: key})
		}
	}
	automatic := "0"
	actions := []string{"off", "status", "monitor", "reboot"}
	switch kind {
	case Fabric:
		automatic, actions = "1", []string{"off", "status", "monitor"}
	case Blind:
		actions = []string{"off", "monitor", "reboot"}
	}
	doc.Actions = []action{{Name: "on", Automatic: automatic}}
	for _, name := range actions {
		doc.Actions = append(doc.Actions, action{Name: name})
	}
	text, err := xml.MarshalIndent(&doc, "", "\t")
	if err != nil {
		panic("fenceagents: writing metadata: " + err.Error()) // strings only
	}
	return append(text, '\n')
}

// Of returns the metadata of each agent of a fence file that describes itself, by agent.
func Of(cfg *config.FenceConfig) map[string]*fence.Metadata {
	out := map[string]*fence.Metadata{}
	for _, device := range cfg.Devices {
		for _, part := range device.Parts {
			if KindOf(part.Agent) == Manual {
				continue
			}
			text := PrintMetadata(part.Agent, KindOf(part.Agent), Used(cfg, part.Agent))
			m, err := fence.ReadMetadata(env.CommandResult{Output: text})
			if err != nil {
				panic(fmt.Sprintf("fenceagents: metadata of %s: %v", part.Agent, err))
			}
			out[part.Agent] = m
		}
	}
	return out
}

// Verified returns what `ha-manager fence set` would store for a fence file.
func Verified(cfg *config.FenceConfig) fence.AgentFingerprints {
	v := fence.AgentFingerprints{}
	for agent, m := range Of(cfg) {
		v[agent] = m.Fingerprint()
	}
	return v
}

// Used returns the keys that a file gives to an agent, sorted.
func Used(cfg *config.FenceConfig, agent string) (keys []string) {
	for _, device := range cfg.Devices {
		for _, part := range device.Parts {
			if part.Agent != agent {
				continue
			}
			lists := [][]config.FenceArg{part.Args}
			for _, args := range part.Nodes {
				lists = append(lists, args)
			}
			for _, list := range lists {
				for _, a := range list {
					if !strings.HasPrefix(a.Key, ownPrefix) {
						keys = append(keys, a.Key)
					}
				}
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ownPrefix begins the keys that are not for the agent.
const ownPrefix = "holdfast_"

// document is the XML of an agent's metadata.
type document struct {
	XMLName    xml.Name    `xml:"resource-agent"`
	Name       string      `xml:"name,attr"`
	ShortDesc  string      `xml:"shortdesc,attr"`
	Parameters []parameter `xml:"parameters>parameter"`
	Actions    []action    `xml:"actions>action"`
}

type parameter struct {
	Name       string  `xml:"name,attr"`
	Deprecated string  `xml:"deprecated,attr,omitempty"`
	Getopt     getopt  `xml:"getopt"`
	Content    content `xml:"content"`
}

type getopt struct {
	Mixed string `xml:"mixed,attr"`
}

type content struct {
	Type    string  `xml:"type,attr"`
	Default string  `xml:"default,attr,omitempty"`
	Options []value `xml:"option"`
}

type value struct {
	Value string `xml:"value,attr"`
}

type action struct {
	Name      string `xml:"name,attr"`
	Automatic string `xml:"automatic,attr,omitempty"`
}
