package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The methods of this file begin and end faults of a machine. Faults of the same kind on the same
// target may overlap: the target recovers when the last of them ends.

func (m *machine) beginKill(ctx context.Context, process string) error {
	m.activeKills[process]++
	if m.activeKills[process] > 1 {
		return nil
	}
	if process == "" {
		return m.killProgram()
	}
	return m.controlProcess(ctx, func(ctx context.Context, d ProcessDriver) error {
		return d.KillProcess(ctx, m.Machine, process)
	})
}

func (m *machine) endKill(ctx context.Context, process string) error {
	m.activeKills[process]--
	if m.activeKills[process] > 0 {
		return nil
	}
	if process == "" {
		return m.restartProgram(ctx)
	}
	return m.controlProcess(ctx, func(ctx context.Context, d ProcessDriver) error {
		return d.StartProcess(ctx, m.Machine, process)
	})
}

// restartProgram starts the program again, now or at the end of the machine's pause: a program that is
// started in a frozen control group would freeze before it runs.
func (m *machine) restartProgram(ctx context.Context) error {
	if m.activePauses[""] > 0 {
		m.startAfterPause = true
		return nil
	}
	m.startAfterPause = false
	if err := m.startProgram(); err != nil {
		return err
	}
	return m.pauseAgain(ctx)
}

// pauseAgain pauses those processes of a restarted program whose pause fault is still active.
func (m *machine) pauseAgain(ctx context.Context) error {
	var failed []error
	for process, count := range m.activePauses {
		if process != "" && count > 0 {
			failed = append(failed, m.controlProcess(ctx, func(ctx context.Context, d ProcessDriver) error {
				return d.PauseProcess(ctx, m.Machine, process)
			}))
		}
	}
	return errors.Join(failed...)
}

func (m *machine) beginPause(ctx context.Context, process string) error {
	m.activePauses[process]++
	if m.activePauses[process] > 1 {
		return nil
	}
	if process == "" {
		return m.node.Pause()
	}
	if m.activeKills[""] > 0 {
		return nil // it is paused when its program starts
	}
	return m.controlProcess(ctx, func(ctx context.Context, d ProcessDriver) error {
		return d.PauseProcess(ctx, m.Machine, process)
	})
}

func (m *machine) endPause(ctx context.Context, process string) error {
	if m.activePauses[process] == 0 {
		return nil // a reset of the machine has ended the pause
	}
	m.activePauses[process]--
	if m.activePauses[process] > 0 {
		return nil
	}
	if process != "" {
		if m.activeKills[""] > 0 {
			return nil
		}
		return m.controlProcess(ctx, func(ctx context.Context, d ProcessDriver) error {
			return d.ResumeProcess(ctx, m.Machine, process)
		})
	}
	if err := m.node.Resume(); err != nil {
		return err
	}
	if m.startAfterPause {
		return m.restartProgram(ctx)
	}
	return nil
}

// changeClock adds to the offset and the drift of the machine's clock.
func (m *machine) changeClock(ctx context.Context, step time.Duration, driftPPM int64) error {
	d, ok := m.run.driver.(ClockDriver)
	if !ok {
		return fmt.Errorf("the clock of %s: %w", m.Name, errors.ErrUnsupported)
	}
	m.clockOffset += step
	m.clockDriftPPM += driftPPM
	return retry(ctx, func(ctx context.Context) error {
		return d.SetClock(ctx, m.Machine, m.clockOffset, m.clockDriftPPM)
	})
}

// controlProcess sends the program a request that begins or ends a fault of one process.
func (m *machine) controlProcess(ctx context.Context, do func(context.Context, ProcessDriver) error) error {
	d, ok := m.run.driver.(ProcessDriver)
	if !ok {
		return fmt.Errorf("a single process of %s: %w", m.Name, errors.ErrUnsupported)
	}
	return retry(ctx, func(ctx context.Context) error { return do(ctx, d) })
}

// retry repeats a request until it succeeds, for at most controlTimeout: a program that was just
// started does not listen yet. The requests are idempotent.
func retry(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	for {
		err := do(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(readyEvery):
		}
	}
}
