package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// endPoll is how often a process that is ending is looked at, and leaveTime how long a node without high
// availability may take to leave its ring.
const (
	endPoll   = 2 * time.Millisecond
	leaveTime = 3 * time.Second
)

// endInGoodOrder ends a node for a restart of the daemon, for example an update. With high availability the
// agent and the manager end first: services continue to run, frozen until the daemon is back, and the
// watchdog is disarmed; otherwise the end of the daemon would reset the machine. Then the store stops
// answering and the node leaves its ring, so that the others do not have to miss it. If high availability did
// not end in order, the node does not leave.
func endInGoodOrder(ctx context.Context, h *host.Host) {
	var err error
	if hasProcess(h, initd.Process) {
		err = leaveByInit(ctx, h)
	} else {
		err = leaveByStore(ctx, h)
	}
	if err != nil && ctx.Err() == nil {
		log.Printf("the node ends without leaving its ring, and the others will miss it: %v", err)
	}
}

// leaveByInit has the init process end the agent and the manager, and then have the node leave.
func leaveByInit(ctx context.Context, h *host.Host) error {
	output, err := h.Invoke(ctx, initd.Process, initd.Request{Verb: initd.Leave}.Encode())
	if err != nil {
		return err
	}
	var answer initd.Answer
	if err := json.Unmarshal(output, &answer); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", initd.Process, err)
	}
	if !answer.OK {
		return fmt.Errorf("asking %s: %s", initd.Process, answer.Error)
	}
	return nil
}

// leaveByStore has the store of a node without high availability leave, and waits for the end of the cluster
// process.
func leaveByStore(ctx context.Context, h *host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	request := store.Request{ID: "stop/leave", Op: store.OpLeave}
	if _, err := h.Invoke(ctx, store.Process, request.Encode()); err != nil {
		return fmt.Errorf("asking the store: %w", err)
	}
	for isRunning(h, cluster.Name) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the node to leave: %w", ctx.Err())
		case <-time.After(endPoll):
		}
	}
	return nil
}

// hasProcess reports whether the host has a process of that name.
func hasProcess(h *host.Host, name string) bool {
	return slices.ContainsFunc(h.Health().Processes,
		func(p hostapi.ProcessHealth) bool { return p.Name == name })
}

// isRunning reports whether a process of the host runs.
func isRunning(h *host.Host, name string) bool {
	return slices.ContainsFunc(h.Health().Processes, func(p hostapi.ProcessHealth) bool {
		return p.Name == name && p.State != hostapi.StateDown
	})
}
