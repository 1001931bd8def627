package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// saved is the record of a process that has made a value durable, as it believes.
type saved struct{}

func (saved) RecordKind() string { return "saved" }

func (saved) ReportsDurable() {}

// TestReportsOfDurabilityAreCompared: a process reports a write as durable. The simulator looks at the disk.
func TestReportsOfDurabilityAreCompared(t *testing.T) {
	for name, c := range map[string]struct {
		sync   bool
		faults []fault.Fault
		want   error
		state  scenarios.DiskState
	}{
		"after a sync":    {true, nil, nil, scenarios.DiskState{SyncedWrites: 1}},
		"before the sync": {false, nil, world.ErrNotDurable, scenarios.DiskState{Unsynced: 1}},
		"after a failed sync": {true, []fault.Fault{{Kind: fault.DiskError, Operation: "sync"}},
			world.ErrNotDurable, scenarios.DiskState{Unsynced: 1}},
		"a refused write": {true, []fault.Fault{{Kind: fault.DiskError, Operation: "write"}}, nil,
			scenarios.DiskState{}},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []scenarios.Stamped
			w := world.New(world.Config{Seed: 1, Names: scenarios.Count(1),
				Builder: cast{"a": func() *script {
					return &script{
						start: func(e env.Env) error { e.SetTimer(1, 10*time.Millisecond); return nil },
						step: func(e env.Env, _ env.Event) {
							f, err := e.Disk().Open("f", env.Create)
							if err == nil {
								_, _ = f.WriteAt([]byte("x"), 0) // a process that does not look at errors
								if c.sync {
									_ = f.Sync()
								}
							}
							e.Emit(saved{})
						},
					}
				}}, OnRecord: func(r scenarios.Stamped) error {
					if _, is := r.Record.(saved); is {
						seen = append(seen, r)
					}
					return nil
				}}, choice.New(choice.Options{Seed: 1}))
			t.Cleanup(w.Close)
			for i := range c.faults {
				inject(t, w.MachineAt(0), &c.faults[i])
			}
			w.MachineAt(0).PowerOn()
			require.ErrorIs(t, w.Kernel.Run(int64(time.Second)), c.want)
			require.Len(t, seen, 1)
			require.Equal(t, &c.state, seen[0].Disk)
		})
	}
}
