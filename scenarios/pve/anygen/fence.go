package anygen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// deviceShape is one kind of fence device.
type deviceShape struct {
	name, agent string
	// parts is how many of them a machine has, for example one for each of two supplies.
	parts int
	// perNode is what each part is given for the machine of a number.
	perNode func(part, node int) string
	isBoard bool // it draws its power from its machine
	// proves means that a machine that it has switched off is off.
	proves bool
}

func byPlug(part, node int) string { return fmt.Sprintf("plug=%d", node) }

// deviceShapes are the devices that a machine may have: the first one proves most.
var deviceShapes = []deviceShape{
	{name: "pdu", agent: "fence_apc ip=198.18.9.100", parts: 1, perNode: byPlug, proves: true},
	{name: "supply", agent: "fence_apc ip=198.18.9.11%d", parts: 2, perNode: byPlug, proves: true},
	{name: "board", agent: "fence_ipmilan lanplus=1 username=root", parts: 1, isBoard: true,
		perNode: func(_, node int) string { return fmt.Sprintf("ip=198.18.9.%d", node) }},
	{name: "card", agent: "fence_ipmilan username=root", parts: 1, proves: true,
		perNode: func(_, node int) string { return fmt.Sprintf("ip=198.18.8.%d", node) }},
	{name: "switch", agent: "fence_ifmib ip=198.18.9.120 community=public", parts: 1,
		perNode: func(_, node int) string { return fmt.Sprintf("plug=swp%d", node) }},
	{name: "mdm", agent: "fence_sbd", parts: 1, perNode: byPlug},
}

// Bounds of what fence devices draw.
const (
	mostDevices = 3
	mostFaulty  = 3
	// provenLater is what a recovery that waits for a device gets beyond the duration, for which all may
	// fail.
	provenLater = 10 * time.Minute
)

// drawFence draws how lost machines are fenced, by which devices, and how these fail.
func (h *haDraw) drawFence(dc *ha.Datacenter) {
	if !h.oneIn("fence", 3) {
		return
	}
	h.fences = true
	dc.Fencing = pick(h.drawer, "fencing", ha.FencingHardware, ha.FencingHardware, ha.FencingWatchdog,
		ha.FencingBoth)
	var text strings.Builder
	var names []string
	left := slices.Clone(deviceShapes)
	for range 1 + h.below("devices", mostDevices) {
		at := h.below("device", len(left))
		shape := left[at]
		left = slices.Delete(left, at, at+1)
		names = append(names, shape.name)
		h.writeDevice(&text, shape, dc.Fencing == ha.FencingBoth)
		if shape.isBoard {
			h.spec.FenceBoards = append(h.spec.FenceBoards, shape.name)
		}
	}
	if dc.Fencing == ha.FencingBoth {
		// Without a device that proves something no machine would ever be given up.
		last := deviceShapes[0]
		if !slices.Contains(names, last.name) {
			names = append(names, last.name)
			h.writeDevice(&text, last, true)
		}
		h.spec.RecoverWithin = h.scenario.Duration + provenLater
	}
	h.spec.Fence = text.String()
	h.drawDeviceFaults(names)
}

// writeDevice writes one device, connected to all machines or to some.
func (h *haDraw) writeDevice(text *strings.Builder, shape deviceShape, toAll bool) {
	options := ""
	if h.oneIn("attempts", 3) {
		options += " holdfast_attempts=1"
	}
	if h.oneIn("time-out", 4) {
		options += " holdfast_timeout=4"
	}
	for part := range shape.parts {
		name, agent := shape.name, shape.agent
		if shape.parts > 1 {
			name = fmt.Sprintf("%s:%d", shape.name, part+1)
			agent = fmt.Sprintf(shape.agent, part+1)
		}
		fmt.Fprintf(text, "device %s %s%s\n", name, agent, options)
	}
	for i, m := range h.scenario.Machines {
		if !toAll && i > 0 && h.oneIn("not-connected", 6) {
			continue
		}
		for part := range shape.parts {
			name := shape.name
			if shape.parts > 1 {
				name = fmt.Sprintf("%s:%d", shape.name, part+1)
			}
			fmt.Fprintf(text, "connect %s node=%s %s\n", name, m, shape.perNode(part+1, i+1))
		}
	}
}

// drawDeviceFaults draws what is wrong with devices. All of it ends when the faults end.
func (h *haDraw) drawDeviceFaults(names []string) {
	if !h.oneIn("device-faults", 2) {
		return
	}
	for range 1 + h.below("faulty", mostFaulty) {
		f := haspec.DeviceFault{Device: names[h.below("faulty-device", len(names))],
			Kind: pick(h.drawer, "device-fault", haspec.DeviceUnreachable, haspec.DeviceSlow,
				haspec.DeviceLate, haspec.DeviceIgnores, haspec.DeviceMute, haspec.DeviceMisconfigured,
				haspec.DeviceOtherAgent)}
		if h.oneIn("fault-for-some", 3) {
			f.Nodes = h.someMachines("faulty", 1)
		}
		if h.oneIn("fault-from-some", 3) {
			f.From = h.someMachines("fault-from", 1)
		}
		if f.Kind == haspec.DeviceSlow || f.Kind == haspec.DeviceLate {
			f.Latency = pickTime(h.drawer, "device-latency", time.Millisecond, 500, 1500, 3000)
		}
		eighth := h.scenario.Duration / 8
		begin := h.below("device-fault-at", 6)
		f.At = eighth * time.Duration(begin)
		f.For = eighth * time.Duration(1+h.below("device-fault-for", 7-begin))
		h.spec.FenceFaults = append(h.spec.FenceFaults, f)
	}
}
