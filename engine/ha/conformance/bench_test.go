package conformance

import (
	"fmt"
	"testing"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// BenchmarkRound is one round of five nodes (five CRMs and five LRMs) with fifty services, of which nothing
// is wanted.
func BenchmarkRound(b *testing.B) {
	for _, mode := range []ha.SchedMode{ha.SchedBasic, ha.SchedStatic} {
		b.Run(string(mode), func(b *testing.B) {
			s := &Scenario{
				Nodes: map[string]*machine{}, Services: map[string]*ha.ServiceConfig{},
				Manager: ha.NewManagerStatus(),
				Running: map[string]map[string]bool{}, Datacenter: ha.DefaultDatacenter(),
				Stats: map[string]*guestStats{},
			}
			s.Datacenter.CRS.Mode = mode
			for i := range 5 {
				name := fmt.Sprintf("node%d", i+1)
				s.Nodes[name] = &machine{name: name, maxCPU: 32, maxMem: 256 * gibibyte, version: "9.1.0"}
			}
			for i := range 50 {
				sid := fmt.Sprintf("vm:%d", i)
				s.Services[sid] = config.DefaultService("vm")
				s.Services[sid].Node, s.Services[sid].State = fmt.Sprintf("node%d", i%5+1), ha.WantStarted
				s.Stats[sid] = defaultGuestStats()
			}
			w := newWorld(s)
			for _, name := range w.nodeNames {
				w.setPower(w.nodes[name], true)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.runRound(); err != nil {
					b.Fatal(err)
				}
				w.nowSeconds += minRoundSeconds
			}
		})
	}
}
