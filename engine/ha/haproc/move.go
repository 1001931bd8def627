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

// Move implements lrm.Resource. A running resource changes hands while it stands still for a moment,
// where the driver can do that and the order says so; else it is stopped first. The configuration
// moves when nothing runs here; what has become of that is always found out, because both nodes
// act on it.
func (r *resourceOf) Move(sid, target string, online bool) bool {
	w := r.env
	if online && r.Running(sid) {
		handed, err := r.migrate(sid, target)
		if !errors.Is(err, resource.ErrNoMigration) {
			if err != nil {
				w.Log(ha.LevelErr, "migrating "+sid+": "+err.Error())
			}
			return handed
		}
		w.Log(ha.LevelInfo, "migrating "+sid+": it cannot move while it runs, and is stopped for that")
	}
	if r.Running(sid) {
		r.Stop(sid, nil)
		if r.Running(sid) {
			return false
		}
	}
	if err := w.handOver(sid, target); err != nil {
		w.Log(ha.LevelErr, "moving the configuration of "+sid+": "+err.Error())
		return false
	}
	return true
}

// migrate moves a running resource and says whether it has changed hands.
func (r *resourceOf) migrate(sid, target string) (handed bool, err error) {
	w := r.env
	err = r.driver.Migrate(w.task, sid, target, &resource.Migration{
		Timeout: w.opts.moveTimeout(),
		Progress: func(percent int) {
			w.env.Emit(MoveProgress{UID: r.cmd.UID, SID: sid, Target: target, Percent: percent})
			w.Log(ha.LevelInfo, fmt.Sprintf("migrating %s to %s: %d%%", sid, target, percent))
		},
		Cancelled: func() bool {
			why := r.unwanted()
			if why != "" {
				w.Log(ha.LevelWarning, "migrating "+sid+" is cancelled: "+why)
			}
			return why != ""
		},
		Commit: func() error {
			err := w.handOver(sid, target)
			handed = err == nil
			if !handed {
				w.Log(ha.LevelErr, "moving the configuration of "+sid+": "+err.Error())
			}
			return err
		},
	})
	return handed, err
}

// unwanted says why a move that is under way should be given up: nobody wants it any more, or
// this node goes down and its services are to be stopped.
func (r *resourceOf) unwanted() string {
	w := r.env
	if shutdown, _ := w.NodeShutdown(); shutdown && r.lrm != nil && r.lrm.Mode() != ha.ModeMaintenance {
		return "the node goes down"
	}
	w.forget()
	status, err := w.ReadManagerStatus()
	if err != nil {
		return "" // nobody can be asked
	}
	sd := status.ServiceStatus[r.cmd.SID]
	switch {
	case sd == nil:
		return "the service is not looked after any more"
	case sd.UID != r.cmd.UID:
		return "the manager has changed its mind"
	}
	return ""
}

// handOver moves the configuration of a resource that does not run here. Nil means that it has
// moved, an error that it certainly has not; then it is here still, unless the error is
// resource.ErrLost: it is neither here nor there, so somebody else has it.
func (w *storeEnv) handOver(sid, target string) error {
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
		w.task.Sleep(w.seconds(1))
	}
}

// lrmOf is what a resource needs to know of the LRM that it is moved for.
type lrmOf interface{ Mode() ha.Mode }

var _ lrmOf = (*lrm.LRM)(nil)
