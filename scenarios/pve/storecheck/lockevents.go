package storecheck

import (
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// A lock is a file, and each operation on it is one conditional change. So the model of the store judges
// these operations as well: what follows translates them.

// changeOf returns the change of the store that an operation on a lock is; f itself if it is none.
func changeOf(f string) string {
	switch f {
	case workload.Acquire, workload.Renew:
		return models.FCAS
	case workload.Release:
		return models.FDelete
	}
	return f
}

// changeEvent returns an event of the clients' history as the store sees it.
func changeEvent(e history.Event) history.Event {
	if !workload.IsLockOperation(e.F) {
		return e
	}
	e.F, e.Value = changeOf(e.F), nil
	if e.Type == history.Invoke && e.F == models.FCAS {
		e.Value = workload.JSON(e.ID) // the content names the request that wrote it
	}
	return e
}

// Served reports whether an operation of a client was served, by the model of the store.
func Served(op *history.Operation) bool {
	change := *op
	change.F = changeOf(op.F)
	return scenarios.ServedByModel(Model(), &change)
}
