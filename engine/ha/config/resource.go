package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// maxPolicyTries bounds max_restart and max_relocate, so that a typing error does not cause endless
// retries.
const maxPolicyTries = 1000

// ParseResources reads ha/resources.cfg. It leaves Node empty: the file does not contain the node of a
// service, which is where the guest's own configuration is. Of sections about the same service the last is in
// force.
func ParseResources(text string) (map[string]*ha.ServiceConfig, []Problem, error) {
	sections, problems, err := ParseSections(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read resources: %w", err)
	}
	services := map[string]*ha.ServiceConfig{}
	for _, section := range sections {
		sid := section.Kind + ":" + section.ID
		kind, _, err := ha.SplitSID(sid)
		if err != nil {
			problems = append(problems, Problem{section.Line, err.Error()})
			continue
		}
		if services[sid] != nil {
			problems = append(problems, Problem{section.Line, "duplicate resource " + sid + replaces})
		}
		service := DefaultService(kind)
		service.State = ha.WantStarted // the file's default differs from an absent value elsewhere
		for _, kv := range section.Keys {
			if err := SetServiceProperty(service, kv.Key, kv.Value); err != nil {
				problems = append(problems,
					Problem{kv.Line, fmt.Sprintf("resource %s, property %s: %v", sid, kv.Key, err)})
			}
		}
		services[sid] = service
	}
	return services, problems, nil
}

// DefaultService returns a service configuration with every default.
func DefaultService(kind string) *ha.ServiceConfig {
	return &ha.ServiceConfig{
		Type: kind, State: ha.WantDisabled, Failback: true,
		MaxRestart: ha.DefaultMaxRestart, MaxRelocate: ha.DefaultMaxRelocate,
	}
}

// NormalState reads a requested state; enabled is the old name of started.
func NormalState(text string) (ha.RequestedState, error) {
	switch state := ha.RequestedState(text); state {
	case "enabled", ha.WantStarted:
		return ha.WantStarted, nil
	case ha.WantStopped, ha.WantDisabled, ha.WantIgnored:
		return state, nil
	}
	return "", fmt.Errorf("requested state %q is none of started, stopped, disabled, ignored", text)
}

// SetServiceProperty sets one property of a service by its name in the file.
func SetServiceProperty(service *ha.ServiceConfig, key, value string) (err error) {
	switch key {
	case "state":
		var state ha.RequestedState
		if state, err = NormalState(value); err == nil {
			service.State = state
		}
	case "group":
		service.Group = value
	case "comment":
		service.Comment = value
	case "failback":
		var flag Flag
		if flag, err = parseFlag(value); err == nil {
			service.Failback = flag.On()
		}
	case "max_restart", "max_relocate":
		tries, convErr := strconv.Atoi(value)
		if convErr != nil || tries < 0 || tries > maxPolicyTries {
			return fmt.Errorf("%q is not a number from 0 to %d", value, maxPolicyTries)
		}
		if key == "max_restart" {
			service.MaxRestart = tries
		} else {
			service.MaxRelocate = tries
		}
	default:
		return ErrProperty
	}
	return err
}

// FormatResources writes ha/resources.cfg sorted by sid.
func FormatResources(services map[string]*ha.ServiceConfig) string {
	var sections []Section
	for _, sid := range sortedKeys(services) {
		kind, name, err := ha.SplitSID(sid)
		if err != nil {
			continue // cannot have been configured
		}
		service := services[sid]
		section := Section{Kind: kind, ID: name}
		add := func(key, value string) {
			section.Keys = append(section.Keys, KeyValue{Key: key, Value: value})
		}
		if service.Comment != "" {
			add("comment", service.Comment)
		}
		if !service.Failback {
			add("failback", "0")
		}
		if service.Group != "" {
			add("group", service.Group)
		}
		if service.MaxRelocate != ha.DefaultMaxRelocate {
			add("max_relocate", strconv.Itoa(service.MaxRelocate))
		}
		if service.MaxRestart != ha.DefaultMaxRestart {
			add("max_restart", strconv.Itoa(service.MaxRestart))
		}
		add("state", string(service.State))
		sections = append(sections, section)
	}
	return FormatSections(sections)
}

// looseText is a JSON string, number or boolean as text.
type looseText string

// UnmarshalJSON accepts any scalar.
func (t *looseText) UnmarshalJSON(data []byte) error {
	text := string(data)
	switch {
	case strings.HasPrefix(text, `"`):
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return fmt.Errorf("parse string: %w", err)
		}
		text = s
	case text == "null":
		text = ""
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return fmt.Errorf("parse scalar: %.20s is not a string, number or boolean", text)
	}
	*t = looseText(text)
	return nil
}

// ErrProperty means that a service has no property of this name.
var ErrProperty = errors.New("unknown property")

// ParseServiceJSON reads services in the form {sid: {node, state, …}}. An absent state means disabled.
// Unknown properties are ignored.
func ParseServiceJSON(data []byte) (map[string]*ha.ServiceConfig, error) {
	services := map[string]*ha.ServiceConfig{}
	if strings.TrimSpace(string(data)) == "" {
		return services, nil
	}
	var raw map[string]map[string]looseText
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	for _, sid := range sortedKeys(raw) {
		kind, _, err := ha.SplitSID(sid)
		if err != nil {
			return nil, fmt.Errorf("read services: %w", err)
		}
		service := DefaultService(kind)
		properties := raw[sid]
		for _, key := range sortedKeys(properties) {
			value := string(properties[key])
			if key == "node" {
				service.Node = value
				continue
			}
			if key == "type" || key == "lock" {
				continue
			}
			if value == "" {
				continue
			}
			if err := SetServiceProperty(service, key, value); err != nil && !errors.Is(err, ErrProperty) {
				return nil, fmt.Errorf("read service %s, property %s: %w", sid, key, err)
			}
		}
		if service.Node == "" {
			return nil, fmt.Errorf("read service %s: it has no node", sid)
		}
		services[sid] = service
	}
	return services, nil
}

func sortByOrder(ids []string, order func(string) int) {
	sort.SliceStable(ids, func(i, j int) bool { return order(ids[i]) < order(ids[j]) })
}
