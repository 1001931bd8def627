package pve

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/resource"
)

// HAGuests is how the services of a simulated cluster behave.
type HAGuests struct {
	// Start, Stop and Move are the means of what starting, an orderly stop and moving take.
	Start time.Duration `yaml:"start,omitempty" json:"start,omitempty"`
	Stop  time.Duration `yaml:"stop,omitempty" json:"stop,omitempty"`
	Move  time.Duration `yaml:"move,omitempty" json:"move,omitempty"`
	// Broken are services that cannot be started on the machines named there, Stubborn those that
	// cannot be ended on them, not even by force.
	Broken   map[string][]string `yaml:"broken,omitempty,flow" json:"broken,omitempty"`
	Stubborn map[string][]string `yaml:"stubborn,omitempty,flow" json:"stubborn,omitempty"`
}

func (g *HAGuests) check(services map[string]string, machines []string) error {
	for what, guests := range map[string]map[string][]string{"broken": g.Broken, "stubborn": g.Stubborn} {
		for _, sid := range slices.Sorted(maps.Keys(guests)) {
			for _, m := range guests[sid] {
				if services[sid] == "" || !slices.Contains(machines, m) {
					return fmt.Errorf("guests: %s: %s on %s: no such service or machine", what, sid, m)
				}
			}
		}
	}
	if g.Start < 0 || g.Stop < 0 || g.Move < 0 {
		return fmt.Errorf("guests: a time is negative")
	}
	return nil
}

// options are what the simulated guests are made of.
func (g *HAGuests) options() resource.GuestOptions {
	o := resource.DefaultGuests()
	for _, t := range []struct{ given, used *time.Duration }{
		{&g.Start, &o.StartTime}, {&g.Stop, &o.StopTime}, {&g.Move, &o.MoveTime},
	} {
		if *t.given > 0 {
			*t.used = *t.given
		}
	}
	o.Broken, o.Stubborn = g.Broken, g.Stubborn
	return o
}
