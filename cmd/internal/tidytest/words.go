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
var phrases = []phrase{
	newPhrase("name them: clients, operators, readers", "tho"+"se who"),
	newPhrase("write must or should", "what is"+" to", "which is"+" to", "that is"+" to",
		"that are"+" to"),
	newPhrase("name the actor: a client, a process, a caller", "some"+"body", "no"+"body", "any"+"body"),
	newPhrase("write always, forever or indefinitely", "for "+"ever"),
	newPhrase("write no longer", "any"+" more"),
	newPhrase("write reports or returns", "says"+" (whether|which|what|how)",
		"tells"+" (whether|which|what|how)"),
	newPhrase("name it", "the one"+" (that|which|who)"),
	newPhrase("leave it out", "as it"+" were"),
}

type phrase struct {
	pattern *regexp.Regexp
	// literals are in every text that matches, one of them at least. Most files have none, and looking
	// for them costs a hundredth of the pattern.
	literals []string
	instead  string
}

// newPhrase matches alternatives as whole words, also at the beginning of a sentence. Each begins with a
// letter and a literal text.
func newPhrase(instead string, alternatives ...string) phrase {
	p := phrase{instead: instead}
	for i, a := range alternatives {
		literal, _, _ := strings.Cut(a[1:], "(")
		p.literals = append(p.literals, literal)
		alternatives[i] = "[" + a[:1] + strings.ToUpper(a[:1]) + "]" + a[1:]
	}
	p.pattern = regexp.MustCompile(`\b(` + strings.Join(alternatives, "|") + `)\b`)
	return p
}

// mayOccur reports whether a text holds one of the phrase's literals.
func (p *phrase) mayOccur(text string) bool {
	return slices.ContainsFunc(p.literals, func(l string) bool { return strings.Contains(text, l) })
}

// textTypes are the files in which words are looked for.
var textTypes = []string{".go", ".md", ".yaml", ".yml", ".json", ".html", ".css", ".js", ".sh", ".txt",
	".txtar",
	".mod", ""}

// proseTypes are the files that hold sentences of our own.
var proseTypes = []string{".go", ".md", ".yaml", ".yml", ".html"}

func isTextFile(name string) bool { return slices.Contains(textTypes, path.Ext(name)) }

// checkWords looks for words in one file. Exceptions name a file whose wording stays as "path words".
func checkWords(name string, data []byte, excepted Exceptions, used map[string]bool) []string {
	var problems []string
	text := string(data)
	var candidates []phrase
	if slices.Contains(proseTypes, path.Ext(name)) && path.Base(name) != "LICENSE" {
		candidates = slices.DeleteFunc(slices.Clone(phrases),
			func(p phrase) bool { return !p.mayOccur(text) })
	}
	for i, line := range strings.Split(text, "\n") {
		for _, banned := range bannedWords {
			if strings.Contains(line, banned.word) {
				problems = append(problems, fmt.Sprintf("%s:%d: %q has no place here: %s", name, i+1,
					banned.word, banned.why))
			}
		}
		for _, p := range candidates {
			found := p.pattern.FindString(line)
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
