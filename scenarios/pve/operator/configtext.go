package operator

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// textEdit makes a file's new content from the old one.
type textEdit func(old string) (string, error)

// fileEdit returns the file that a command changes, and the change; nil if it changes no file at a
// fixed place.
func fileEdit(c *haspec.ParsedCommand) (path string, change textEdit) {
	switch c.Verb {
	case haspec.VerbSet:
		return haproc.ResourcesPath, func(old string) (string, error) {
			return WithProperty(old, c.SID, c.Key, c.Value)
		}
	case haspec.VerbAdd:
		return haproc.ResourcesPath, func(old string) (string, error) { return withService(old, c.SID) }
	case haspec.VerbRemove:
		return haproc.ResourcesPath, func(old string) (string, error) { return withoutService(old, c.SID) }
	case haspec.VerbDatacenter:
		return haproc.DatacenterPath, func(string) (string, error) { return c.Text, nil }
	case haspec.VerbCRM:
		return haproc.CommandsPath, func(old string) (string, error) { return old + c.Text, nil }
	}
	return "", nil
}

// guestEdit returns the change that a command makes to a guest's configuration.
func guestEdit(c *haspec.ParsedCommand) textEdit {
	return func(old string) (string, error) {
		switch c.Verb {
		case haspec.VerbLock:
			return withLine(old, "lock", c.Lock), nil
		case haspec.VerbUnlock:
			return withLine(old, "lock", ""), nil
		case haspec.VerbResize:
			sized := withLine(old, "cores", fmt.Sprint(c.Cores))
			return withLine(sized, "memory", fmt.Sprint(c.MemoryMiB)), nil
		}
		return "", fmt.Errorf("changing %s: %s changes no guest", c.SID, c.Verb)
	}
}

// WithProperty returns ha/resources.cfg with a property of a service set; the service must exist.
func WithProperty(resources, sid, key, value string) (string, error) {
	services, _, err := config.ParseResources(resources)
	if err != nil {
		return "", err
	}
	service := services[sid]
	if service == nil {
		return "", fmt.Errorf("setting %s of %s: there is no such service", key, sid)
	}
	if err := config.SetServiceProperty(service, key, value); err != nil {
		return "", err
	}
	return config.FormatResources(services), nil
}

// withService returns ha/resources.cfg with a service, started and with default settings if it is new.
func withService(resources, sid string) (string, error) {
	services, _, err := config.ParseResources(resources)
	if err != nil {
		return "", err
	}
	if services[sid] == nil {
		service := config.DefaultService(ha.SIDType(sid))
		service.State = ha.WantStarted
		services[sid] = service
	}
	return config.FormatResources(services), nil
}

// withoutService returns ha/resources.cfg without a service.
func withoutService(resources, sid string) (string, error) {
	services, _, err := config.ParseResources(resources)
	if err != nil {
		return "", err
	}
	delete(services, sid)
	return config.FormatResources(services), nil
}

// withLine gives a key of a guest's configuration a value; "" removes the key.
func withLine(text, key, value string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, key+":") {
			out.WriteString(line)
		}
	}
	if value != "" {
		fmt.Fprintf(&out, "%s: %s\n", key, value)
	}
	return out.String()
}
