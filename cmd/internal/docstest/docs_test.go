package docstest

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/cli"
	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
	"github.com/holdfast-sim/holdfast/scenarios/library"
	"github.com/holdfast-sim/holdfast/scenarios/pve"
)

// documents are all texts in Markdown, by path.
func documents(t *testing.T) (fs.FS, map[string]string) {
	t.Helper()
	root, err := gosource.Root()
	require.NoError(t, err)
	docs := map[string]string{}
	require.NoError(t, gosource.Walk(root, func(name string) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		data, err := fs.ReadFile(root, name)
		docs[name] = string(data)
		return err
	}))
	require.Greater(t, len(docs), 8)
	return root, docs
}

func TestLinksLeadSomewhere(t *testing.T) {
	root, docs := documents(t)
	for _, problem := range checkLinks(root, docs) {
		t.Error(problem)
	}
	require.Equal(t, []string{
		"a.md:1: missing.md is not there",
		"a.md:3: b.md has no heading #two",
		"a.md:4: #nowhere is no heading here",
	}, checkLinks(fstest.MapFS{"b.md": {}}, map[string]string{
		"a.md": "[x](missing.md)\n[x](b.md#one-2)\n[x](b.md#two)\n" +
			"[x](#nowhere) [y](https://example.org) `[z](no)`\n",
		"b.md": "# One: 2\n```\n# two\n```\n",
	}))
}

func TestCommandsExist(t *testing.T) {
	root, docs := documents(t)
	k := knownCommands(t, root)
	checked := 0
	for name, text := range docs {
		for _, b := range blocks(text) {
			if b.Language != "sh" && b.Language != "indented" {
				continue
			}
			for i, line := range b.Lines {
				require.NoError(t, k.checkLine(line), "%s:%d: %s", name, b.Line+i, line)
				checked++
			}
		}
		for i, line := range prose(text) {
			for _, span := range codeSpan.FindAllString(line, -1) {
				require.NoError(t, k.checkLine(strings.Trim(span, "`")), "%s:%d: %s", name, i+1, span)
			}
		}
	}
	require.Greater(t, checked, 10)
	for line, want := range map[string]string{
		"make nothing":                               "no make target nothing",
		"go run ./cmd/nothing":                       "no package ./cmd/nothing",
		"go run ./cmd/holdfast fly":                  "no command fly",
		"go run ./cmd/holdfast run pear-cut":         "no story pear-cut",
		"holdfast scenario show pear-cut":            "no story pear-cut",
		"holdfast run pair-cut --sedes 1-2":          "no flag --sedes",
		"go test ./sim/nothing":                      "no package ./sim/nothing",
		"SIM_SEED=1 go test ./sim/... -sim.sede=3":   "no flag -sim.sede",
		"sudo holdfast run pair-cut --on netns -x=1": "no flag -x",
	} {
		require.ErrorContains(t, k.checkLine(line), want, line)
	}
}

// TestSnippetsAreInTheirFiles: a snippet that begins with the path of a file is a part of it.
func TestSnippetsAreInTheirFiles(t *testing.T) {
	root, docs := documents(t)
	first := regexp.MustCompile(`^// ([a-z/_]+\.go)\n`)
	found := 0
	for name, text := range docs {
		for _, b := range blocks(text) {
			match := first.FindStringSubmatch(b.Text())
			if b.Language != "go" || match == nil || match[1] == "cmd/mysystemd/main.go" {
				continue
			}
			found++
			source, err := fs.ReadFile(root, match[1])
			require.NoError(t, err, "%s:%d", name, b.Line)
			require.Contains(t, string(source), strings.TrimPrefix(b.Text(), match[0]), "%s:%d", name, b.Line)
		}
	}
	require.Greater(t, found, 3)
}

func checkLinks(root fs.FS, docs map[string]string) []string {
	var problems []string
	for _, name := range sorted(docs) {
		for i, line := range prose(docs[name]) {
			for _, link := range links(codeSpan.ReplaceAllString(line, "")) {
				if problem := checkLink(root, docs, name, link); problem != "" {
					problems = append(problems, place(name, i)+problem)
				}
			}
		}
	}
	return problems
}

func checkLink(root fs.FS, docs map[string]string, from, link string) string {
	if strings.Contains(link, "://") {
		return ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	if file == "" {
		if !anchors(docs[from])[anchor] {
			return link + " is no heading here"
		}
		return ""
	}
	target := path.Join(path.Dir(from), file)
	if _, err := fs.Stat(root, target); err != nil {
		return file + " is not there"
	}
	if anchor != "" && !anchors(docs[target])[anchor] {
		return file + " has no heading #" + anchor
	}
	return ""
}

func knownCommands(t *testing.T, root fs.FS) *knownNames {
	t.Helper()
	makefile, err := fs.ReadFile(root, "Makefile")
	require.NoError(t, err)
	k := &knownNames{moduleFS: root, libraryScenarios: library.Names(),
		testFlags: []string{"-sim.seed", "-sim.seeds", "-sim.twice", "-sim.keep", "-sim.shrink", "-sim.save",
			"-sim.steptimeout", "-chaos.seed", "-chaos.seeds", "-chaos.keep"}}
	for _, match := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(makefile), -1) {
		k.makeTargets = append(k.makeTargets, match[1])
	}
	require.Contains(t, k.makeTargets, "test")
	config := cli.Config{Name: "holdfast",
		Kinds: []cli.Kind{{Name: pve.Kind, Decode: pve.Decode, Topology: pve.Topology, Etc: pve.EtcPVE}},
		Suites: []cli.Suite{{Name: "ha", Switches: []cli.Switch{{Name: "full-stack"}}},
			{Name: "ha-rules"}, {Name: "ha-random", Seeds: "1-20", Switches: []cli.Switch{{Name: "wild"}},
				Values: []cli.Value{{Name: "write"}}}}}
	k.helpOf = func(words ...string) (string, bool) {
		var out bytes.Buffer
		c := config
		c.Stdout, c.Stderr = &out, &out
		cli.Run(append(slices.Clone(words), "--help"), c)
		usage := "\n  holdfast " + strings.Join(words, " ")
		if len(words) == 0 {
			usage = "\n  holdfast ["
		}
		return out.String(), strings.Contains(strings.ReplaceAll(out.String(), os.Args[0], "holdfast"), usage)
	}
	_, ok := k.helpOf("scenario", "list")
	require.True(t, ok)
	_, ok = k.helpOf("scenario", "lost")
	require.False(t, ok)
	return k
}
