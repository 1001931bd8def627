// Package salvage reads what can be read of damaged files of the cluster, and describes the rest with its
// remedy.
//
// Package salvage never changes a file, and never guesses what a damaged part was meant to be.
package salvage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// Damage is what could not be read in one file of the cluster.
type Damage struct {
	Path     string
	Problems []config.Problem // on line 0: of the whole file
}

// Bounds of a warning about one file.
const (
	maxNamedProblems = 5
	maxProblemRunes  = 160
)

// String returns the problems and the remedy, in one line.
func (d Damage) String() string {
	var named []string
	for _, p := range d.Problems[:min(len(d.Problems), maxNamedProblems)] {
		text := p.String()
		if p.Line == 0 {
			text = p.Text
		}
		named = append(named, Printable(text))
	}
	if more := len(d.Problems) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s: %s; `ha-manager file show %s` prints the file, "+
		"`ha-manager file replace %s FILE` corrects it", d.Path, strings.Join(named, "; "), d.Path, d.Path)
}

// Printable bounds a text and replaces its control characters: a damaged file may hold anything.
func Printable(text string) string {
	runes := []rune(strings.ToValidUTF8(text, "?"))
	if len(runes) > maxProblemRunes {
		runes = append(runes[:maxProblemRunes], '…')
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, string(runes))
}

// Report collects what could not be read.
type Report []Damage

// Add adds the problems of a file, and its error if it could not be read at all.
func (r *Report) Add(path string, problems []config.Problem, err error) {
	if err != nil {
		problems = append([]config.Problem{{Text: err.Error()}}, problems...)
	}
	if len(problems) > 0 {
		*r = append(*r, Damage{Path: path, Problems: problems})
	}
}

// Of returns the damage of a file, nil when all of it was read.
func (r Report) Of(path string) error {
	for _, d := range r {
		if d.Path == path {
			return errors.New(d.String())
		}
	}
	return nil
}

// Warn writes one line for each damaged file.
func (r Report) Warn(w io.Writer) {
	for _, d := range r {
		fmt.Fprintln(w, "warning:", d)
	}
}

// ManagerStatus returns what of a manager status can be read.
func ManagerStatus(text string) (*ha.ManagerStatus, []config.Problem) {
	status, err := ha.DecodeManagerStatus([]byte(text))
	if err == nil {
		return status, nil
	}
	deep := []string{"node_status", "service_status", "node_request", "fencing"}
	kept, problems := salvageObject(text, deep,
		func(data []byte) error {
			_, err := ha.DecodeManagerStatus(data)
			return err
		})
	if status, err = ha.DecodeManagerStatus(kept); err != nil {
		return ha.NewManagerStatus(), append(problems, config.Problem{Text: err.Error()})
	}
	return status, problems
}

// LRMStatus returns what of an LRM's status can be read.
func LRMStatus(text string) (*ha.LRMStatus, []config.Problem) {
	status, err := ha.DecodeLRMStatus([]byte(text))
	if err == nil {
		return status, nil
	}
	kept, problems := salvageObject(text, []string{"results", "begun"}, func(data []byte) error {
		_, err := ha.DecodeLRMStatus(data)
		return err
	})
	if status, err = ha.DecodeLRMStatus(kept); err != nil {
		return &ha.LRMStatus{}, append(problems, config.Problem{Text: err.Error()})
	}
	return status, problems
}

// salvageObject returns the part of a JSON object that is accepted, and a problem for each key that is
// not. The values of the keys in deep are objects of which single entries can be accepted.
func salvageObject(text string, deep []string, accept func([]byte) error) ([]byte, []config.Problem) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		return nil, []config.Problem{{Line: lineOfError(text, err), Text: err.Error()}}
	}
	var problems []config.Problem
	refuse := func(name string, err error) {
		line := 1 + strings.Count(text[:max(strings.Index(text, quote(name)), 0)], "\n")
		problems = append(problems, config.Problem{Line: line, Text: fmt.Sprintf("%q: %v", name, err)})
	}
	kept := map[string]json.RawMessage{}
	for _, key := range slices.Sorted(maps.Keys(whole)) {
		var entries map[string]json.RawMessage
		if !slices.Contains(deep, key) || json.Unmarshal(whole[key], &entries) != nil {
			if err := accept(object(key, whole[key])); err != nil {
				refuse(key, err)
				continue
			}
			kept[key] = whole[key]
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if err := accept(object(key, object(name, entries[name]))); err != nil {
				refuse(name, err)
				delete(entries, name)
			}
		}
		kept[key], _ = json.Marshal(entries) // of parts that were read from JSON
	}
	out, _ := json.Marshal(kept)
	return out, problems
}

// object returns a JSON object with one key.
func object(key string, value json.RawMessage) []byte {
	out, _ := json.Marshal(map[string]json.RawMessage{key: value}) // the value was read from JSON
	return out
}

func quote(text string) string {
	out, _ := json.Marshal(text) // of a string this cannot fail
	return string(out)
}

// lineOfError returns the line at which JSON could not be read, from 1.
func lineOfError(text string, err error) int {
	offset := int64(0)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return 1 + strings.Count(text[:min(offset, int64(len(text)))], "\n")
}
