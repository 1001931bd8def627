package corosync

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestMessages shows the messages for every broken file. Commands:
//
//	parse file   errors, or "ok", with warnings
//	format file  the canonical form
//	timers file  the derived timers
//	unsupported file
//
// Rewrite with: go test ./engine/corosync -run TestMessages -rewrite
func TestMessages(t *testing.T) {
	for _, file := range []string{"testdata/broken.txt", "testdata/good.txt"} {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			name := filepath.Join("testdata", d.CmdArgs[0].Key)
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			c, warnings, err := Parse(filepath.Base(name), data)
			var b strings.Builder
			switch d.Cmd {
			case "parse":
				report(&b, warnings, err)
			case "format":
				require.NoError(t, err)
				b.Write(c.Format())
			case "timers":
				require.NoError(t, err)
				timers, err := DeriveTimers(c)
				require.NoError(t, err)
				b.WriteString(describe(timers))
			case "unsupported":
				require.NoError(t, err)
				for _, l := range c.Unsupported() {
					fmt.Fprintln(&b, l)
				}
			default:
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			return b.String()
		})
	}
}

func report(b *strings.Builder, warnings Warnings, err error) {
	if err != nil {
		fmt.Fprintln(b, err)
	} else {
		fmt.Fprintln(b, "ok")
	}
	for _, w := range warnings {
		fmt.Fprintln(b, "warning:", w)
	}
}

// describe prints one field a line.
func describe(timers Timers) string {
	var b strings.Builder
	v := reflect.ValueOf(timers)
	for i := range v.NumField() {
		fmt.Fprintf(&b, "%s: %v\n", v.Type().Field(i).Name, v.Field(i).Interface())
	}
	return b.String()
}

// TestBrokenFilesAreRefused keeps the corpus honest: every broken file must be listed in the
// golden file, be refused, and say where (unless the whole thing is missing) and what to do.
func TestBrokenFilesAreRefused(t *testing.T) {
	golden, err := os.ReadFile("testdata/broken.txt")
	require.NoError(t, err)
	files, err := filepath.Glob("testdata/broken/*.conf")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	for _, name := range files {
		require.Contains(t, string(golden), "parse broken/"+filepath.Base(name)+"\n")
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		_, _, err = Parse("corosync.conf", data)
		require.ErrorIs(t, err, ErrInvalid, name)
		var problems *Problems
		require.ErrorAs(t, err, &problems, name)
		for _, p := range problems.List {
			require.NotEmpty(t, p.What)
			require.NotEmpty(t, p.Remedy)
			if p.Line == 0 {
				require.Contains(t, p.What+p.Remedy, "add", "%s: only what is missing has no line", name)
			}
		}
	}
}

func TestGoodFilesRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.conf")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		c, _, err := Parse(name, data)
		require.NoError(t, err)
		checkRoundTrip(t, c)
	}
}

// TestProxmoxFormUnchanged: what Proxmox VE wrote is written back byte for byte.
func TestProxmoxFormUnchanged(t *testing.T) {
	for _, name := range []string{"pve-3-ipv6.conf", "pve-4-qdevice.conf"} {
		data, err := os.ReadFile(filepath.Join("testdata/good", name))
		require.NoError(t, err)
		c, warnings, err := Parse(name, data)
		require.NoError(t, err)
		require.Empty(t, warnings)
		require.Equal(t, string(data), c.String())
	}
}

func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	text := c.Format()
	again, _, err := Parse(c.File, text)
	require.NoError(t, err, "%s", text)
	require.Equal(t, string(text), again.String())
	require.Equal(t, withoutLines(c), withoutLines(again))
}

// withoutLines drops what only the place in the file decides.
func withoutLines(c *Config) *Config {
	out := *c
	out.nodelistLines, out.Totem.sourceLines, out.Quorum.sourceLines, out.Logging.sourceLines = sourceLines{},
		sourceLines{}, sourceLines{},
		sourceLines{}
	out.Extra = bare(c.Extra)
	out.nodelistExtra = bare(c.nodelistExtra)
	out.Totem.Extra, out.Quorum.Extra, out.Logging.Extra = bare(c.Totem.Extra), bare(c.Quorum.Extra),
		bare(c.Logging.Extra)
	out.Totem.Interfaces = nil
	for _, in := range c.Totem.Interfaces {
		in.sourceLines, in.Extra = sourceLines{}, bare(in.Extra)
		out.Totem.Interfaces = append(out.Totem.Interfaces, in)
	}
	out.Nodes = nil
	for _, n := range c.Nodes {
		n.sourceLines, n.Extra = sourceLines{}, bare(n.Extra)
		out.Nodes = append(out.Nodes, n)
	}
	if c.Quorum.Device != nil {
		d := *c.Quorum.Device
		d.sourceLines, d.Extra = sourceLines{}, bare(d.Extra)
		if d.Net != nil {
			n := *d.Net
			n.sourceLines, n.Extra = sourceLines{}, bare(n.Extra)
			d.Net = &n
		}
		out.Quorum.Device = &d
	}
	return &out
}

func bare(entries []Entry) []Entry {
	var out []Entry
	for _, e := range entries {
		e.line, e.Entries = 0, bare(e.Entries)
		out = append(out, e)
	}
	sortEntries(out)
	return out
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.conf", "testdata/broken/*.conf"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, name := range files {
			data, err := os.ReadFile(name)
			require.NoError(f, err)
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, warnings, err := Parse("corosync.conf", data)
		require.LessOrEqual(t, len(warnings), maxProblems)
		if err != nil {
			require.Nil(t, c)
			var problems *Problems
			require.ErrorAs(t, err, &problems)
			require.LessOrEqual(t, len(problems.List), maxProblems)
			return
		}
		checkRoundTrip(t, c)
		_, err = DeriveTimers(c)
		require.NoError(t, err)
		c.Unsupported()
	})
}
