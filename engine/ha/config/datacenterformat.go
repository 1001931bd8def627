package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
)

// FormatDatacenter returns the lines of datacenter.cfg that concern HA, without settings that have their
// defaults. [ParseDatacenter] reads the same settings from them.
func FormatDatacenter(dc ha.Datacenter) string {
	usual := ha.DefaultDatacenter()
	var crs []string
	add := func(key, value string) { crs = append(crs, key+"="+value) }
	if dc.CRS.Mode != usual.CRS.Mode {
		add("ha", string(dc.CRS.Mode))
	}
	flag := func(key string, on, was bool) {
		if on != was {
			add(key, map[bool]string{true: "1", false: "0"}[on])
		}
	}
	flag("ha-rebalance-on-start", dc.CRS.RebalanceOnStart, usual.CRS.RebalanceOnStart)
	flag("ha-auto-rebalance", dc.CRS.AutoRebalance, usual.CRS.AutoRebalance)
	if dc.CRS.Method != usual.CRS.Method {
		add("ha-auto-rebalance-method", string(dc.CRS.Method))
	}
	if dc.CRS.HoldRounds != usual.CRS.HoldRounds {
		add("ha-auto-rebalance-hold-duration", strconv.Itoa(dc.CRS.HoldRounds))
	}
	fraction := func(key string, value, was float64) {
		if value != was {
			add(key, strconv.FormatFloat(value, 'g', -1, 64))
		}
	}
	fraction("ha-auto-rebalance-threshold", dc.CRS.Threshold, usual.CRS.Threshold)
	fraction("ha-auto-rebalance-margin", dc.CRS.Margin, usual.CRS.Margin)
	var out strings.Builder
	if len(crs) > 0 {
		fmt.Fprintf(&out, "crs: %s\n", strings.Join(crs, ","))
	}
	var line []string
	if dc.ShutdownPolicy != usual.ShutdownPolicy {
		line = append(line, "shutdown_policy="+string(dc.ShutdownPolicy))
	}
	if dc.Decisions != usual.Decisions {
		line = append(line, "decisions="+string(dc.Decisions))
	}
	if len(line) > 0 {
		fmt.Fprintf(&out, "ha: %s\n", strings.Join(line, ","))
	}
	if dc.Fencing != usual.Fencing {
		fmt.Fprintf(&out, "fencing: %s\n", dc.Fencing)
	}
	if dc.MaxWorkers != usual.MaxWorkers {
		fmt.Fprintf(&out, "max_workers: %d\n", dc.MaxWorkers)
	}
	return out.String()
}
