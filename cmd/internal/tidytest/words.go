package tidytest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// bannedWords have no place in the module. They are put together here so that this file does not
// hold them.
var bannedWords = []struct{ word, why string }{
	{"TO" + "DO", "finish it, or name what is missing where its users read"},
	{"FIX" + "ME", "fix it"},
	{"XX" + "X", "finish it"},
	{"/wo" + "rk/", "paths of one machine mean nothing on another"},
	{"/ro" + "ot/", "paths of one machine mean nothing on another"},
}

// phrases are expressions that a reader has to translate, each with what to write instead.
var phrases = []struct {
	phrase  *regexp.Regexp
	instead string
}{
	{phrase("tho" + "se who"), "name them: clients, operators, readers"},
	{phrase("what is" + " to"), "write must or should"},
	{phrase("which is"+" to", "that is"+" to", "that are"+" to"), "write must or should"},
	{phrase("some"+"body", "no"+"body", "any"+"body"), "name the actor: a client, a process, a caller"},
	{phrase("for " + "ever"), "write always, forever or indefinitely"},
	{phrase("any" + " more"), "write no longer"},
	{phrase("(says|tells)" + " (whether|which|what|how)"), "write reports or returns"},
	{phrase("the one" + " (that|which|who)"), "name it"},
	{phrase("as it" + " were"), "leave it out"},
}

// phrase matches alternatives as whole words, also at the beginning of a sentence, but not http.NoBody.
func phrase(alternatives ...string) *regexp.Regexp {
	for i, a := range alternatives {
		if first := a[:1]; first != "(" {
			alternatives[i] = "[" + first + strings.ToUpper(first) + "]" + a[1:]
		}
	}
	return regexp.MustCompile(`\b(` + strings.Join(alternatives, "|") + `)\b`)
}

// textTypes are the files in which words are looked for.
var textTypes = []string{".go", ".md", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".sh", ".txt",
	".txtar",
	".mod", ""}

// proseTypes are the files that hold sentences of our own.
var proseTypes = []string{".go", ".md", ".yaml", ".yml", ".html"}

func isText(name string) bool { return slices.Contains(textTypes, path.Ext(name)) }

// checkWords looks for words in one file. Exceptions name a file whose wording stays as "path words".
func checkWords(name string, data []byte, excepted Exceptions, used map[string]bool) []string {
	var problems []string
	prose := slices.Contains(proseTypes, path.Ext(name)) && path.Base(name) != "LICENSE"
	for i, line := range strings.Split(string(data), "\n") {
		for _, banned := range bannedWords {
			if strings.Contains(line, banned.word) {
				problems = append(problems, fmt.Sprintf("%s:%d: %q has no place here: %s", name, i+1,
					banned.word, banned.why))
			}
		}
		if !prose {
			continue
		}
		for _, p := range phrases {
			found := p.phrase.FindString(line)
			if found == "" {
				continue
			}
			used[name+" words"] = true
			if excepted[name+" words"] == "" {
				problems = append(problems, fmt.Sprintf("%s:%d: %q: say it plainly: %s", name, i+1, found,
					p.instead))
			}
		}
	}
	return problems
}
