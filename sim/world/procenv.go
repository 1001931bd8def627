package world

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// Self implements env.Env.
func (p *Proc) Self() env.Self {
	return env.Self{Machine: p.machine.id, Name: p.machine.name, Process: p.spec.Name,
		Boot: p.machine.bootCount, Incarnation: p.incarnation}
}

// Mono implements env.Env.
func (p *Proc) Mono() time.Duration {
	p.mayCall("Mono")
	return time.Duration(p.machine.clock.mono(p.world().Kernel.Now()))
}

// Wall implements env.Env.
func (p *Proc) Wall() time.Time {
	p.mayCall("Wall")
	return p.machine.clock.wallTime(p.world().Kernel.Now())
}

// SetTimer implements env.Env.
func (p *Proc) SetTimer(id env.TimerID, after time.Duration) {
	if p.mayCall("SetTimer") && p.up {
		p.timers.setTimer(id, int64(after))
		if observe := p.world().timerObserver; observe != nil {
			observe(p.machine.id, p.spec.Name, after)
		}
	}
}

// StopTimer implements env.Env.
func (p *Proc) StopTimer(id env.TimerID) {
	if p.mayCall("StopTimer") {
		p.timers.stopTimer(id)
	}
}

// Complete implements env.Env.
func (p *Proc) Complete(op env.OpID, output []byte) {
	if !p.mayCall("Complete") || !p.up {
		return
	}
	c := p.pendingOps[op]
	if c == nil {
		panic(fmt.Sprintf("env: %s answers operation %d, which it does not have", p.spec.Name, op))
	}
	delete(p.pendingOps, op)
	p.world().noteInDigest(p, noteComplete, uint64(op), kernel.Fingerprint(output))
	c.finishAnswered(output)
}

// Rand implements env.Env.
func (p *Proc) Rand(label string) env.Rand {
	if !p.mayCall("Rand") {
		return p.newEntropy(label)
	}
	return p.entropyFor(label)
}

func (p *Proc) entropyFor(label string) *draw.Entropy {
	e := p.randByLabel[label]
	if e == nil {
		e = p.newEntropy(label)
		p.randByLabel[label] = e
	}
	return e
}

func (p *Proc) newEntropy(label string) *draw.Entropy {
	return draw.NewEntropy(p.world().cfg.Seed, p.machine.name, p.spec.Name, label,
		strconv.FormatUint(p.incarnation, 10))
}

// Log implements env.Env.
func (p *Proc) Log() *slog.Logger {
	if p.logger == nil {
		p.logger = slog.New(newLogHandler(p))
	}
	return p.logger
}

// Emit implements env.Env.
func (p *Proc) Emit(r env.Record) {
	w := p.world()
	if !p.mayCall("Emit") || !p.up || w.cfg.OnRecord == nil {
		return
	}
	stamped := scenarios.Stamped{At: w.Now(), Machine: p.machine.id, Process: p.spec.Name, Record: r}
	var unsynced []string
	if _, durable := r.(env.DurableRecord); durable {
		var synced uint64
		unsynced, synced = p.machine.disk.State(p.spec.Name)
		stamped.Disk = &scenarios.DiskState{Unsynced: len(unsynced), SyncedWrites: synced}
	}
	err := w.cfg.OnRecord(stamped)
	// A read that failed may have ended the work on a copy, such as a checkpoint, whose original is durable.
	if len(unsynced) > 0 && err == nil && !p.readFailed {
		err = fmt.Errorf("%w: %s of %s emits %s, but no sync made the content of %s durable", ErrNotDurable,
			p.spec.Name, p.machine.name, r.RecordKind(), strings.Join(unsynced, ", "))
	}
	if err != nil {
		w.stopWithFinding(err)
	}
}

// ErrNotDurable means that a process reported something as durable that was not. See [env.DurableRecord].
var ErrNotDurable = errors.New("reported durable too early")

// Probe implements env.Env.
func (p *Proc) Probe(id string) {
	if !p.mayCall("Probe") || !p.up {
		return
	}
	w := p.world()
	w.probes[id]++
	if w.cfg.OnProbe != nil {
		w.cfg.OnProbe(p.machine.id, id)
	}
}

// Exit implements env.Env.
func (p *Proc) Exit(reason error) {
	if !p.mayCall("Exit") {
		return
	}
	if reason == nil {
		reason = errEndedSilently
	}
	if p.exitReason == nil {
		p.exitReason = reason
	}
}
