package conformance

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHandover: all that a master knows is in the status. When the CRM of the first node ends at every
// second group of commands, and starts again at the next, other nodes continue and the result is the
// same.
func TestHandover(t *testing.T) {
	pattern := regexp.MustCompile(`(shutdown|reboot|cfs) node1`)
	forEachFolder(t, func(t *testing.T, v *variant) {
		if what := pattern.FindString(v.files["cmdlist"]); what != "" {
			t.Skipf("%s: the end of its CRM switches a node off, and a store fault is for one master", what)
		}
		want := ExtractOutcome(v.before())
		groups := v.groups()
		for i := range groups {
			if i == 0 {
				continue
			}
			verb := "stop"
			if i%2 == 0 {
				verb = "start"
			}
			groups[i] = append([]string{"crm node1 " + verb}, groups[i]...)
		}
		v.setGroups(groups)
		log := v.run()
		got := ExtractOutcome(log)
		require.Empty(t, got.Double)
		require.Empty(t, compareOutcomes(want, got), text(log))
	})
}
