package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
)

// Capability is something that a machine can or cannot do.
type Capability struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Remedy is the command or step that would change a no into a yes.
	Remedy string `json:"remedy,omitempty"`
	// Needed says that without it the program cannot do its main work; else only a part is
	// missing.
	Needed bool `json:"needed,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON, clean bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do, and what it takes to do the rest",
		Long: `Looks at what this machine can do: the simulator needs nothing, real nodes need a Linux kernel and
rights. Each gap comes with what would close it. Nothing is changed, unless --clean asks for the
removal of what runs have left that were killed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if clean {
				if err := a.clean(); err != nil {
					return err
				}
			}
			return a.doctor(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&clean, "clean", false, "remove what killed runs have left")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON for each")
	return cmd
}

func (a *app) clean() error {
	if a.Config.CleanUp == nil {
		return nil
	}
	runs, err := a.Config.CleanUp()
	if err != nil {
		return internal(err)
	}
	for _, id := range runs {
		fmt.Fprintf(a.Stderr, "removed what was left of run %s\n", id)
	}
	return nil
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	found := basics()
	if a.Config.Doctor != nil {
		found = append(found, a.Config.Doctor(ctx)...)
	}
	missing := false
	for _, c := range found {
		missing = missing || c.Needed && !c.OK
		if asJSON {
			if err := json.NewEncoder(a.Stdout).Encode(c); err != nil {
				return internal(err)
			}
			continue
		}
		mark := "yes"
		if !c.OK {
			mark = "no "
		}
		fmt.Fprintf(a.Stdout, "%s  %s: %s\n", mark, c.Name, c.Detail)
		if !c.OK && c.Remedy != "" {
			fmt.Fprintf(a.Stdout, "     %s\n", c.Remedy)
		}
	}
	if missing {
		return &exit{ExitInvalid, errors.New("this machine lacks what every run needs")}
	}
	return nil
}

// basics look at what has nothing to do with real nodes.
func basics() []Capability {
	simulator := Capability{Name: "simulator", OK: true, Needed: true,
		Detail: fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}

	folder := Capability{Name: "run folders", OK: true, Needed: true, Detail: "can be written here"}
	if temp, err := os.MkdirTemp(".", ".holdfast-doctor-*"); err != nil {
		folder.OK, folder.Detail = false, err.Error()
		folder.Remedy = "go to a folder that you may write to, or name one with --runs"
	} else if err := os.Remove(temp); err != nil {
		folder.Detail = "can be written here, but not removed: " + err.Error()
	}

	race := Capability{Name: "race detector", OK: true, Detail: "a C compiler is there"}
	if _, err := exec.LookPath("cc"); err != nil {
		if _, err = exec.LookPath("gcc"); err != nil {
			race.OK, race.Detail = false, "there is no C compiler, which go test -race needs"
			race.Remedy = "install gcc or clang, for example: apt-get install gcc"
		}
	}
	return []Capability{simulator, folder, race}
}
