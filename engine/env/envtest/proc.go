package envtest

import (
	"bytes"
	"log/slog"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// Up reports whether the process runs.
func (p *Proc) Up() bool { return p.up }

// Ended returns the reason that the process passed to Exit, nil if it has not called it.
func (p *Proc) Ended() error { return p.ended }

// Self implements env.Env.
func (p *Proc) Self() env.Self { return p.self }

// Mono implements env.Env.
func (p *Proc) Mono() time.Duration { return p.world.now }

// Wall implements env.Env: 2026-01-01 plus the world's time.
func (p *Proc) Wall() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(p.world.now)
}

// SetTimer implements env.Env.
func (p *Proc) SetTimer(id env.TimerID, after time.Duration) {
	p.world.push(p.world.now+max(after, 0), p, env.TimerFired{ID: id}, p.world.seq+1)
	p.timers[id] = p.world.seq
}

// StopTimer implements env.Env.
func (p *Proc) StopTimer(id env.TimerID) { delete(p.timers, id) }

// Send implements env.Env.
func (p *Proc) Send(to env.MachineID, link env.LinkID, payload []byte) {
	if len(payload) > env.MaxDatagramBytes {
		panic("envtest: datagram larger than MaxDatagramBytes")
	}
	w := p.world
	if w.Deliver != nil && !w.Deliver(p.self.Machine, to, p.self.Process, payload) {
		return
	}
	target := w.Find(to, p.self.Process)
	if target == nil {
		return
	}
	ev := env.Received{From: p.self.Machine, Link: link, Payload: bytes.Clone(payload)}
	latency := w.Latency
	if w.Delay != nil {
		latency += w.Delay(p.self.Machine, to, p.self.Process, payload)
	}
	w.push(w.now+latency, target, ev, 0)
}

// Local implements env.Env.
func (p *Proc) Local(to string, payload []byte) error {
	target := p.world.Find(p.self.Machine, to)
	if target == nil || !target.up {
		return env.ErrLocalDown
	}
	if p.world.LocalError != nil {
		if err := p.world.LocalError(p.self.Machine, p.self.Process, to); err != nil {
			return err
		}
	}
	ev := env.LocalMessage{From: p.self.Process, Payload: bytes.Clone(payload)}
	p.world.push(p.world.now+time.Microsecond, target, ev, 0)
	return nil
}

// Complete implements env.Env.
func (p *Proc) Complete(op env.OpID, output []byte) {
	if p.world.OnComplete != nil {
		p.world.OnComplete(p, op, bytes.Clone(output))
	}
}

// Disk implements env.Env: each machine has one disk, which restarts keep.
func (p *Proc) Disk() env.Disk { return p.world.DiskOf(p.self.Machine) }

// Rand implements env.Env.
func (p *Proc) Rand(label string) env.Rand {
	if p.rands[label] == nil {
		p.rands[label] = newRand(p.self, label)
	}
	return p.rands[label]
}

// Log implements env.Env.
func (p *Proc) Log() *slog.Logger {
	if p.world.Logger != nil {
		return p.world.Logger(p)
	}
	return slog.New(slog.DiscardHandler)
}

// Emit implements env.Env.
func (p *Proc) Emit(r env.Record) {
	if p.world.OnRecord != nil {
		p.world.OnRecord(p, r)
	}
}

// Probe implements env.Env.
func (p *Proc) Probe(id string) {
	if p.world.OnProbe != nil {
		p.world.OnProbe(p, id)
	}
}

// Exit implements env.Env.
func (p *Proc) Exit(reason error) { p.ended = reason }
