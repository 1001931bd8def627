package sim_test

import (
	"testing"
	"time"

	"github.com/holdfast-sim/holdfast/sim"
)

// FuzzParseStepTimeout: what is accepted is a limit, the default, or off.
func FuzzParseStepTimeout(f *testing.F) {
	for _, text := range []string{"", "off", "30s", "-1s", "1e9h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := sim.ParseStepTimeout(text)
		switch {
		case err != nil && d != 0:
			t.Fatalf("%q: %v with an error", text, d)
		case d < 0 && text != "off", d == 0 && err == nil && text != "":
			t.Fatalf("%q: %v", text, d)
		case d > 0:
			if again, err := sim.ParseStepTimeout(d.String()); err != nil || again != d {
				t.Fatalf("%q: %v becomes %v (%v)", text, d, again, time.Duration(again))
			}
		}
	})
}
