package mistyped

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// tree is a program with the commands run, and scenario with list and lint.
func tree() *cobra.Command {
	do := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "prog", Args: cobra.NoArgs, RunE: do, SilenceErrors: true, SilenceUsage: true}
	run := &cobra.Command{Use: "run", RunE: do}
	run.Flags().String("seed", "", "")
	run.Flags().String("seeds", "", "")
	run.Flags().String("anew", "", "")
	if err := run.Flags().MarkHidden("anew"); err != nil {
		panic(err)
	}
	scenario := &cobra.Command{Use: "scenario", RunE: do}
	scenario.AddCommand(&cobra.Command{Use: "list", RunE: do}, &cobra.Command{Use: "lint", RunE: do})
	search := &cobra.Command{Use: "search", RunE: do, Args: cobra.ArbitraryArgs}
	search.AddCommand(&cobra.Command{Use: "merge", RunE: do})
	root.AddCommand(run, scenario, search)
	root.SetFlagErrorFunc(Flag)
	return root
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"rnu", "x"}, `unknown command "rnu" for "prog"; did you mean "run"?`},
		{[]string{"rnu", "--help"}, `unknown command "rnu" for "prog"; did you mean "run"?`},
		{[]string{"help", "rnu"}, `unknown command "rnu" for "prog"; did you mean "run"?`},
		{[]string{"shrink", "--help"}, `unknown command "shrink" for "prog"`},
		{[]string{"scenario", "lnt"}, `unknown command "lnt" for "prog scenario"; did you mean "lint"?`},
	} {
		_, err := Command(tree(), c.args)
		require.EqualError(t, err, c.want, c.args)
	}
	for _, args := range [][]string{nil, {"--help"}, {"run", "anything"}, {"help", "run"},
		{"scenario", "list"},
		{"search", "any", "words"}, {"search", "merge"},
		{"completion", "bash"}} {
		_, err := Command(tree(), args)
		require.NoError(t, err, args)
	}
}

func TestFlags(t *testing.T) {
	for flag, want := range map[string]string{
		"--sede":     "unknown flag: --sede; did you mean --seed?",
		"--sedes=1":  "unknown flag: --sedes; did you mean --seeds?",
		"--hlep":     "unknown flag: --hlep; did you mean --help?",
		"--distance": "unknown flag: --distance",
		"--aneww":    "unknown flag: --aneww",
		"-x":         "unknown shorthand flag: 'x' in -x",
	} {
		root := tree()
		root.SetArgs([]string{"run", flag})
		require.EqualError(t, root.Execute(), want)
	}
}
