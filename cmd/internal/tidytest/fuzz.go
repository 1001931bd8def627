package tidytest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

// decoderName matches functions that make values of bytes or text from elsewhere.
var decoderName = regexp.MustCompile(`^(Decode|Parse|Unmarshal)([A-Z].*)?$`)

// checkFuzz reports packages that export a decoder and have no fuzz target in their own tests.
// Exceptions name the package as "folder fuzz".
func checkFuzz(files []*gosource.File, excepted Exceptions, used map[string]bool) []string {
	decoders, fuzzed, places := map[string][]string{}, map[string]bool{}, map[string]string{}
	for _, f := range files {
		for _, d := range f.AST.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			switch {
			case f.Test && strings.HasPrefix(fn.Name.Name, "Fuzz"):
				fuzzed[f.Dir] = true
			case !f.Test && token.IsExported(fn.Name.Name) && decoderName.MatchString(fn.Name.Name):
				decoders[f.Dir] = append(decoders[f.Dir], fn.Name.Name)
				if places[f.Dir] == "" {
					places[f.Dir] = f.Pos(fn.Pos())
				}
			}
		}
	}
	var problems []string
	for _, dir := range slices.Sorted(maps.Keys(decoders)) {
		if fuzzed[dir] {
			continue
		}
		used[dir+" fuzz"] = true
		if excepted[dir+" fuzz"] == "" {
			problems = append(problems, fmt.Sprintf(
				"%s: %s decodes what others wrote; give %s a fuzz target of its own",
				places[dir], strings.Join(decoders[dir], ", "), dir))
		}
	}
	return problems
}
