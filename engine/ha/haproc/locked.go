package haproc

import (
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/lrm"
	"github.com/holdfast-sim/holdfast/engine/resource"
)

// lockedGuestCheck keeps a worker from starting or moving a guest whose configuration is locked: another
// operation is working on the guest.
type lockedGuestCheck struct {
	lrm.Resource
	env    *storeEnv
	driver resource.Driver
}

var _ lrm.Resource = lockedGuestCheck{}

// Start implements lrm.Resource.
func (l lockedGuestCheck) Start(sid string) {
	if !l.refusedByLock(sid, "start") {
		l.Resource.Start(sid)
	}
}

// Move implements lrm.Resource.
func (l lockedGuestCheck) Move(sid, target string, online bool) bool {
	if d, asks := l.driver.(leaveRefuser); asks {
		if err := d.MayLeave(sid); err != nil {
			l.env.Log(ha.LevelErr, "moving "+sid+": "+err.Error())
			return false
		}
	}
	return !l.refusedByLock(sid, "migrate") && l.Resource.Move(sid, target, online)
}

// leaveRefuser is a driver that is asked before a resource is moved.
type leaveRefuser interface{ MayLeave(sid string) error }

// refusedByLock reports whether a guest is locked, and logs it. A configuration that cannot be read counts as
// not locked; the operation itself reports that error.
func (l lockedGuestCheck) refusedByLock(sid, doing string) bool {
	f, err := l.env.readFile(GuestPath(sid, l.env.opts.Node))
	if err != nil {
		return false
	}
	lock := resource.ParseConf(f.data).Lock
	if lock == "" {
		return false
	}
	l.env.env.Probe("ha/guest-locked")
	l.env.Log(ha.LevelErr, fmt.Sprintf("service '%s' locked (%s), unable to %s!", sid, lock, doing))
	return true
}
