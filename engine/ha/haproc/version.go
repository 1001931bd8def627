package haproc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// VersionFile is the file on a machine's disk with the version of the HA manager that was last installed
// there. Without it, the program's own version counts.
const VersionFile = "ha/version"

// maxVersionBytes bounds the size of VersionFile.
const maxVersionBytes = 128

// installedVersion returns the version that a node publishes.
func (o *Options) installedVersion(e env.Env) string {
	data, err := env.ReadFile(e.Disk(), VersionFile, maxVersionBytes)
	if version := strings.TrimSpace(string(data)); err == nil && version != "" {
		return version
	}
	if o.Self.Version != "" {
		return o.Self.Version
	}
	return Version
}

// Upgrade installs another version of the HA manager on a machine, as far as other nodes can see: the
// node publishes that version now and after every restart. self is the rest of what it publishes.
func Upgrade(t *env.Task, e env.Env, store *client.Client, node string, self Info, version string) error {
	if err := env.ReplaceFile(e.Disk(), VersionFile, []byte(version+"\n")); err != nil {
		return fmt.Errorf("installing version %s: %w", version, err)
	}
	self.Version = version
	data, err := json.Marshal(self)
	if err != nil {
		return fmt.Errorf("encoding the version: %w", err)
	}
	_, err = store.Write(t, VersionPath(node), data)
	if errors.Is(err, client.ErrNotFound) {
		if err := store.Mkdir(t, env.Dir(VersionPath(node))); err != nil {
			return err
		}
		_, err = store.Write(t, VersionPath(node), data)
	}
	return err
}
