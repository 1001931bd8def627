package scenarios_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/scenarios/strictyaml"
)

const guide = "../docs/writing-a-scenario.md"

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestExamplesOfTheGuideAreScenarios parses every example, adding what a part of a file leaves
// out.
func TestExamplesOfTheGuideAreScenarios(t *testing.T) {
	text, err := os.ReadFile(guide)
	require.NoError(t, err)
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(blocks), 5)
	for i, block := range blocks {
		file := block[1]
		for _, line := range []string{"name: example", "story: s", "machines: 3", "duration: 60s",
			"subject: {kind: toy}"} {
			key, _, _ := strings.Cut(line, ":")
			if !strings.HasPrefix(file, key+":") && !strings.Contains(file, "\n"+key+":") {
				file += line + "\n"
			}
		}
		_, err := scenarios.ParseScenario(fmt.Sprintf("example-%d", i+1), []byte(file))
		require.NoError(t, err, file)
	}
}

// TestGuideIsComplete looks for every key of the format and every kind of fault.
func TestGuideIsComplete(t *testing.T) {
	data, err := os.ReadFile(guide)
	require.NoError(t, err)
	text := string(data)
	n, err := strictyaml.Encode(everyKey(t))
	require.NoError(t, err)
	for _, path := range paths(n, "") {
		require.Contains(t, text, "`"+path+"`", "the table of keys lacks %s", path)
	}
	for _, kind := range fault.Kinds() {
		must, may := fault.Fields(kind)
		require.Contains(t, text, "{kind: "+string(kind)+",")
		for _, field := range append(must, may...) {
			require.Contains(t, text, field+":", kind)
		}
	}
	for key, value := range map[string]time.Duration{"network.latency": scenarios.DefaultLatency,
		"network.jitter": scenarios.DefaultJitter, "workload.timeout": 5 * time.Second} {
		require.Regexp(t, "`"+key+"` .*\\| "+strictyaml.FormatDuration(value)+" \\|", text)
	}
}

func everyKey(t *testing.T) *scenarios.Scenario {
	s, _, err := scenarios.Parse("everything.yaml", []byte(wholeFile), toyKinds())
	require.NoError(t, err)
	s.Faults, s.Nemesis, s.Subject = nil, nil, scenarios.SubjectSpec{Kind: "toy"}
	s.Workload.Mix = nil
	return s
}

// paths lists the keys that hold values, in the form of the guide.
func paths(n *yaml.Node, at string) []string {
	var out []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		path := strings.TrimPrefix(at+"."+n.Content[i].Value, ".")
		if n.Content[i+1].Kind == yaml.MappingNode {
			out = append(out, paths(n.Content[i+1], path)...)
			continue
		}
		out = append(out, path)
	}
	return out
}

func ExampleNew() {
	s := scenarios.New("rack-switch").
		Story("The switch of a rack with two of five machines reboots.").
		Machines(5).Warmup(20*time.Second).Duration(90*time.Second).
		At(10*time.Second).Partition([]string{"n1", "n2"}, []string{"n3", "n4", "n5"}).For(20*time.Second).
		At(50*time.Second).Isolate("n1", "n2").For(20*time.Second).
		Subject("register", nil).
		MustBuild()
	file, err := scenarios.Marshal(s)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(file))
	// Output:
	// name: rack-switch
	// story: The switch of a rack with two of five machines reboots.
	// machines: 5
	// network:
	//   latency: 500us
	//   jitter: 200us
	// disk:
	//   write: 4us
	//   sync: 400us
	// warmup: 20s
	// duration: 1m30s
	// quiescence: 40s
	// workload:
	//   clients: 5
	//   operations: 200
	//   keys: 6
	//   value_bytes: 24
	//   pause: 2.195121951s
	//   timeout: 5s
	// faults:
	//   - kind: partition
	//     at: 10s
	//     for: 20s
	//     groups: [[n1, n2], [n3, n4, n5]]
	//   - kind: partition
	//     at: 50s
	//     for: 20s
	//     groups: [[n1, n2]]
	// expect:
	//   verdict: valid
	// subject:
	//   kind: register
}
