package fence

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// FuzzInterpret: only the defined exit codes have a meaning, and what an agent writes reaches the log
// bounded and readable.
func FuzzInterpret(f *testing.F) {
	f.Add("status", 2, false, []byte("Status: OFF\n"))
	f.Add("off", 0, false, []byte(""))
	f.Add("off", 2, false, []byte("a\x00b\xff\nFailed: Unable to connect\r\n"))
	f.Add("reboot", 0, true, []byte("x"))
	f.Fuzz(func(t *testing.T, op string, code int, forced bool, output []byte) {
		r := env.CommandResult{Code: code, Output: output}
		if forced {
			r.Err = env.ErrCommandTimeout
		}
		p := part{agent: "fence_x"}
		off, err := p.interpret(operation(op), r)
		require.Equal(t, !forced && code == exitCodeOff && operation(op) == opStatus, off)
		require.Equal(t, !forced && (code == exitCodeDone || off), err == nil)
		if err != nil {
			reason := strings.TrimPrefix(err.Error(), op)
			require.LessOrEqual(t, len(reason), maxReasonBytes+200)
			require.True(t, utf8.ValidString(reason))
			require.NotContains(t, reason, "\n")
		}
	})
}

// FuzzPlan: whatever the file contains, the plan is within the limits and calls agents only for the
// operations of this package.
func FuzzPlan(f *testing.F) {
	f.Add("device a fence_x ip=1 o=off\nconnect a node=n1 plug=3 holdfast_timeout=7\n", "n1")
	f.Add("device a:1 fence_x\ndevice a:2 fence_y action=reboot\nconnect a:1 node=n1\nconnect a:2 "+
		"node=n1 action=off\n", "n1")
	f.Fuzz(func(t *testing.T, text, node string) {
		cfg, err := config.ParseFence(text)
		if err != nil {
			return
		}
		devices, _ := Plan(cfg, node)
		require.LessOrEqual(t, len(devices), MaxDevices)
		for _, d := range devices {
			require.NotEmpty(t, d.Parts)
			require.LessOrEqual(t, len(d.Parts), MaxParts)
			require.LessOrEqual(t, d.Timeout, MaxTimeout)
			require.LessOrEqual(t, d.Attempts, MaxAttempts)
			require.Contains(t, []Action{Off, Reset}, d.Action)
			for _, p := range d.Parts {
				for _, a := range p.Args {
					require.NotContains(t, []string{keyAction, keyActionO, keyTimeout, keyAttempts,
						keyBootTime, keyPasswordFile}, a.Key)
				}
				called := part{agent: p.Agent, node: node, args: p.Args}
				c := called.command(opOff, time.Second)
				require.Equal(t, []string{p.Agent}, c.Args)
				require.Len(t, p.Args, strings.Count(string(c.Input), "\n")-1, "one line for each argument")
			}
		}
	})
}
