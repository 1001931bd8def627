package explore

import (
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// Bounds of the rare paths on request.
const (
	buggifyOneIn   = 4 // how few runs have them
	maxBuggify     = 4 // faults of a run
	maxDrawnSites  = 4 // of a fault that does not name all
	leastShare     = fault.Always / 64
	shareDoublings = 6 // of leastShare: up to half of the visits
	// leastBuggify is the part of the duration that the shortest of these faults takes.
	leastBuggify = 32
)

// addBuggify makes the processes of some machines take rare paths, in some runs and whatever the strategy
// adds beside: few sites, which come often in one run and not at all in another, or all of them.
func (e *explorer) addBuggify() {
	s := e.scenario
	if len(e.sites) == 0 || e.choose("buggify", buggifyOneIn) != 1 {
		return
	}
	schedule := e.newSchedule(scenarios.MaxFaults)
	for range 1 + e.choose("buggify-faults", maxBuggify) {
		f := fault.Fault{Kind: fault.Buggify, Share: leastShare << e.choose("buggify-share", shareDoublings),
			At:    fraction(s.Duration, uint64(e.choose("buggify-at", scenarios.SeveritySteps))),
			Sites: e.drawSites(), Machines: []string{fault.All}}
		f.For = e.between("buggify-length", min(s.Duration/leastBuggify, s.Duration-f.At), s.Duration-f.At)
		if e.choose("buggify-one", 2) == 1 || !e.severe {
			f.Machines = []string{s.Machines[e.choose("buggify-machine", len(s.Machines))]}
		}
		schedule.Add(f)
	}
	s.Faults = schedule.Faults()
}

// drawSites draws a few sites, or nil for all of them.
func (e *explorer) drawSites() []string {
	if e.choose("all-sites", 3) == 1 {
		return nil
	}
	var sites []string
	for range 1 + e.choose("site-count", maxDrawnSites) {
		sites = append(sites, e.sites[e.choose("site", len(e.sites))])
	}
	return sites
}
