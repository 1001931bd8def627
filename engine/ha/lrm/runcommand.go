package lrm

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// Resource is one type of service on one node. Calls return when they have succeeded or failed.
type Resource interface {
	// Running reports whether the service runs on this node.
	Running(sid string) bool
	// Start starts the service. Running reports whether that succeeded.
	Start(sid string)
	// Stop stops the service: in order within the timeout (nil for the default, 0 for at once), then by
	// force.
	Stop(sid string, timeoutSeconds *ha.Int)
	// Move moves the service to another node, online (while it runs) or stopped. It returns true when
	// the configuration is on the other node and nothing runs here.
	Move(sid, target string, online bool) bool
}

// RunCommand executes one command on the node of env. A worker calls it: it blocks as long as the resource
// does.
func RunCommand(env ha.Env, lookup func(kind string) Resource, cmd Command) ha.ExitCode {
	resource := lookup(ha.SIDType(cmd.SID))
	if resource == nil {
		env.Log(ha.LevelErr, fmt.Sprintf("service type '%s' not implemented", ha.SIDType(cmd.SID)))
		return ha.ExitUnknownType
	}
	services, err := env.ReadServiceConfig()
	if err != nil {
		env.Log(ha.LevelErr, fmt.Sprintf("unable to read service configuration - %v", err))
		return ha.ExitTryAgain
	}
	cd := services[cmd.SID]
	if cd == nil {
		env.Log(ha.LevelErr, fmt.Sprintf("missing resource configuration for '%s'", cmd.SID))
		return ha.ExitUnknownService
	}
	if cmd.State == ha.Error {
		env.Log(ha.LevelErr, fmt.Sprintf("service %s is in an error state and needs manual intervention. "+
			"Look up 'ERROR RECOVERY' in the documentation.", cmd.SID))
		return ha.ExitSuccess
	}
	if cd.Node != env.NodeName() {
		env.Log(ha.LevelErr, fmt.Sprintf("service '%s' not on this node", cmd.SID))
		return ha.ExitWrongNode
	}
	switch cmd.State {
	case ha.Started:
		return runStart(env, resource, cmd)
	case ha.RequestStop, ha.Stopped:
		return runStop(env, resource, cmd)
	case ha.Migrate, ha.Relocate, ha.RequestStartBalance:
		return runMove(env, resource, cmd)
	}
	env.Log(ha.LevelErr, fmt.Sprintf("unknown command '%s' for service '%s'", cmd.State, cmd.SID))
	return ha.ExitUnknownCommand
}

func runStart(env ha.Env, resource Resource, cmd Command) ha.ExitCode {
	if resource.Running(cmd.SID) {
		return ha.ExitSuccess
	}
	env.Log(ha.LevelInfo, "starting service "+cmd.SID)
	resource.Start(cmd.SID)
	if !resource.Running(cmd.SID) {
		env.Log(ha.LevelWarning, "unable to start service "+cmd.SID)
		return ha.ExitError
	}
	env.Log(ha.LevelInfo, fmt.Sprintf("service status %s started", cmd.SID))
	return ha.ExitSuccess
}

func runStop(env ha.Env, resource Resource, cmd Command) ha.ExitCode {
	if !resource.Running(cmd.SID) {
		return ha.ExitSuccess
	}
	if cmd.TimeoutSeconds != nil {
		env.Log(ha.LevelInfo, fmt.Sprintf("stopping service %s (timeout=%d)", cmd.SID, *cmd.TimeoutSeconds))
	} else {
		env.Log(ha.LevelInfo, "stopping service "+cmd.SID)
	}
	resource.Stop(cmd.SID, cmd.TimeoutSeconds)
	if resource.Running(cmd.SID) {
		env.Log(ha.LevelInfo, fmt.Sprintf("unable to stop service %s (still running)", cmd.SID))
		return ha.ExitError
	}
	env.Log(ha.LevelInfo, fmt.Sprintf("service status %s stopped", cmd.SID))
	return ha.ExitSuccess
}

func runMove(env ha.Env, resource Resource, cmd Command) ha.ExitCode {
	switch cmd.Target {
	case "":
		env.Log(ha.LevelErr, fmt.Sprintf("%s '%s' failed - missing target", cmd.State, cmd.SID))
		return ha.ExitInvalidParameter
	case ha.NoTarget:
		env.Log(ha.LevelErr, fmt.Sprintf("%s '%s' failed - missing target", cmd.State, cmd.SID))
		env.Log(ha.LevelErr, fmt.Sprintf("resource agent %s finished - failed to execute", cmd.SID))
		return ha.ExitNotExecuted
	}
	if cmd.Target == env.NodeName() {
		return ha.ExitSuccess
	}
	if cmd.State == ha.RequestStartBalance && resource.Running(cmd.SID) {
		env.Log(ha.LevelInfo, fmt.Sprintf("ignoring rebalance-on-start for service %s - already running",
			cmd.SID))
		return ha.ExitIgnored
	}
	if !resource.Move(cmd.SID, cmd.Target, cmd.State == ha.Migrate) {
		env.Log(ha.LevelErr, fmt.Sprintf("service %s not moved (migration error)", cmd.SID))
		return ha.ExitError
	}
	return ha.ExitSuccess
}
