package haproc

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// DefaultMoveTimeout ends the attempt to move a running resource.
const DefaultMoveTimeout = 30 * time.Minute

func (o *Options) moveTimeout() time.Duration {
	if o.MoveTimeout > 0 {
		return o.MoveTimeout
	}
	return o.Timescale.Of(DefaultMoveTimeout)
}

// Move implements lrm.Resource. If the driver supports it and the command allows it, a running resource
// is migrated live; otherwise it is stopped first. The configuration moves when nothing runs here. Move
// always finds out whether the configuration has moved, because both nodes act on it.
func (r *managedResource) Move(sid, target string, online bool) bool {
	w := r.env
	if online && r.Running(sid) {
		handed, err := r.migrateRunning(sid, target)
		if !errors.Is(err, resource.ErrNoMigration) {
			if err != nil {
				w.Log(ha.LevelErr, "migrating "+sid+": "+err.Error())
			}
			return handed
		}
		w.Log(ha.LevelInfo, "migrating "+sid+": it cannot move while it runs, so it is stopped first")
	}
	if r.Running(sid) {
		r.Stop(sid, nil)
		if r.Running(sid) {
			return false
		}
	}
	if err := w.moveIdleConfiguration(sid, target); err != nil {
		w.Log(ha.LevelErr, "moving the configuration of "+sid+": "+err.Error())
		return false
	}
	return true
}

// migrateRunning moves a running resource and reports whether it was handed over.
func (r *managedResource) migrateRunning(sid, target string) (handed bool, err error) {
	w := r.env
	err = r.driver.Migrate(w.task, sid, target, &resource.Migration{
		Timeout: w.opts.moveTimeout(),
		Progress: func(percent int) {
			w.env.Emit(MoveProgress{UID: r.command.UID, SID: sid, Target: target, Percent: percent})
			w.Log(ha.LevelInfo, fmt.Sprintf("migrating %s to %s: %d%%", sid, target, percent))
		},
		Cancelled: func() bool {
			why := r.abandonReason()
			if why != "" {
				w.Log(ha.LevelWarning, "migrating "+sid+" is cancelled: "+why)
			}
			return why != ""
		},
		Commit: func() error {
			err := w.moveIdleConfiguration(sid, target)
			handed = err == nil
			if !handed {
				w.Log(ha.LevelErr, "moving the configuration of "+sid+": "+err.Error())
			}
			return err
		},
	})
	return handed, err
}

// abandonReason returns why a move in progress should be given up, "" if it should not: the manager no longer
// wants it, or this node goes down and its services must stop.
func (r *managedResource) abandonReason() string {
	w := r.env
	if shutdown, _ := w.NodeShutdown(); shutdown && r.modeOf != nil && r.modeOf.Mode() != ha.ModeMaintenance {
		return "the node goes down"
	}
	w.dropCache()
	status, err := w.ReadManagerStatus()
	if err != nil {
		return "" // the manager's decision is not known
	}
	sd := status.ServiceStatus[r.command.SID]
	switch {
	case sd == nil:
		return "HA no longer manages the service"
	case sd.UID != r.command.UID:
		return "the manager has given another command"
	}
	return ""
}

// moveIdleConfiguration moves the configuration of a resource that does not run here. Nil means that it has
// moved. An error means that it certainly has not and is still here, except for resource.ErrLost: then it is
// on neither node, because another node has it.
func (w *storeEnv) moveIdleConfiguration(sid, target string) error {
	uncertain := false
	for {
		err := w.moveGuest(sid, w.opts.Node, target)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, client.ErrUnknown):
			uncertain = true
		case errors.Is(err, client.ErrNotFound):
			return fmt.Errorf("%w: %w", resource.ErrLost, err)
		case !uncertain:
			return err
		}
		w.task.Sleep(w.scaledSeconds(1))
	}
}

// modeReader is what a resource needs from the LRM for which it is moved.
type modeReader interface{ Mode() ha.Mode }

var _ modeReader = (*lrm.LRM)(nil)
