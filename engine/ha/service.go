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
	// Node is the node that owns the configuration of the guest, thus where it lives now.
	Node string
	// State is the requested state: WantStarted, WantStopped, WantDisabled or WantIgnored.
	State string
	// Group is the HA group (before rules), "" for none.
	Group string
	// Failback: return to a better node when it comes back.
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

// Shutdown policies of datacenter.cfg.
const (
	PolicyConditional = "conditional"
	PolicyFreeze      = "freeze"
	PolicyFailover    = "failover"
	PolicyMigrate     = "migrate"
)

// Scheduler modes of datacenter.cfg.
const (
	SchedBasic   = "basic"
	SchedStatic  = "static"
	SchedDynamic = "dynamic"
)

// Methods of choosing an automatic migration.
const (
	RebalanceBruteforce = "bruteforce"
	RebalanceTopsis     = "topsis"
)

// Datacenter are the settings of datacenter.cfg that concern HA.
type Datacenter struct {
	ShutdownPolicy string
	CRS            CRS
	// Fencing is watchdog, hardware or both.
	Fencing string
	// MaxWorkers is how many resource commands a node runs at once.
	MaxWorkers int
}

// CRS are the settings of the resource scheduler.
type CRS struct {
	// Mode is SchedBasic, SchedStatic or SchedDynamic.
	Mode string
	// RebalanceOnStart chooses the best node each time a service is started.
	RebalanceOnStart bool
	// AutoRebalance moves running services when nodes are loaded unevenly.
	AutoRebalance bool
	// Method is RebalanceBruteforce or RebalanceTopsis.
	Method string
	// Threshold is the imbalance (fraction) above which rounds are counted.
	Threshold float64
	// HoldRounds is how many rounds in a row the imbalance must stay above Threshold.
	HoldRounds int
	// Margin is the least relative improvement (fraction) that justifies a migration.
	Margin float64
}

// DefaultDatacenter returns the settings in force when datacenter.cfg says nothing.
func DefaultDatacenter() Datacenter {
	return Datacenter{
		ShutdownPolicy: PolicyConditional,
		Fencing:        "watchdog",
		MaxWorkers:     4,
		CRS: CRS{
			Mode: SchedBasic, Method: RebalanceBruteforce, Threshold: 0.3, HoldRounds: 3, Margin: 0.1,
		},
	}
}
