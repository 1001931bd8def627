package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/containernetworking/plugins/pkg/ns"
	"golang.org/x/sys/unix"

	"github.com/holdfast-sim/holdfast/chaos/lease"
)

// Why returns why real nodes are not possible here; nil if they are.
func Why() error {
	for _, c := range Doctor() {
		if c.Required && !c.OK {
			return fmt.Errorf("%w: %s: %s; %s", ErrNeeds, c.Name, c.Detail, c.Remedy)
		}
	}
	return nil
}

// CleanUp removes what killed runs have left, and returns their ids.
func CleanUp() ([]string, error) { return lease.Clean(lease.Root()) }

// Doctor returns what this machine can do for real nodes. It changes nothing.
func Doctor() []Capability {
	return []Capability{probeRoot(), probeNamespaces(), probeTUN(), probeStateDir(), probeCgroups(),
		probeLeftovers(),
		probeDevice("fuse", "/dev/fuse",
			"disk faults on real nodes will need it; load the module: modprobe fuse"),
		probeNetem()}
}

func probeRoot() Capability {
	c := Capability{Name: "root", Required: true, OK: os.Geteuid() == 0, Detail: "running as root",
		Remedy: "run as root: sudo, or make netns-test in a privileged container"}
	if !c.OK {
		c.Detail = fmt.Sprintf("running as user %d", os.Geteuid())
	}
	return c.withoutNeedlessRemedy()
}

// withoutNeedlessRemedy drops the remedy of what needs none.
func (c Capability) withoutNeedlessRemedy() Capability {
	if c.OK {
		c.Remedy = ""
	}
	return c
}

func probeNamespaces() Capability {
	c := Capability{Name: "namespaces", Required: true, Detail: "network namespaces can be made",
		Remedy: "give this process CAP_SYS_ADMIN, for example with docker run --privileged"}
	err := tryNamespace()
	c.OK = err == nil
	if err != nil {
		c.Detail = err.Error()
	}
	return c.withoutNeedlessRemedy()
}

// tryNamespace makes a nameless namespace on a thread that ends with it.
func tryNamespace() error {
	result := make(chan error, 1)
	go func() {
		home, err := ns.GetCurrentNS()
		if err != nil {
			result <- err
			return
		}
		defer home.Close()
		result <- home.Do(func(ns.NetNS) error { return unix.Unshare(unix.CLONE_NEWNET) })
	}()
	return <-result
}

func probeTUN() Capability {
	c := probeDevice("tun", "/dev/net/tun",
		"load the module: modprobe tun; in a container add --device /dev/net/tun")
	c.Required = true
	return c
}

func probeDevice(name, path, remedy string) Capability {
	c := Capability{Name: name, Detail: path + " is there", Remedy: remedy}
	_, err := os.Stat(path)
	c.OK = err == nil
	if err != nil {
		c.Detail = err.Error()
	}
	return c.withoutNeedlessRemedy()
}

func probeStateDir() Capability {
	dir := lease.Root()
	c := Capability{Name: "state", Required: true, Detail: dir + " can be written",
		Remedy: "set HOLDFAST_STATE_DIR to a directory with a short path that you may write"}
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = unix.Access(dir, unix.W_OK)
	}
	c.OK = err == nil
	if err != nil {
		c.Detail = err.Error()
	}
	return c.withoutNeedlessRemedy()
}

func probeCgroups() Capability {
	c := Capability{Name: "cgroups", Detail: "version 2, processes are paused at one instant",
		Remedy: "mount cgroup2 and allow groups to be made in it; without it processes are paused one by one"}
	group, err := lease.NewCgroup(fmt.Sprintf("%sdoctor-%d", lease.Prefix, os.Getpid()))
	if err == nil {
		err = group.Remove()
	}
	c.OK = err == nil
	if err != nil {
		c.Detail = err.Error()
	}
	return c.withoutNeedlessRemedy()
}

func probeLeftovers() Capability {
	c := Capability{Name: "leftovers", Detail: "no killed run has left anything",
		Remedy: "the next run removes them, and so does: holdfast doctor --clean"}
	ids, err := lease.Orphans(lease.Root())
	c.OK = err == nil && len(ids) == 0
	switch {
	case err != nil:
		c.Detail = err.Error()
	case len(ids) > 0:
		c.Detail = "killed runs have left something: " + strings.Join(ids, ", ")
	}
	return c.withoutNeedlessRemedy()
}

// probeNetem looks for the kernel's own network emulation. Nothing here needs it.
func probeNetem() Capability {
	c := Capability{Name: "netem", Detail: "the kernel's network emulation is there; it is not used",
		Remedy: "nothing to do: the switch in user space does its work"}
	err := exec.Command("modinfo", "sch_netem").Run()
	if _, missing := os.Stat("/sys/module/sch_netem"); err != nil && missing != nil {
		c.Detail = "not found; it is not needed"
		if errors.Is(err, exec.ErrNotFound) {
			c.Detail = "not loaded, and there is no modinfo to look for it; it is not needed"
		}
		return c
	}
	c.OK = true
	return c.withoutNeedlessRemedy()
}
