package nodemain

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostwatchdog"
)

// bootEnv is the environment variable in which a supervisor gives its program the id of this boot; it
// replaces the machine file's boot id.
const bootEnv = "HOLDFAST_BOOT_ID"

// SuperviseArg is the argument with which a supervisor starts its own executable again as the
// machine itself: commands that call [Main] must pass their arguments to [RunMachine] first.
const SuperviseArg = "supervise-machine"

// errSupervise means that the configuration has nothing to supervise.
var errSupervise = errors.New("cannot supervise this machine")

// superviseSocket is the path of the watchdog socket to serve.
func superviseSocket(cfg *host.Config) (string, error) {
	switch path := cfg.Watchdog; {
	case path == "", path == hostwatchdog.None:
		return "", fmt.Errorf("%w: the machine file names no watchdog: write \"watchdog\": \"watchdog.sock\"",
			errSupervise)
	case filepath.Dir(path) == "/dev":
		return "", fmt.Errorf(
			"%w: its watchdog is the device %s, which resets it already; run the program without --supervise",
			errSupervise, path)
	default:
		return path, nil
	}
}
