package archtest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/gosource"
)

func TestModule(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	files, err := gosource.Load(root)
	require.NoError(t, err)
	require.Greater(t, len(files), 50, "the module has more files than that; is this its root?")
	for _, problem := range Check(files) {
		t.Error(problem)
	}
}

// TestPlanted puts one violation of each rule into a module that is otherwise sound.
func TestPlanted(t *testing.T) {
	ours := func(folder string) string { return `import _ "` + gosource.ModulePath + "/" + folder + `"` }
	for _, c := range []struct{ file, code, want string }{
		{"engine/env/x.go", ours("engine/ring"), "engine/env may not import engine/ring: the env interface"},
		{"engine/env/x.go", `import _ "golang.org/x/term"`, "engine/env may not import golang.org/x/term"},
		{"linearizability/models/x.go", ours("scenarios"), "linearizability/models may not import scenarios"},
		{"scenarios/fault/x.go", ours("engine/env"), "scenarios/fault may not import engine/env"},
		{"engine/host/x.go", ours("engine/totem"), "engine/host may not import engine/totem: the host runs"},
		{"engine/totem/x.go", ours("sim"), "engine/totem may not import sim"},
		{"engine/totem/x.go", ours("scenarios/fault"), "engine/totem may not import scenarios/fault"},
		{"engine/totem/x_test.go", ours("sim/simtest"), "engine/totem may not import sim/simtest"},
		{"scenarios/register/x.go", ours("engine/node"), "scenarios/register may not import engine/node"},
		{"scenarios/x.go", ours("scenarios/pve"), "scenarios may not import scenarios/pve"},
		{"scenarios/pve/x.go", ours("sim"), "scenarios/pve may not import sim"},
		{"sim/world/x.go", ours("engine/totem"), "sim/world may not import engine/totem"},
		{"sim/x.go", ours("chaos"), "sim may not import chaos"},
		{"sim/x_test.go", ours("scenarios/pve"), "sim may not import scenarios/pve"},
		{"chaos/x.go", ours("sim/choice"), "chaos may not import sim/choice"},
		{"chaos/x.go", ours("engine/host"), "chaos may not import engine/host"},
		{"reports/x.go", ours("sim"), "reports may not import sim"},
		{"reports/x.go", ours("scenarios/pve"), "reports may not import scenarios/pve"},
		{"extras/x.go", "", "extras: package is in no layer"},
		{"x.go", "", ".: package is in no layer"},
		{"engine/totem/x.go", `import _ "os"`, "import of os in engine/totem"},
		{"engine/totem/x.go", `import _ "net/http"`, "import of net/http"},
		{"engine/ha/x.go", `import _ "sync/atomic"`, "import of sync/atomic"},
		{"engine/ha/x.go", `import _ "math/rand/v2"`, "import of math/rand/v2"},
		{"engine/ha/x.go", `import clock "time"; var x = clock.Now`, "time.Now in engine/ha"},
		{"engine/ha/x.go", `import "time"; func f() { time.Sleep(1) }`, "time.Sleep in engine/ha"},
		{"engine/ha/x.go", `func f() { go f() }`, "go statement"},
		{"engine/ha/x.go", `var c chan int`, "channel"},
		{"engine/ha/x.go", `func f() { select {} }`, "select statement"},
	} {
		problems := check(t, c.file, c.code)
		require.Len(t, problems, 1, "%s: %s", c.file, c.code)
		require.Contains(t, problems[0], c.want)
	}
}

// TestAllowed are the counterparts that must pass.
func TestAllowed(t *testing.T) {
	ours := func(folder string) string { return `import _ "` + gosource.ModulePath + "/" + folder + `"` }
	for _, c := range []struct{ file, code string }{
		{"engine/env/envtest/x.go", ours("engine/env")},
		{"engine/env/x_test.go", `import _ "github.com/stretchr/testify/require"`},
		{"engine/host/x.go", ours("engine/env") + `; import _ "net"; func f() { go f() }`},
		{"engine/totem/x.go", ours("engine/env") + `; import _ "net/netip"; import _ "time"`},
		{"engine/totem/x_test.go", `import _ "os"`},
		{"scenarios/pve/x.go", ours("engine/node")},
		{"scenarios/pve/x_test.go", ours("sim/simtest")},
		{"scenarios/register/x_test.go", ours("sim/simtest")},
		{"sim/x_test.go", ours("scenarios/register")},
		{"chaos/x_test.go", ours("engine/host")},
		{"cmd/x/x.go", ours("scenarios/pve") + ";" + ours("chaos")},
	} {
		require.Empty(t, check(t, c.file, c.code), "%s: %s", c.file, c.code)
	}
}

func check(t *testing.T, file, code string) []string {
	name := "x"
	if strings.HasSuffix(file, "_test.go") {
		name = "x_test"
	}
	files, err := gosource.Load(fstest.MapFS{
		file:                   {Data: []byte("package " + name + "\n" + code + "\n")},
		"other/go.mod":         {Data: []byte("module other")},
		"other/x.go":           {Data: []byte("package other; not even Go")},
		"engine/testdata/x.go": {Data: []byte("not Go either")},
	})
	require.NoError(t, err)
	return Check(files)
}

// TestExceptionsAreUsed fails when an exception has outlived its package.
func TestExceptionsAreUsed(t *testing.T) {
	root, err := gosource.Root()
	require.NoError(t, err)
	files, err := gosource.Load(root)
	require.NoError(t, err)
	for pattern, why := range NotProtocol {
		require.NotEmpty(t, why)
		used := false
		for _, f := range files {
			used = used || in([]string{pattern}, f.Dir)
		}
		if !used {
			t.Logf("no package is in %s", pattern)
		}
	}
}
