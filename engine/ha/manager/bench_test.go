package manager

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// bench is the world around one CRM.
type bench struct {
	node      string
	now       int64
	log       []string
	quorate   bool
	refresh   bool
	lockFree  bool
	locked    bool
	open      bool
	storeErr  error
	statusErr error // of writing the status alone
	uids      int
	manager   *ha.ManagerStatus
	lrm       map[string]*ha.LRMStatus
	services  map[string]*ha.ServiceConfig
	info      map[string]ha.NodeInfo
	dead      map[string]bool // nodes whose agent lock can be taken
	off       map[string]bool // nodes that a fence device reports as off
	settings  ha.Datacenter
	queue     []string
	decisions []ha.CommandDecision
	rules     string
	groups    string
	versions  map[string]string
	stolen    []string
	stuck     string // a service that cannot be stolen
	notices   []ha.FenceNotice
}

func newBench(nodes ...string) *bench {
	b := &bench{
		node: nodes[0], now: 1000, quorate: true, refresh: true, lockFree: true,
		manager: ha.NewManagerStatus(),
		lrm:     map[string]*ha.LRMStatus{}, services: map[string]*ha.ServiceConfig{},
		info: map[string]ha.NodeInfo{},
		dead: map[string]bool{}, settings: ha.DefaultDatacenter(), versions: map[string]string{},
	}
	for _, node := range nodes {
		b.info[node] = ha.NodeInfo{Online: true}
		b.lrm[node] = &ha.LRMStatus{State: "active", Mode: ha.ModeActive, Results: map[string]ha.LRMResult{}}
		b.versions[node] = "9.1.0"
	}
	return b
}

func (b *bench) NodeName() string                         { return b.node }
func (b *bench) NowSeconds() int64                        { return b.now }
func (b *bench) Sleep(s int)                              { b.now += int64(s) }
func (b *bench) Log(level ha.Level, m string)             { b.log = append(b.log, string(level)+" "+m) }
func (b *bench) NewUID() string                           { b.uids++; return fmt.Sprint("u", b.uids) }
func (b *bench) RefreshClusterState() bool                { return b.refresh }
func (b *bench) Quorate() bool                            { return b.quorate }
func (b *bench) Feed()                                    {}
func (b *bench) Close()                                   { b.open = false }
func (b *bench) OpenWatchdog() (ha.Watchdog, error)       { b.open = true; return b, nil }
func (b *bench) CRMCommandsPending() bool                 { return len(b.queue) > 0 }
func (b *bench) Notify(n ha.FenceNotice)                  { b.notices = append(b.notices, n) }
func (b *bench) AcquireNodeLock(node string) bool         { return b.dead[node] }
func (b *bench) NodeConfirmedDead(node string) bool       { return b.off[node] }
func (b *bench) RemoveServiceLock(string) (string, error) { return "", b.storeErr }
func (b *bench) ReadGroups() (string, error)              { return b.groups, b.storeErr }
func (b *bench) ReadRules() (string, error)               { return b.rules, b.storeErr }
func (b *bench) DeleteGroups() error                      { b.groups = ""; return b.storeErr }
func (b *bench) WriteRules(text string) error             { b.rules = text; return b.storeErr }
func (b *bench) NodeVersion(n string) (string, error)     { return b.versions[n], b.storeErr }
func (b *bench) ReadDatacenter() (ha.Datacenter, error)   { return b.settings, b.storeErr }

func (b *bench) NodeInfo() (map[string]ha.NodeInfo, error) { return b.info, nil }

func (b *bench) NodeStats() (map[string]ha.NodeStats, error) { return map[string]ha.NodeStats{}, nil }

func (b *bench) ServiceStats() (map[string]ha.ServiceStats, error) {
	return map[string]ha.ServiceStats{}, nil
}

func (b *bench) ReadManagerStatus() (*ha.ManagerStatus, error) {
	return b.manager.Clone(), b.storeErr
}

func (b *bench) WriteManagerStatus(s *ha.ManagerStatus) error {
	if err := errors.Join(b.storeErr, b.statusErr); err != nil {
		return err
	}
	b.manager = s
	return nil
}

func (b *bench) ReadServiceConfig() (map[string]*ha.ServiceConfig, error) {
	out := map[string]*ha.ServiceConfig{}
	for sid, cd := range b.services {
		out[sid] = cd.Clone()
	}
	return out, b.storeErr
}

func (b *bench) ReadLRMStatus(node string) (*ha.LRMStatus, error) {
	if s := b.lrm[node]; s != nil {
		return s.Clone(), b.storeErr
	}
	return &ha.LRMStatus{}, b.storeErr
}

func (b *bench) AcquireManagerLock() bool {
	b.locked = b.lockFree
	return b.lockFree
}

func (b *bench) ReleaseManagerLock() bool {
	was := b.locked
	b.locked = false
	return was
}

func (b *bench) ReadCRMCommands() ([]ha.Command, error) {
	var commands []ha.Command
	for _, line := range b.queue {
		cmd, _ := config.ParseCommand(line)
		commands = append(commands, cmd)
	}
	if b.storeErr == nil {
		b.queue = nil
	}
	return commands, b.storeErr
}

func (b *bench) CommandDecided(d ha.CommandDecision) { b.decisions = append(b.decisions, d) }

func (b *bench) UpdateServiceState(sid string, requested ha.RequestedState) error {
	if b.storeErr == nil && b.services[sid] != nil {
		b.services[sid].State = requested
	}
	return b.storeErr
}

func (b *bench) UpdateServiceConfig(changed map[string]*ha.ServiceConfig) error {
	for sid, cd := range changed {
		b.services[sid] = cd.Clone()
	}
	return b.storeErr
}

func (b *bench) StealService(sid, from, to string) error {
	if b.stuck == sid {
		return errors.New("is stuck")
	}
	if b.storeErr == nil {
		b.stolen = append(b.stolen, sid+" "+from+" "+to)
		b.services[sid].Node = to
	}
	return b.storeErr
}

func (b *bench) add(sid, node string, state ha.RequestedState) {
	b.services[sid] = config.DefaultService(ha.SIDType(sid))
	b.services[sid].Node, b.services[sid].State = node, state
}

// answer lets the LRM of the service's node answer its current command.
func (b *bench) answer(sid string, code ha.ExitCode) {
	sd := b.manager.ServiceStatus[sid]
	b.lrm[sd.Node].Results[sd.UID] = ha.LRMResult{SID: sid, State: sd.State, ExitCode: code}
}

func (b *bench) text() string { return strings.Join(b.log, "\n") }

func (b *bench) state(sid string) ha.ServiceState { return b.manager.ServiceStatus[sid].State }

func master(t require.TestingT, b *bench) *CRM {
	c := NewCRM(b)
	c.Round()
	require.Equal(t, ha.CRMMaster, c.State(), b.text())
	return c
}
