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

// Capability is something that a computer can or cannot do.
type Capability struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// Remedy is the command or step that would provide what is missing.
	Remedy string `json:"remedy,omitempty"`
	// Needed means that no run is possible without it; otherwise only a part of the program is
	// affected.
	Needed bool `json:"needed,omitempty"`
}

// doctorCommand is the command "doctor".
type doctorCommand struct{ *app }

func (a doctorCommand) cobraCommand() *cobra.Command {
	var asJSON, clean bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine's capabilities",
		Long: `Checks what this machine can run, and prints a remedy for everything that is missing.
The simulator needs nothing special; real nodes need Linux and root. Nothing is changed, except that
--clean removes what killed runs have left.`,
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

func (a doctorCommand) clean() error {
	for _, b := range a.Backends {
		if b.CleanUp == nil {
			continue
		}
		runs, err := b.CleanUp()
		if err != nil {
			return internalError(err)
		}
		for _, id := range runs {
			fmt.Fprintf(a.Stderr, "removed what was left of run %s\n", id)
		}
	}
	return nil
}

func (a doctorCommand) doctor(ctx context.Context, asJSON bool) error {
	found := basicCapabilities()
	for _, b := range a.Backends {
		if b.Doctor != nil {
			found = append(found, b.Doctor(ctx)...)
		}
	}
	if a.Config.Doctor != nil {
		found = append(found, a.Config.Doctor(ctx)...)
	}
	missing := false
	for _, c := range found {
		missing = missing || c.Needed && !c.OK
		if asJSON {
			if err := json.NewEncoder(a.Stdout).Encode(c); err != nil {
				return internalError(err)
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
		return &exit{ExitInvalid, errors.New("this machine cannot run anything: see above")}
	}
	return nil
}

// basicCapabilities checks what every program needs.
func basicCapabilities() []Capability {
	simulator := Capability{Name: "simulator", OK: true, Needed: true,
		Detail: fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH,
			runtime.NumCPU())}

	folder := Capability{Name: "run folders", OK: true, Needed: true, Detail: "can be written here"}
	if temp, err := os.MkdirTemp(".", ".holdfast-doctor-*"); err != nil {
		folder.OK, folder.Detail = false, err.Error()
		folder.Remedy = "change to a writable folder, or name one with --runs"
	} else if err := os.Remove(temp); err != nil {
		folder.Detail = "can be written here, but not removed: " + err.Error()
	}

	race := Capability{Name: "race detector", OK: true, Detail: "a C compiler is installed"}
	if _, err := exec.LookPath("cc"); err != nil {
		if _, err = exec.LookPath("gcc"); err != nil {
			race.OK, race.Detail = false, "no C compiler, which go test -race needs"
			race.Remedy = "install gcc or clang, for example: apt-get install gcc"
		}
	}
	return []Capability{simulator, folder, race}
}
