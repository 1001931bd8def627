package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// ParseDatacenter reads the lines of datacenter.cfg that concern HA:
//
//	crs: ha=static,ha-rebalance-on-start=1
//	ha: shutdown_policy=migrate,decisions=strict
//	fencing: watchdog
//	max_workers: 4
//
// Threshold and margin are in percent in the file (30 means 0.3); values up to 1 are fractions. Unknown
// keys and lines are ignored. An empty crs entry counts as absent.
func ParseDatacenter(text string) (ha.Datacenter, error) {
	dc := ha.DefaultDatacenter()
	if len(text) > maxFileBytes {
		return dc, fmt.Errorf("read datacenter settings: %d bytes: %w", len(text), ErrTooLarge)
	}
	for i, line := range strings.Split(text, "\n") {
		key, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found || strings.HasPrefix(key, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "crs", "ha":
			err = setDatacenterList(&dc, key, value)
		case "fencing":
			dc.Fencing = ha.FencingMode(value)
		case "max_workers":
			if err = setInt(&dc.MaxWorkers, value); err != nil {
				err = fmt.Errorf("max_workers: %w", err)
			}
		}
		if err != nil {
			return dc, fmt.Errorf("read datacenter settings, line %d: %w", i+1, err)
		}
	}
	return dc, nil
}

// DatacenterProblems returns the settings of HA in datacenter.cfg that mean nothing, because they cannot be
// read or are none of the values that exist.
func DatacenterProblems(text string) []Problem {
	var problems []Problem
	for i, line := range strings.Split(text, "\n") {
		dc, err := ParseDatacenter(line)
		if err != nil {
			problems = append(problems, Problem{Line: i + 1, Text: errors.Unwrap(err).Error()})
			continue
		}
		for _, s := range []struct {
			name, value string
			known       []string
		}{
			{"shutdown_policy", string(dc.ShutdownPolicy), wordsOf(ha.PolicyConditional, ha.PolicyFreeze,
				ha.PolicyFailover, ha.PolicyMigrate)},
			{"decisions", string(dc.Decisions), wordsOf(ha.DecisionsStrict, ha.DecisionsUpstream)},
			{"fencing", string(dc.Fencing), wordsOf(ha.FencingModes()...)},
			{"crs: ha", string(dc.CRS.Mode), wordsOf(ha.SchedBasic, ha.SchedStatic, ha.SchedDynamic)},
			{"ha-auto-rebalance-method", string(dc.CRS.Method), wordsOf(ha.RebalanceBruteforce,
				ha.RebalanceTopsis)},
		} {
			if s.value != "" && !slices.Contains(s.known, s.value) {
				problems = append(problems, Problem{Line: i + 1, Text: fmt.Sprintf("%s: %q is none of %s",
					s.name, s.value, strings.Join(s.known, ", "))})
			}
		}
	}
	return problems
}

func wordsOf[T ~string](values ...T) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}

// setDatacenterList reads "name=setting,…".
func setDatacenterList(dc *ha.Datacenter, key, value string) error {
	for _, entry := range strings.Split(value, ",") {
		name, setting, found := strings.Cut(strings.TrimSpace(entry), "=")
		if name == "" {
			continue
		}
		if !found && key == "crs" { // the first key may be left out
			name, setting = "ha", name
		}
		if err := setDatacenter(dc, key, name, setting); err != nil {
			return err
		}
	}
	return nil
}

// ParseDatacenterJSON reads the same settings from {"crs": {…}, "ha": {…}}. The inner objects can also
// be lists as in the text file. An empty or null value counts as absent.
func ParseDatacenterJSON(data []byte) (ha.Datacenter, error) {
	dc := ha.DefaultDatacenter()
	if strings.TrimSpace(string(data)) == "" {
		return dc, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return dc, fmt.Errorf("read datacenter settings: %w", err)
	}
	for _, key := range []string{"crs", "ha"} {
		if len(raw[key]) == 0 {
			continue
		}
		var list looseText
		if err := json.Unmarshal(raw[key], &list); err == nil {
			if err := setDatacenterList(&dc, key, string(list)); err != nil {
				return dc, fmt.Errorf("read datacenter settings, %s: %w", key, err)
			}
			continue
		}
		var settings map[string]looseText
		if err := json.Unmarshal(raw[key], &settings); err != nil {
			return dc, fmt.Errorf("read datacenter settings, %s: %w", key, err)
		}
		for _, name := range sortedKeys(settings) {
			if settings[name] == "" {
				continue
			}
			if err := setDatacenter(&dc, key, name, string(settings[name])); err != nil {
				return dc, fmt.Errorf("read datacenter settings, %s: %w", key, err)
			}
		}
	}
	return dc, nil
}

func setDatacenter(dc *ha.Datacenter, key, name, value string) (err error) {
	if key == "ha" {
		switch {
		case value == "":
		case name == "shutdown_policy":
			dc.ShutdownPolicy = ha.ShutdownPolicy(value)
		case name == "decisions":
			dc.Decisions = ha.Decisions(value)
		}
		return nil
	}
	switch name {
	case "ha":
		if value != "" {
			dc.CRS.Mode = ha.SchedMode(value)
		}
	case "ha-rebalance-on-start":
		err = setBool(&dc.CRS.RebalanceOnStart, value)
	case "ha-auto-rebalance":
		err = setBool(&dc.CRS.AutoRebalance, value)
	case "ha-auto-rebalance-method":
		dc.CRS.Method = ha.RebalanceMethod(value)
	case "ha-auto-rebalance-hold-duration":
		err = setInt(&dc.CRS.HoldRounds, value)
	case "ha-auto-rebalance-threshold":
		err = setFraction(&dc.CRS.Threshold, value)
	case "ha-auto-rebalance-margin":
		err = setFraction(&dc.CRS.Margin, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func setBool(out *bool, value string) error {
	flag, err := parseFlag(value)
	if err != nil {
		return err
	}
	*out = flag.On()
	return nil
}

func setInt(out *int, value string) error {
	number, err := strconv.Atoi(value)
	if err != nil || number < 0 {
		return fmt.Errorf("%q is not a number from 0", value)
	}
	*out = number
	return nil
}

func setFraction(out *float64, value string) error {
	number, err := strconv.ParseFloat(value, 64)
	if err != nil || !(number >= 0 && number <= 100) {
		return fmt.Errorf("%q is neither a fraction nor a percentage", value)
	}
	if number > 1 {
		number /= 100
	}
	*out = number
	return nil
}
