package hacheck

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDesignHoldsTheExcuses: DESIGN.md gives the times that excuse the HA manager as the code has them.
func TestDesignHoldsTheExcuses(t *testing.T) {
	text, err := os.ReadFile("../DESIGN.md")
	require.NoError(t, err)
	for name, value := range map[string]time.Duration{"settleTime": settleTime, "resettleTime": resettleTime,
		"lockRenewMax": lockRenewMax, "masterDetectMax": masterDetectMax,
		"guardReportMax": guardReportMax, "hostReturnMax": hostReturnMax, "stopGrace": stopGrace,
		"armEarly": armEarly, "idleAfter": idleAfter} {
		require.Contains(t, string(text), fmt.Sprintf("| `%s` | %v |", name, value))
	}
	require.Contains(t, string(text), fmt.Sprintf("(%v, and %v since", settleTime, resettleTime))
}
