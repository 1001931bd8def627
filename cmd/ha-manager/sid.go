package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/ids"
	"github.com/holdfast-sim/holdfast/engine/ha"
)

// resolveSID returns the service that a word names: a service id, or the number of a guest.
func (a *api) resolveSID(ctx context.Context, word string) (string, error) {
	if err := ids.CheckSIDForm(word); err != nil || !ids.IsNumber(word) {
		return word, err
	}
	present, err := a.listFiles(ctx, nodesDir)
	if err != nil {
		return "", err
	}
	guests := nodeByGuest(present)
	for _, kind := range ids.Kinds {
		if sid := kind + ":" + word; guests[sid] != "" {
			return sid, nil
		}
	}
	return "", fmt.Errorf("unable to detect SID from VMID - VM/CT %s does not exist", word)
}

// isManaged reports whether HA manages a resource now.
func (v *view) isManaged(sid string) bool {
	cd, d := v.services[sid], v.managerStatus.Disarm
	return cd != nil && cd.State != ha.WantIgnored && (d == nil || d.Mode != ha.DisarmIgnore)
}

// checkManaged returns an error for a resource that HA does not manage now.
func checkManaged(v *view, sid string) error {
	if !v.isManaged(sid) {
		return fmt.Errorf("resource '%s' is not HA managed", sid)
	}
	return nil
}

// errInErrorState means that a service must be disabled before it can be asked for anything else.
var errInErrorState = errors.New("in error state, must be disabled and fixed first")

// checkServiceState returns an error for a request to a service in state error, unless the request
// disables it.
func (v *view) checkServiceState(sid, requested string) error {
	sd := v.managerStatus.ServiceStatus[sid]
	if !v.isManaged(sid) || sd == nil || sd.State != ha.Error || requested == string(ha.WantDisabled) {
		return nil
	}
	return fmt.Errorf("service '%s' %w: `ha-manager set %s --state disabled`", sid, errInErrorState, sid)
}
