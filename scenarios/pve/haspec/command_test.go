package haspec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

func TestCommandsAreTyped(t *testing.T) {
	for line, want := range map[string]haspec.ParsedCommand{
		"shutdown":                 {Verb: haspec.VerbShutdown},
		"start-lrm":                {Verb: haspec.VerbStartLRM},
		"create ct:101 n2 stopped": {Verb: haspec.VerbCreate, SID: "ct:101", Node: "n2", State: "stopped"},
		"lock vm:100 backup":       {Verb: haspec.VerbLock, SID: "vm:100", Lock: "backup"},
		"unlock vm:100":            {Verb: haspec.VerbUnlock, SID: "vm:100"},
		"resize vm:100 2 1024":     {Verb: haspec.VerbResize, SID: "vm:100", Cores: 2, MemoryMiB: 1024},
		"start vm:100":             {Verb: haspec.VerbStart, SID: "vm:100"},
		"move  vm:100\tn2":         {Verb: haspec.VerbMove, SID: "vm:100", Node: "n2"},
		"version 4.0.0":            {Verb: haspec.VerbVersion, Version: "4.0.0"},
		"set vm:100 state stopped": {Verb: haspec.VerbSet, SID: "vm:100", Key: "state", Value: "stopped"},
		"remove vm:100":            {Verb: haspec.VerbRemove, SID: "vm:100"},
		"add vm:100":               {Verb: haspec.VerbAdd, SID: "vm:100"},
		"datacenter crs: ha=basic": {Verb: haspec.VerbDatacenter, Text: "crs: ha=basic\n"},
		"datacenter":               {Verb: haspec.VerbDatacenter, Text: "\n"},
		"migrate vm:100 n2": {Verb: haspec.VerbCRM, SID: "vm:100", Node: "n2", Text: "migrate vm:100 n2\n",
			CRM: ha.Command{Verb: ha.CommandMigrate, SID: "vm:100", Node: "n2", Line: "migrate vm:100 n2"}},
		"arm-ha": {Verb: haspec.VerbCRM, Text: "arm-ha\n",
			CRM: ha.Command{Verb: ha.CommandArm, Line: "arm-ha"}},
	} {
		got, err := haspec.ParseCommand(line)
		require.NoError(t, err, line)
		require.Equal(t, want, got, line)
		require.Equal(t, want, haspec.Command{Run: line}.Parsed())
	}
}

func TestWrongCommandsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "nothing to run",
		"shutdown now":             "not a crm command",
		"lock vm:100":              "not a crm command",
		"migrate vm:100":           "not a crm command",
		"crm":                      "not a crm command",
		"unlock 100":               "100",
		"create vm:1 n1 dancing":   "dancing",
		"resize vm:1 -2 1":         `"-2" is not a size`,
		"resize vm:1 1 9999999999": `"9999999999" is not a size`,
	} {
		_, err := haspec.ParseCommand(line)
		require.ErrorContains(t, err, want, line)
	}
	require.Panics(t, func() { haspec.Command{Run: "dance"}.Parsed() })
}

// FuzzParseCommand: every line is refused or has a verb, and whatever names a service names a valid one.
func FuzzParseCommand(f *testing.F) {
	for _, line := range []string{"create vm:1 n1 started", "datacenter x", "migrate vm:1 n2", "version 1",
		"stop vm:1 9"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := haspec.ParseCommand(line)
		if err != nil {
			require.Zero(t, p)
			return
		}
		require.NotEmpty(t, p.Verb)
		again, err := haspec.ParseCommand(line)
		require.NoError(t, err)
		require.Equal(t, p, again)
		if p.Verb != haspec.VerbCRM && p.SID != "" {
			require.Contains(t, p.SID, ":")
		}
		require.NotContains(t, strings.TrimSuffix(p.SID+p.Node+p.Version+p.Key+p.Value+p.Lock, "\n"), " ")
	})
}
