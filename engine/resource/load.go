package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// LoadKey is the key under which a machine publishes its [Load], see engine/status.
const LoadKey = "load"

// Use is an amount of a machine's resources.
type Use struct {
	MilliCPUs   int64 `json:"milli_cpus"`
	MemoryBytes int64 `json:"memory_bytes"`
}

func (u Use) plus(o Use) Use { return Use{u.MilliCPUs + o.MilliCPUs, u.MemoryBytes + o.MemoryBytes} }

// Load is the size of a machine, and what it and its running guests use of that, as measured.
type Load struct {
	Has      Use            `json:"has"`
	Uses     Use            `json:"uses"`
	Services map[string]Use `json:"services,omitempty"`
}

// ErrLoad means that a load cannot be decoded.
var ErrLoad = errors.New("malformed load")

// Encode returns the JSON form of a load.
func (l *Load) Encode() json.RawMessage {
	return env.EncodeJSON(l)
}

// DecodeLoad reads a load. It returns ErrLoad for malformed input.
func DecodeLoad(data []byte) (*Load, error) {
	var l Load
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoad, err)
	}
	for _, u := range append(slices.Collect(maps.Values(l.Services)), l.Has, l.Uses) {
		if u.MilliCPUs < 0 || u.MemoryBytes < 0 {
			return nil, fmt.Errorf("%w: something is used less than nothing", ErrLoad)
		}
	}
	return &l, nil
}

// LoadStep is what a guest uses from a time on.
type LoadStep struct {
	// From is a time of the machine's monotonic clock.
	From time.Duration
	Use  Use
}

// measureEvery is the time between two measurements.
const measureEvery = 10 * time.Second

// currentUse returns what a running guest uses now: what it was ordered to use, or what its schedule gives,
// or its whole memory and almost no CPU.
func (h *Host) currentUse(sid string, g *guest) Use {
	if u, ordered := h.orderedUse[sid]; ordered {
		return u
	}
	use := Use{MemoryBytes: g.conf.MemoryBytes}
	now := h.env.Mono()
	for _, step := range h.opts.Loads[sid] {
		if step.From > now {
			break
		}
		use = step.Use
	}
	return use
}

// measureLoad adds up what runs on this machine.
func (h *Host) measureLoad() *Load {
	l := &Load{Has: h.opts.Has, Uses: h.opts.Idle, Services: map[string]Use{}}
	for _, sid := range slices.Sorted(maps.Keys(h.guests)) {
		if g := h.guests[sid]; g.running {
			use := h.currentUse(sid, g)
			l.Services[sid] = use
			l.Uses = l.Uses.plus(use)
		}
	}
	return l
}

// publishLoad informs the other machines of this machine's load.
func (h *Host) publishLoad() {
	if !h.opts.Measured {
		return
	}
	if err := h.status.Set(LoadKey, h.measureLoad().Encode()); err != nil {
		h.env.Log().Error("the load cannot be published", "err", err.Error())
	}
}
