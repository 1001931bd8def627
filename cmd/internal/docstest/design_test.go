package docstest

import (
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

var (
	dottedName  = regexp.MustCompile("`([A-Za-z]\\w*)\\.([A-Za-z]\\w*)`")
	methodsOf   = regexp.MustCompile("`([a-z]\\w*)`: ((?:`\\w+`(?:, )?)+)")
	quotedNames = regexp.MustCompile("`(\\w+)`")
)

// declarations are the names that the packages of the module declare.
type declarations struct {
	files    map[string]bool // base names
	packages map[string]bool
	names    map[string]bool // package.Name
	types    map[string]bool // folder/type
	methods  map[string]bool // folder/type.method, and fields
}

func declared(files []*gosource.File) *declarations {
	d := &declarations{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{},
		map[string]bool{}}
	for _, f := range files {
		d.files[path.Base(f.Path)] = true
		name := f.AST.Name.Name
		d.packages[name] = true
		for _, decl := range f.AST.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					d.names[name+"."+decl.Name.Name] = true
					continue
				}
				ast.Inspect(decl.Recv, func(n ast.Node) bool {
					if id, is := n.(*ast.Ident); is {
						d.methods[f.Dir+"/"+id.Name+"."+decl.Name.Name] = true
					}
					return true
				})
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						d.names[name+"."+spec.Name.Name], d.types[f.Dir+"/"+spec.Name.Name] = true, true
						d.addFields(f.Dir+"/"+spec.Name.Name, spec.Type)
					case *ast.ValueSpec:
						for _, id := range spec.Names {
							d.names[name+"."+id.Name] = true
						}
					}
				}
			}
		}
	}
	return d
}

// addFields adds the fields of a struct like methods.
func (d *declarations) addFields(name string, of ast.Expr) {
	s, is := of.(*ast.StructType)
	if !is {
		return
	}
	for _, field := range s.Fields.List {
		for _, id := range field.Names {
			d.methods[name+"."+id.Name] = true
		}
	}
}

// missingIn returns the names in a document of a folder that the code does not have: files, names of
// packages, and methods of types of the folder's package.
func (d *declarations) missingIn(folder, text string) (missing []string) {
	for _, m := range dottedName.FindAllStringSubmatch(text, -1) {
		left, right := m[1], m[2]
		exists := true
		switch {
		case right == "go":
			exists = d.files[left+".go"]
		case d.types[folder+"/"+left]:
			exists = d.methods[folder+"/"+left+"."+right]
		case d.packages[left] && ast.IsExported(right):
			exists = d.names[left+"."+right]
		}
		if !exists {
			missing = append(missing, left+"."+right)
		}
	}
	for _, m := range methodsOf.FindAllStringSubmatch(text, -1) {
		for _, method := range quotedNames.FindAllStringSubmatch(m[2], -1) {
			if d.types[folder+"/"+m[1]] && !d.methods[folder+"/"+m[1]+"."+method[1]] {
				missing = append(missing, m[1]+"."+method[1])
			}
		}
	}
	return missing
}

// TestDesignsNameWhatThereIs: a DESIGN.md names only files, functions and methods that exist.
func TestDesignsNameWhatThereIs(t *testing.T) {
	module, err := gosource.Root()
	require.NoError(t, err)
	files, err := gosource.Load(module)
	require.NoError(t, err)
	d, designs := declared(files), 0
	require.NoError(t, gosource.Walk(module, func(name string) error {
		if path.Base(name) != "DESIGN.md" {
			return nil
		}
		designs++
		text, err := fs.ReadFile(module, name)
		require.Empty(t, d.missingIn(path.Dir(name), string(text)), "%s names what is not there", name)
		return err
	}))
	require.Greater(t, designs, 8)
	require.Equal(t, []string{"applier.flush", "nothing.go", "env.Nothing", "applier.carryOut"},
		d.missingIn("engine/store", strings.Join([]string{"`applier.flush`", "`applier.applyGroup`",
			"`nothing.go`",
			"`apply.go`", "`env.Nothing`", "`env.Env`", "`time.Nothing`", "`applier`: `enqueue`, `carryOut`"},
			" ")))
}
