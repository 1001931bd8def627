package resource

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommandsOfAConfiguration(t *testing.T) {
	c := Commands{Default: []string{"/bin/default"}, Named: map[string][]string{"web": {"/bin/web", "-x"},
		"db": {"/bin/db"}}}
	for config, want := range map[string][]string{
		"":                                     {"/bin/default"},
		"memory: 512\n":                        {"/bin/default"},
		"memory: 512\ncommand: web\n":          {"/bin/web", "-x"},
		"command:db":                           {"/bin/db"},
		"[snapshot]\ncommand: db\n":            {"/bin/default"},
		"command: web\n[snapshot]\ncommand: x": {"/bin/web", "-x"},
	} {
		have, err := c.Of([]byte(config))
		require.NoError(t, err, config)
		require.Equal(t, want, have, config)
	}
}

// TestAResourceChoosesOnly: nothing that is replicated becomes a program or an argument.
func TestAResourceChoosesOnly(t *testing.T) {
	c := Commands{Named: map[string][]string{"web": {"/bin/web"}}}
	for _, config := range []string{"", "command: /bin/sh -c evil", "command: web --evil", "command: ../web",
		"command: WEB"} {
		_, err := c.Of([]byte(config))
		require.ErrorIs(t, err, ErrNoCommand, config)
		require.ErrorContains(t, err, "web", "it names what is allowed")
	}
}

func TestCommandsThatCouldNeverRun(t *testing.T) {
	require.NoError(t, Commands{Default: []string{"/bin/true"}}.Check())
	require.NoError(t, Commands{Named: map[string][]string{"a": {"/bin/true"}}}.Check())
	for _, c := range []Commands{{}, {Named: map[string][]string{"": {"/bin/true"}}},
		{Named: map[string][]string{"a b": {"/bin/true"}}}, {Named: map[string][]string{"a": nil}},
		{Named: map[string][]string{"a": {""}}}} {
		require.ErrorIs(t, c.Check(), ErrNoCommand, "%v", c)
	}
}

// FuzzCommands: whatever a configuration contains, the result is a command that the node allows.
func FuzzCommands(f *testing.F) {
	f.Add("command: web\n")
	f.Add("memory: 1\ncommand:\tdb")
	f.Add("[x]\ncommand: web")
	c := Commands{Default: []string{"d"}, Named: map[string][]string{"web": {"w"}, "db": {"b", "1"}}}
	f.Fuzz(func(t *testing.T, config string) {
		command, err := c.Of([]byte(config))
		if err != nil {
			require.ErrorIs(t, err, ErrNoCommand)
			return
		}
		require.Contains(t, [][]string{{"d"}, {"w"}, {"b", "1"}}, command)
	})
}
