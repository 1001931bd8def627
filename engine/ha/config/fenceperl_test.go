package config

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// shellWordsInPerl prints the words of each line of its input as Proxmox VE splits them, each in angle
// brackets, or nothing for a line that it cannot split.
const shellWordsInPerl = `use Text::ParseWords; while (<STDIN>) { chomp; print map({ "<$_>" } shellwords($_)), "\n" }`

// TestShellWordsAgainstPerl splits drawn lines with Perl's own module as well.
func TestShellWordsAgainstPerl(t *testing.T) {
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Skip("the comparison with Text::ParseWords needs the program perl, which is not installed")
	}
	piece := rapid.StringMatching(`([ab=é \t\\]|"[a '=\\]{0,3}"|'[a "=]{0,3}'|["'])`)
	rapid.Check(t, func(t *rapid.T) {
		lines := make([]string, 20)
		for i := range lines {
			lines[i] = "k=" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
		}
		cmd := exec.Command(perl, "-e", shellWordsInPerl)
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		out, err := cmd.Output()
		require.NoError(t, err)
		for i, want := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
			words, err := splitShellWords(lines[i])
			got := ""
			for _, word := range words {
				got += "<" + word + ">"
			}
			require.Equal(t, want, got, "%s", lines[i])
			require.Equal(t, want == "", err != nil, "%s", lines[i])
		}
	})
}
