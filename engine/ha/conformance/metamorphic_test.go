package conformance

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Relations between runs: a scenario is changed in a way whose effect on the log is known without
// knowing the log. They find what a recorded log cannot: decisions that depend on a name, on a point in
// time, on the order of a file or on something unrelated.

// metamorphicFolders are this project's scenarios and, where available, the recorded ones.
func metamorphicFolders(t *testing.T) []string {
	t.Helper()
	dirs := []string{ownScenarios}
	for _, root := range corpusRoots(t) {
		if path := filepath.Join(root, "pve-ha-manager"); exists(path) {
			dirs = append(dirs, path)
			break
		}
	}
	folders, err := FindScenarios(dirs)
	require.NoError(t, err)
	return folders
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// variant is a scenario folder in memory that a test may change.
type variant struct {
	t     *testing.T
	name  string
	files map[string]string
}

func openVariant(t *testing.T, folder string) *variant {
	t.Helper()
	v := &variant{t: t, name: filepath.Base(folder), files: map[string]string{}}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.Name() == "README" || entry.Name() == "log.expect" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
		v.files[entry.Name()] = string(data)
	}
	return v
}

// load reads the folder, with strict decisions, with which no service runs twice.
func (v *variant) load() *Scenario {
	v.t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range v.files {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: fs.ModePerm}
	}
	s, err := Load(fsys, ".", v.name)
	require.NoError(v.t, err)
	s.Datacenter.Decisions = ha.DecisionsStrict
	return s
}

func (v *variant) run() []Line {
	v.t.Helper()
	run, err := Replay(context.Background(), v.load())
	require.NoError(v.t, err)
	require.Empty(v.t, run.Double)
	return run.Log
}

func (v *variant) groups() (groups [][]string) {
	v.t.Helper()
	require.NoError(v.t, json.Unmarshal([]byte(v.files["cmdlist"]), &groups))
	return groups
}

func (v *variant) setGroups(groups [][]string) { v.set("cmdlist", groups) }

func (v *variant) object(file string) map[string]any {
	v.t.Helper()
	out := map[string]any{}
	if strings.TrimSpace(v.files[file]) != "" {
		require.NoError(v.t, json.Unmarshal([]byte(v.files[file]), &out))
	}
	return out
}

func (v *variant) set(file string, value any) {
	v.t.Helper()
	data, err := json.Marshal(value)
	require.NoError(v.t, err)
	v.files[file] = string(data)
}

func text(lines []Line) string { return (&Run{Log: lines}).Text() }

func changed(lines []Line, change func(*Line)) []Line {
	out := append([]Line(nil), lines...)
	for i := range out {
		change(&out[i])
	}
	return out
}

// unchanged are the logs of the unchanged folders.
var unchanged = map[string][]Line{}

// before runs the unchanged scenario, once for all relations.
func (v *variant) before() []Line {
	v.t.Helper()
	if unchanged[v.name] == nil {
		unchanged[v.name] = v.run()
	}
	return unchanged[v.name]
}

// forEachFolder runs a metamorphic test over the folders. Unless thorough, each test takes every fifth of
// them, tests with names of another length others.
func forEachFolder(t *testing.T, test func(t *testing.T, v *variant)) {
	for i, folder := range metamorphicFolders(t) {
		if (i+len(t.Name()))%thorough.Count(5, 1) != 0 {
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) { test(t, openVariant(t, folder)) })
	}
}

// TestRenamedServices: other names in the same order make no difference. Fake services keep theirs,
// because their digits encode what they do.
func TestRenamedServices(t *testing.T) {
	pattern := regexp.MustCompile(`\b(vm|ct):(\d+)`)
	forEachFolder(t, func(t *testing.T, v *variant) {
		want := changed(v.before(), func(l *Line) {
			l.Message = pattern.ReplaceAllString(l.Message,
				"$1:7$2")
		})
		for name, content := range v.files {
			v.files[name] = pattern.ReplaceAllString(content, "$1:7$2")
		}
		require.Equal(t, text(want), text(v.run()))
	})
}

// TestRenamedNodes: the same for nodes. Some fake services fail on a node of a given name.
func TestRenamedNodes(t *testing.T) {
	pattern, picky := regexp.MustCompile(`node(\d)`), regexp.MustCompile(`fa:\d{6}`)
	forEachFolder(t, func(t *testing.T, v *variant) {
		if picky.MatchString(v.files["service_config"]) {
			t.Skip("a fake service knows the names of nodes")
		}
		want := changed(v.before(), func(l *Line) {
			l.ID = pattern.ReplaceAllString(l.ID, "m-node$1")
			l.Message = pattern.ReplaceAllString(l.Message, "m-node$1")
		})
		for name, content := range v.files {
			v.files[name] = pattern.ReplaceAllString(content, "m-node$1")
		}
		require.Equal(t, text(want), text(v.run()))
	})
}

// TestLaterStart: nothing depends on the time of day. A run that starts five rounds later logs the same
// five rounds later, unless something runs before the first command or the status has a time.
func TestLaterStart(t *testing.T) {
	const later = roundsPerGroup * minRoundSeconds
	forEachFolder(t, func(t *testing.T, v *variant) {
		if strings.Contains(v.files["hardware_status"], `"on"`) ||
			strings.Contains(v.files["manager_status"], "timestamp") {
			t.Skip("time has begun before the first command")
		}
		want := changed(v.before(), func(l *Line) {
			if l.Seconds > 0 {
				l.Seconds += later
			}
		})
		v.setGroups(append([][]string{{}}, v.groups()...))
		require.Equal(t, text(want), text(v.run()))
	})
}

// TestOrderOfFiles: the order of objects and blanks have no meaning.
func TestOrderOfFiles(t *testing.T) {
	forEachFolder(t, func(t *testing.T, v *variant) {
		want := v.before()
		for _, file := range []string{"hardware_status", "service_config", "manager_status",
			"datacenter.cfg"} {
			if _, ok := v.files[file]; !ok {
				continue
			}
			object := v.object(file)
			var reversed strings.Builder
			reversed.WriteString("\t{\n")
			for i, keys := 0, sortedKeys(object); i < len(keys); i++ {
				key := keys[len(keys)-1-i]
				data, err := json.MarshalIndent(object[key], "", "\t ")
				require.NoError(t, err)
				if i > 0 {
					reversed.WriteString("  ,\n")
				}
				reversed.WriteString("\"" + key + "\"\t:" + string(data))
			}
			reversed.WriteString("}\n\n ")
			v.files[file] = reversed.String()
		}
		require.Equal(t, text(want), text(v.run()))
	})
}

// TestRepeatedCommands: a command for a state that a service or a node already has is accepted and
// changes nothing.
func TestRepeatedCommands(t *testing.T) {
	forEachFolder(t, func(t *testing.T, v *variant) {
		want := v.before()
		groups := v.groups()
		var repeated []string
		for i, group := range groups {
			if slices.ContainsFunc(group, goesDown) {
				continue // what comes after it is no repetition
			}
			for _, command := range group {
				words := strings.Fields(command)
				again := len(words) == 3 && (words[0] == "power" && words[2] == "on" ||
					words[0] == "network") ||
					len(words) == 3 && words[0] == "service" &&
						strings.Contains(" started stopped disabled ignored ", " "+words[2]+" ")
				if again {
					groups[i] = append(groups[i], command)
					repeated = append(repeated, command)
				}
			}
		}
		v.setGroups(groups)
		got := v.run()
		require.Len(t, got, len(want)+len(repeated))
		require.Equal(t, text(without(want, "cmdlist")), text(without(got, "cmdlist")))
	})
}

// goesDown reports whether a command takes a node down in order.
func goesDown(command string) bool {
	words := strings.Fields(command)
	return len(words) > 0 && (words[0] == "reboot" || words[0] == "shutdown")
}

func without(lines []Line, id string) (out []Line) {
	for _, l := range lines {
		if l.ID != id {
			out = append(out, l)
		}
	}
	return out
}

// TestScaledSizes: the static and the dynamic scheduler use loads as parts of a node. With all CPUs and all
// memory in smaller units, every decision is the same.
func TestScaledSizes(t *testing.T) {
	seen := 0
	for _, folder := range metamorphicFolders(t) {
		v := openVariant(t, folder)
		if v.load().Datacenter.CRS.Mode == ha.SchedBasic {
			continue // it counts services
		}
		if seen%thorough.Count(scaledStep, 1) == 0 {
			t.Run(filepath.Base(folder), func(t *testing.T) { testScaledSizes(t, openVariant(t, folder)) })
		}
		seen++
	}
	require.NotZero(t, seen)
}

// scaledStep is the distance of the folders with sizes that are replayed without being thorough.
const scaledStep = 2

func testScaledSizes(t *testing.T, v *variant) {
	const moreCPU, moreMemory = 2, 4 // powers of two, so that no bit is lost
	s, want := v.load(), text(v.before())
	for _, n := range s.Nodes {
		n.maxCPU, n.baseCPU = n.maxCPU*moreCPU, n.baseCPU*moreCPU
		n.maxMem, n.baseMem = n.maxMem*moreMemory, n.baseMem*moreMemory
	}
	for _, g := range s.Stats {
		g.maxCPU, g.cpu = g.maxCPU*moreCPU, g.cpu*moreCPU
		g.maxMem, g.mem = g.maxMem*moreMemory, g.mem*moreMemory
	}
	for _, group := range s.Commands {
		for i, command := range group {
			if strings.Contains(command, " add ") {
				t.Skip("an added service has the default size")
			}
			group[i] = scaleStats(command, moreCPU, moreMemory)
		}
	}
	run, err := Replay(context.Background(), s)
	require.NoError(t, err)
	pattern := regexp.MustCompile(`(-stats .*)`)
	require.Equal(t, pattern.ReplaceAllString(want, "-stats"),
		pattern.ReplaceAllString(text(run.Log), "-stats"))
}

// scaleStats multiplies the sizes in a command that sets statistics.
func scaleStats(command string, cpu, memory float64) string {
	words := strings.Fields(command)
	if len(words) < 3 || !strings.HasSuffix(words[2], "-stats") {
		return command
	}
	for i := 3; i+1 < len(words); i += 2 {
		value, err := strconv.ParseFloat(words[i+1], 64)
		if err != nil {
			return command
		}
		factor := cpu
		if strings.HasSuffix(words[i], "mem") {
			factor = memory
		}
		words[i+1] = strconv.FormatFloat(value*factor, 'f', -1, 64)
	}
	return strings.Join(words, " ")
}

// TestUnusedNode: a node that is never switched on changes nothing, as long as the others are a majority
// with it as they were without it: three of four nodes, all of which are on all the time.
func TestUnusedNode(t *testing.T) {
	forEachFolder(t, func(t *testing.T, v *variant) {
		hardware := v.object("hardware_status")
		if len(hardware) != 3 || goesAway(v) {
			t.Skip("the number of nodes matters when one is away")
		}
		want := v.before()
		if strings.Contains(text(want), "stopped by poweroff") {
			t.Skip("the number of nodes matters when one is reset")
		}
		hardware["node9"] = map[string]any{"power": "off", "network": "off"}
		v.set("hardware_status", hardware)
		require.Equal(t, text(want), text(v.run()))
	})
}

func goesAway(v *variant) bool {
	for i, group := range v.groups() {
		for _, command := range group {
			words := strings.Fields(command)
			switch words[0] {
			case "power", "network":
				if words[2] == "off" || i > 0 {
					return true
				}
			case "reboot", "shutdown":
				return true
			}
		}
	}
	return strings.Contains(v.files["hardware_status"], `"on"`)
}

// TestUnrelatedService: a service that must not run is left alone, whatever happens to its node. The
// node has another service anyway, so that the added one wakes no LRM.
func TestUnrelatedService(t *testing.T) {
	forEachFolder(t, func(t *testing.T, v *variant) {
		services := v.object("service_config")
		host := quietHost(v, services)
		if host == "" {
			t.Skip("no node has a service all the time, or nodes are chosen at once")
		}
		want := v.before()
		const sid = "vm:999999"
		services[sid] = map[string]any{"node": host, "state": "disabled"}
		v.set("service_config", services)
		got := v.run()
		var rest []Line
		for _, l := range got {
			if !strings.Contains(l.Message, "'"+sid+"'") {
				rest = append(rest, l)
			}
		}
		require.Equal(t, text(want), text(rest))
		require.Greater(t, len(got), len(rest))
	})
}

// quietHost returns a node on which a service must run from the beginning to the end. While the LRM
// confirms that the other service does not run, that service counts like a running one and keeps its LRM
// active. That is the case at the start and after disarming, when no node may be chosen and the first
// one must not be released.
func quietHost(v *variant, services map[string]any) string {
	if strings.Contains(v.files["datacenter.cfg"], "rebalance") || strings.Contains(v.files["manager_status"],
		"node_status") ||
		strings.Contains(v.files["cmdlist"], "delete") || strings.Contains(v.files["cmdlist"], "disarm") {
		return ""
	}
	for _, sid := range sortedKeys(services) {
		if service, ok := services[sid].(map[string]any); ok && service["state"] != nil {
			return service["node"].(string)
		}
	}
	return ""
}
