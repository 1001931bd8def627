package storecheck

import (
	"context"
	"sync"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/linearizability/models"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/check"
)

// Model returns the model by which the store is judged.
var Model = sync.OnceValue(func() *linearizability.Model {
	m, err := models.Store(nil)
	if err != nil {
		panic("storecheck: the model of an empty store: " + err.Error())
	}
	return m
})

// checkHistory judges the clients' answers by the model of one copy, with the stores' logs as witness.
type checkHistory struct{ Cluster }

// Name implements check.Check.
func (checkHistory) Name() string { return "store" }

// Judge implements check.Check.
func (c checkHistory) Judge(ctx context.Context, e *Evidence) linearizability.Verdict {
	witness, err := e.Log.Witness()
	if err != nil {
		return check.Unknown(c.Name(), err)
	}
	files := *e.Run
	files.Events = make([]history.Event, 0, len(e.Run.Events))
	for _, event := range e.Run.Events {
		if c.Others == nil || !c.Others(event.F) {
			files.Events = append(files.Events, changeEvent(event))
		}
	}
	verdict := scenarios.CheckHistory(ctx, &files, Model(), witness)
	e.Run.Picture = files.Picture
	return verdict
}
