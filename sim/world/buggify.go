package world

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// buggified is an active fault that makes processes of a machine take rare paths.
type buggified struct {
	sites []string // nil: all
	share fault.PPM
	hits  uint64
}

// buggifyEffect hits every rare path that it makes a process take.
func buggifyEffect(m *Machine, f *fault.Fault) Effect {
	b := &buggified{sites: f.Sites, share: f.Share}
	if b.share == 0 {
		b.share = fault.DefaultBuggifyShare
	}
	return Effect{Hits: func() uint64 { return b.hits },
		Begin: func() { m.buggified = append(m.buggified, b) },
		End: func() {
			m.buggified = slices.DeleteFunc(m.buggified, func(other *buggified) bool { return other == b })
		}}
}

// Buggify implements [env.Buggifier]. A site that takes its rare path counts as a probe of the same name.
func (p *Proc) Buggify(site string) bool {
	m := p.machine
	if len(m.buggified) == 0 || !p.mayCall("Buggify") || !p.up {
		return false
	}
	for _, b := range m.buggified {
		if b.sites != nil && !slices.Contains(b.sites, site) {
			continue
		}
		draw := p.world().Choices.List("buggify/"+m.name, p.spec.Name+"/"+site).Choose(uint64(fault.Always))
		if b.share.Hit(draw) {
			b.hits++
			p.Probe(site)
			return true
		}
	}
	return false
}

var _ env.Buggifier = (*Proc)(nil)
