package cli

import (
	"os"

	"golang.org/x/term"

	"github.com/holdfast-sim/holdfast/cmd/cli/internal/progress"
)

func (a *app) progress(quiet bool) *progress.Line {
	return progress.New(a.Stderr, a.isTerminal(), quiet)
}

// isTerminal reports whether standard error is a terminal that a person watches.
func (c *Config) isTerminal() bool {
	f, ok := c.Stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && c.Env("CI") == "" && c.Env("NO_COLOR") == "" &&
		c.Env("TERM") != "dumb"
}

// usesColor reports whether standard output takes colours.
func (c *Config) usesColor() bool {
	f, ok := c.Stdout.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && c.Env("NO_COLOR") == "" && c.Env("TERM") != "dumb"
}
