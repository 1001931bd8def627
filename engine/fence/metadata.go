package fence

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Metadata is what an agent reports about itself: the XML document of the action "metadata" that the fence
// agent interface (FenceAgentAPI.md of the fence-agents project) defines.
type Metadata struct {
	// Agent is the name under which the agent was called.
	Agent string
	// Actions are the names of its actions, sorted.
	Actions []string
	// AutomaticOn is set if the agent wants to be called with "on" when a node joins. Agents that cut a node
	// off from a network or from its disks do, because a node cannot open its own way back.
	AutomaticOn bool
	// Parameters are what the agent takes, in its order.
	Parameters []Parameter
}

// Parameter is one parameter of an agent.
type Parameter struct {
	// Name is its name on standard input, Long and Letter its options on a command line; "" without one.
	Name, Long, Letter string
	// Kind is string, boolean, integer, second or select.
	Kind string
	// Default is the value that the agent uses; "" without one.
	Default string
	// Choices are the values of a select.
	Choices []string
	// Deprecated marks an older name of another parameter.
	Deprecated bool
}

// Limits of an agent's metadata.
const (
	maxParameters   = 500
	metadataTimeout = 20 * time.Second
)

// ErrMetadata means that an agent does not describe itself as fence agents do.
var ErrMetadata = errors.New("no metadata of a fence agent")

// mixedOptions matches the options of a parameter, as in "-a, --ip=[ip]".
var mixedOptions = regexp.MustCompile(`^(?:-(\w)\b,?\s*)?(?:--([\w.-]+))?`)

// metadataDocument is the part of the document that is used.
type metadataDocument struct {
	XMLName    xml.Name `xml:"resource-agent"`
	Name       string   `xml:"name,attr"`
	Parameters []struct {
		Name       string `xml:"name,attr"`
		Deprecated string `xml:"deprecated,attr"`
		Getopt     struct {
			Mixed string `xml:"mixed,attr"`
		} `xml:"getopt"`
		Content struct {
			Type    string `xml:"type,attr"`
			Default string `xml:"default,attr"`
			Options []struct {
				Value string `xml:"value,attr"`
			} `xml:"option"`
		} `xml:"content"`
	} `xml:"parameters>parameter"`
	Actions []struct {
		Name      string `xml:"name,attr"`
		Automatic string `xml:"automatic,attr"`
	} `xml:"actions>action"`
}

// MetadataCommand is the call that makes an agent report its metadata.
func MetadataCommand(agent string) env.Command {
	return env.Command{Args: []string{agent, "-o", "metadata"}, Limit: metadataTimeout}
}

// ReadMetadata returns the metadata that a call of [MetadataCommand] has printed, whatever else the agent
// has printed, such as warnings of its interpreter. It fails with ErrMetadata.
func ReadMetadata(r env.CommandResult) (*Metadata, error) {
	switch {
	case r.Err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMetadata, r.Err)
	case r.Code != exitCodeDone:
		return nil, fmt.Errorf("%w: exit code %d%s", ErrMetadata, r.Code, quoteReason(r.Output))
	}
	start := bytes.Index(r.Output, []byte("<resource-agent"))
	end := bytes.LastIndex(r.Output, []byte("</resource-agent>"))
	if start < 0 || end < start {
		return nil, fmt.Errorf("%w: it has printed no resource-agent element", ErrMetadata)
	}
	var doc metadataDocument
	if err := xml.Unmarshal(r.Output[start:end+len("</resource-agent>")], &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	if len(doc.Parameters) > maxParameters || len(doc.Actions) > maxParameters {
		return nil, fmt.Errorf("%w: more than %d parameters or actions", ErrMetadata, maxParameters)
	}
	return doc.metadata(), nil
}

func (d *metadataDocument) metadata() *Metadata {
	m := &Metadata{Agent: d.Name}
	for _, a := range d.Actions {
		m.Actions = append(m.Actions, a.Name)
		m.AutomaticOn = m.AutomaticOn || a.Name == string(opOn) && isTrue(a.Automatic)
	}
	slices.Sort(m.Actions)
	m.Actions = slices.Compact(m.Actions)
	for i := range d.Parameters {
		p := &d.Parameters[i]
		options := mixedOptions.FindStringSubmatch(strings.TrimSpace(p.Getopt.Mixed))
		out := Parameter{Name: p.Name, Letter: options[1], Long: options[2], Kind: p.Content.Type,
			Default: p.Content.Default, Deprecated: isTrue(p.Deprecated)}
		for _, o := range p.Content.Options {
			out.Choices = append(out.Choices, o.Value)
		}
		m.Parameters = append(m.Parameters, out)
	}
	return m
}

// has reports whether the agent knows an action.
func (m *Metadata) has(op operation) bool { return slices.Contains(m.Actions, string(op)) }

// Takes reports whether the agent has a parameter that a key of fence.cfg means.
func (m *Metadata) Takes(key string) bool { return m.parameter(key) != nil }

// parameter finds the parameter that a key of fence.cfg means: a letter, or a name in either spelling. Of
// several names it prefers the present one to deprecated ones.
func (m *Metadata) parameter(key string) *Parameter {
	var found *Parameter
	for i := range m.Parameters {
		p := &m.Parameters[i]
		if len(key) == 1 && p.Letter != key || len(key) != 1 && !p.isNamed(key) {
			continue
		}
		if !p.Deprecated {
			return p
		}
		if found == nil {
			found = p
		}
	}
	if found == nil || found.Long == "" {
		return found
	}
	for i := range m.Parameters {
		if p := &m.Parameters[i]; p.Long == found.Long && !p.Deprecated {
			return p
		}
	}
	return found
}

func (p *Parameter) isNamed(key string) bool {
	key = underscored(key)
	return underscored(p.Name) == key || p.Long != "" && underscored(p.Long) == key
}

// underscored returns a name in the spelling of standard input.
func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// Words of booleans, as the agents' common library reads them.
var (
	trueWords  = []string{"1", "yes", "on", "true"}
	falseWords = []string{"0", "no", "off", "false"}
)

func isTrue(word string) bool { return slices.Contains(trueWords, strings.ToLower(word)) }

func isFalse(word string) bool { return slices.Contains(falseWords, strings.ToLower(word)) }
