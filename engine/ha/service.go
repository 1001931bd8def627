package ha

import (
	"fmt"
	"regexp"
	"strings"
)

// Defaults of a service's policies.
const (
	DefaultMaxRestart  = 1
	DefaultMaxRelocate = 1
)

// ServiceConfig is the configuration of one service.
type ServiceConfig struct {
	// Type is the resource type, the part of the sid before the colon: vm, ct, ….
	Type string
	// Node is the node that has the configuration of the guest. The service belongs to it.
	Node string
	// State is the state that the administrator requests.
	State RequestedState
	// Group is the HA group (before rules), "" for none.
	Group string
	// Failback lets the service return to a better node when that node is online again.
	Failback bool
	// MaxRestart is how often a failed start is repeated on the same node.
	MaxRestart int
	// MaxRelocate is how many nodes beyond the first are tried.
	MaxRelocate int
	// Comment is free text.
	Comment string
}

// Clone returns a copy.
func (c *ServiceConfig) Clone() *ServiceConfig {
	out := *c
	return &out
}

var sidPattern = regexp.MustCompile(`^([a-z]+):(\S+)$`)

// SplitSID splits a service id into type and name.
func SplitSID(sid string) (kind, name string, err error) {
	match := sidPattern.FindStringSubmatch(sid)
	if match == nil {
		return "", "", fmt.Errorf("service id %q is not of the form type:name", sid)
	}
	return match[1], match[2], nil
}

// SIDType returns the type of a service id, "" when it has none.
func SIDType(sid string) string {
	kind, _, found := strings.Cut(sid, ":")
	if !found {
		return ""
	}
	return kind
}

// ShutdownPolicy decides what happens to the services of a node that shuts down or reboots in order.
type ShutdownPolicy string

// Shutdown policies of datacenter.cfg.
const (
	// PolicyConditional freezes services at a reboot, and lets other nodes recover them at a shutdown.
	PolicyConditional ShutdownPolicy = "conditional"
	PolicyFreeze      ShutdownPolicy = "freeze"
	PolicyFailover    ShutdownPolicy = "failover"
	PolicyMigrate     ShutdownPolicy = "migrate"
)

// FencingMode is the proof of a node's death that datacenter.cfg requires.
type FencingMode string

// Fencing modes of datacenter.cfg.
const (
	// FencingWatchdog accepts the expiry of the node's lock as proof of its death. Devices are not used.
	FencingWatchdog FencingMode = "watchdog"
	// FencingHardware also accepts the confirmation of a fence device, which comes earlier. When no
	// device confirms, the expiry of the lock is still a proof: no LRM is active without an open
	// watchdog.
	FencingHardware FencingMode = "hardware"
	// FencingBoth requires both proofs.
	FencingBoth FencingMode = "both"
)

// FencingModes returns all fencing modes.
func FencingModes() []FencingMode {
	return []FencingMode{FencingWatchdog, FencingHardware, FencingBoth}
}

// SchedMode is how the scheduler scores nodes.
type SchedMode string

// Scheduler modes of datacenter.cfg.
const (
	// SchedBasic compares nodes by their number of services.
	SchedBasic SchedMode = "basic"
	// SchedStatic compares nodes by the configured sizes of their services.
	SchedStatic SchedMode = "static"
	// SchedDynamic compares nodes by measured loads.
	SchedDynamic SchedMode = "dynamic"
)

// RebalanceMethod is how an automatic migration is chosen.
type RebalanceMethod string

// Methods of choosing an automatic migration.
const (
	RebalanceBruteforce RebalanceMethod = "bruteforce"
	RebalanceTopsis     RebalanceMethod = "topsis"
)

// Datacenter holds the settings of datacenter.cfg that concern HA. An unknown value is kept as it was
// written.
type Datacenter struct {
	ShutdownPolicy ShutdownPolicy
	CRS            CRS
	Fencing        FencingMode
	// MaxWorkers is how many resource commands a node runs at once.
	MaxWorkers int
	// Decisions is how far decisions equal those of Proxmox VE's manager. An unknown value counts as
	// [DecisionsStrict].
	Decisions Decisions
}

// CRS are the settings of the resource scheduler.
type CRS struct {
	Mode SchedMode
	// RebalanceOnStart chooses the best node each time a service is started.
	RebalanceOnStart bool
	// AutoRebalance moves running services when nodes are loaded unevenly.
	AutoRebalance bool
	Method        RebalanceMethod
	// Threshold is the imbalance, as a fraction, above which a round counts.
	Threshold float64
	// HoldRounds is how many consecutive rounds the imbalance must stay above Threshold.
	HoldRounds int
	// Margin is the least relative improvement (fraction) that justifies a migration.
	Margin float64
}

// DefaultDatacenter returns the settings that apply when datacenter.cfg is empty.
func DefaultDatacenter() Datacenter {
	return Datacenter{
		ShutdownPolicy: PolicyConditional,
		Fencing:        FencingWatchdog,
		MaxWorkers:     4,
		Decisions:      DecisionsStrict,
		CRS: CRS{
			Mode: SchedBasic, Method: RebalanceBruteforce, Threshold: 0.3, HoldRounds: 3, Margin: 0.1,
		},
	}
}
