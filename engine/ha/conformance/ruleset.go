package conformance

import (
	"context"
	"crypto/sha1" //nolint:gosec // the digest is part of the format, it protects nothing
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/rules"
)

// ruleNodes are the nodes of the cluster that rule files are normalised for.
var ruleNodes = []string{"node1", "node2", "node3"}

// RuleResult is the judgement of one rule file.
type RuleResult struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Diff   string `json:"diff,omitempty"`
	Error  string `json:"error,omitempty"`
}

// RuleReport is the judgement of all rule files.
type RuleReport struct {
	Results []RuleResult `json:"results"`
	Total   int          `json:"total"`
	Count   int          `json:"passed"`
}

// Passed reports whether every file passed.
func (r *RuleReport) Passed() bool { return r.Total > 0 && r.Count == r.Total }

// WriteText writes the report for people: differences first, the sum last.
func (r *RuleReport) WriteText(out io.Writer) error {
	for _, result := range r.Results {
		if result.Passed {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s: FAIL %s\n%s", result.Name, result.Error, result.Diff); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "rules %d/%d\n", r.Count, r.Total)
	return err
}

const expectSuffix = ".expect"

// RunRules judges all rule files NAME.cfg with NAME.cfg.expect in dirs; a name of a file judges
// that file.
func RunRules(ctx context.Context, dirs []string) (*RuleReport, error) {
	var files []string
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			files = append(files, dir)
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("search rule files in %s: %w", dir, err)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".cfg") {
				files = append(files, filepath.Join(dir, entry.Name()))
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("search rule files in %v: %w", dirs, ErrNothing)
	}
	sort.Strings(files)
	report := &RuleReport{}
	for _, file := range files {
		if err := ctx.Err(); err != nil {
			return report, fmt.Errorf("judge rule file %s: %w", file, err)
		}
		result := JudgeRules(os.DirFS(filepath.Dir(file)), filepath.Base(file))
		report.Results = append(report.Results, result)
		report.Total++
		if result.Passed {
			report.Count++
		}
	}
	return report, nil
}

// JudgeRules judges the rule file name of fsys by the file name.expect beside it.
func JudgeRules(fsys fs.FS, name string) RuleResult {
	result := RuleResult{Name: name}
	text, err := readBounded(fsys, name)
	if err == nil {
		var want []byte
		if want, err = readBounded(fsys, name+expectSuffix); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s%s is missing: %w", name, expectSuffix, ErrScenario)
		} else if err == nil {
			var got string
			if got, err = DescribeRules(string(text), ruleNodes); err == nil {
				result.Diff = UnifiedDiff(name+expectSuffix, "got", string(want), got)
				result.Passed = result.Diff == ""
			}
		}
	}
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

// DescribeRules normalises a rule file for these nodes, as Proxmox VE's manager does, and writes messages,
// normalised rules and tables.
func DescribeRules(text string, nodes []string) (string, error) {
	parsed, _, err := config.ParseRules(text) // problems of the syntax are not part of the expected files
	if err != nil {
		return "", err
	}
	set, dropped := rules.NormalizeUpstream(rules.Set(parsed), nodes)
	compiled := rules.Compile(set, nodes)
	var out strings.Builder
	out.WriteString("--- Log ---\n")
	for _, problem := range dropped {
		out.WriteString(problem.Message() + "\n")
	}
	digest := sha1.Sum([]byte(text)) //nolint:gosec // see the import
	for id, rule := range set {
		if written := parsed[id]; written != nil {
			rule.Disable = written.Disable
		}
	}
	out.WriteString("--- Config ---\n")
	writeJSON(&out, describeSet(set, hex.EncodeToString(digest[:])), 0)
	out.WriteString("\n--- Compiled Config ---\n")
	writeJSON(&out, describeTables(compiled), 0)
	out.WriteString("\n")
	return out.String(), nil
}

// jsonObject is a JSON object whose keys are written in order.
type jsonObject map[string]any

func describeSet(set rules.Set, digest string) jsonObject {
	ids, order := jsonObject{}, jsonObject{}
	for id, rule := range set {
		entry := jsonObject{"type": rule.Kind, "resources": memberSet(rule.Resources)}
		if rule.Kind == config.NodeAffinity {
			entry["nodes"] = priorityGroups(rule.Nodes)
		}
		if rule.Affinity != "" {
			entry["affinity"] = rule.Affinity
		}
		if rule.Comment != "" {
			entry["comment"] = rule.Comment
		}
		for key, flag := range map[string]config.Flag{"strict": rule.Strict, "disable": rule.Disable} {
			if flag != config.FlagUnset {
				entry[key] = boolNumber(flag.On())
			}
		}
		ids[id] = entry
		order[id] = rule.Order
	}
	return jsonObject{"digest": digest, "ids": ids, "order": order}
}

func describeTables(compiled *rules.Compiled) jsonObject {
	nodes, together, apart := jsonObject{}, jsonObject{}, jsonObject{}
	for sid, table := range compiled.Nodes {
		nodes[sid] = jsonObject{"nodes": priorityGroups(table)}
	}
	for sid, others := range compiled.Together {
		together[sid] = memberSet(others)
	}
	for sid, others := range compiled.Apart {
		apart[sid] = memberSet(others)
	}
	return jsonObject{
		"node-affinity":     nodes,
		"resource-affinity": jsonObject{"positive": together, "negative": apart},
	}
}

func memberSet(sids []string) jsonObject {
	out := jsonObject{}
	for _, sid := range sids {
		out[sid] = 1
	}
	return out
}

func priorityGroups(nodes map[string]int) jsonObject {
	out := jsonObject{}
	for node, priority := range nodes {
		out[node] = jsonObject{"priority": priority}
	}
	return out
}

func boolNumber(on bool) int {
	if on {
		return 1
	}
	return 0
}

// quoteJSON writes a JSON string without escapes that JSON does not need.
func quoteJSON(s string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return strconv.Quote(s) // not possible for a string
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// writeJSON writes a value the way the expected files have it: three blanks per level, blanks
// around colons.
func writeJSON(out *strings.Builder, value any, depth int) {
	switch v := value.(type) {
	case jsonObject:
		if len(v) == 0 {
			out.WriteString("{}")
			return
		}
		indent := strings.Repeat("   ", depth+1)
		out.WriteString("{\n")
		for i, key := range sortedKeys(v) {
			if i > 0 {
				out.WriteString(",\n")
			}
			out.WriteString(indent + quoteJSON(key) + " : ")
			writeJSON(out, v[key], depth+1)
		}
		out.WriteString("\n" + strings.Repeat("   ", depth) + "}")
	case string:
		out.WriteString(quoteJSON(v))
	case int:
		out.WriteString(strconv.Itoa(v))
	default:
		panic(fmt.Sprintf("conformance: no form for a %T", value))
	}
}
