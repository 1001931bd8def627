package haproc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/engine/watchdog"
)

// testStore is the store's process of one machine. All machines answer from one tree, without any delay
// between them.
type testStore struct {
	bench *bench
	node  int
	env   env.Env
}

func (s *testStore) Start(e env.Env) error { s.env = e; return nil }

func (s *testStore) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	req, err := store.DecodeCompactRequest(m.Payload)
	require.NoError(s.bench.t, err)
	if s.bench.before != nil && s.bench.before(s.node, m.From, req) {
		return
	}
	r := s.bench.answer(s.node, req)
	if s.bench.after != nil && s.bench.after(s.node, m.From, req) {
		return
	}
	require.NoError(s.bench.t, s.env.Local(m.From, r.EncodeCompact()))
}

// device is the hardware watchdog of a machine.
type device struct{ armed bool }

func (d *device) Armed() bool               { return d.armed }
func (d *device) Arm(_ time.Duration) error { d.armed = true; return nil }
func (d *device) Pet()                      {}
func (d *device) Disarm() error             { d.armed = false; return nil }

// hardware adds a watchdog device to a process's environment.
type hardware struct {
	env.Env
	device *device
}

func (h hardware) Watchdog() env.Watchdog { return h.device }

// muxProcess is the watchdog multiplexer on a machine with a device.
type muxProcess struct {
	*watchdog.Mux
	device *device
}

func (p muxProcess) Start(e env.Env) error { return p.Mux.Start(hardware{e, p.device}) }

// emitted is a record with the node that emitted it.
type emitted struct {
	node   string
	record env.Record
}

// bench is a cluster of nodes n1, n2, … with a store and a watchdog each.
type bench struct {
	t        *testing.T
	world    *envtest.World
	tree     *tree.Tree
	revision uint64
	nodes    []Node
	devices  []*device
	procs    map[string]*envtest.Proc // by node and name, for example n1/crm
	records  []emitted
	lines    []string
	online   map[ring.NodeID]bool
	quorate  bool
	// before and after see every request of a process to its store. If they return true, the request, or
	// its answer, is lost.
	before, after func(node int, from string, req *store.Request) bool
}

func newBench(t *testing.T, size int) *bench {
	b := &bench{t: t, world: envtest.New(), tree: tree.New(tree.DefaultLimits()),
		procs:  map[string]*envtest.Proc{},
		online: map[ring.NodeID]bool{}, quorate: true}
	b.world.OnRecord = func(p *envtest.Proc, r env.Record) {
		b.records = append(b.records, emitted{b.nodes[p.Self().Machine].Name, r})
	}
	for i := range size {
		id := ring.NodeID(i + 1)
		b.nodes = append(b.nodes, Node{ID: id, Name: fmt.Sprintf("n%d", id)})
		b.online[id] = true
	}
	for i := range size {
		b.devices = append(b.devices, &device{})
		b.start(i, store.Process, &testStore{bench: b, node: i})
		b.start(i, watchdog.Process, muxProcess{watchdog.New(watchdog.DefaultOptions(timescale.Ratio{})),
			b.devices[i]})
	}
	return b
}

func (b *bench) start(node int, name string, p env.Process) {
	proc, err := b.world.Start(env.MachineID(node), name, p)
	require.NoError(b.t, err)
	b.procs[b.nodes[node].Name+"/"+name] = proc
}

// kill ends a process without warning.
func (b *bench) kill(name string) { b.world.Kill(b.procs[name]) }

func (b *bench) options(node int) Options {
	return Options{Node: b.nodes[node].Name, Nodes: b.nodes}
}

func (b *bench) startCRM(node int) { b.start(node, CRMProcess, NewCRM(b.options(node))) }

// put writes a file, and the directories above it.
func (b *bench) put(path, text string) {
	for i, c := range path {
		if c == '/' {
			b.apply(&tree.Op{Kind: tree.Mkdir, Path: path[:i]})
		}
	}
	require.Nil(b.t, b.apply(&tree.Op{Kind: tree.Write, Path: path, Data: []byte(text)}))
}

func (b *bench) apply(op *tree.Op) *tree.Refusal {
	if no := b.tree.Check(op); no != nil {
		return no
	}
	b.revision++
	b.tree.Apply(op, b.revision)
	return nil
}

// get returns the content of a file, "" when there is none.
func (b *bench) get(path string) string {
	if e := b.tree.Get(path); e != nil {
		return string(e.Data)
	}
	return ""
}

// managerStatus returns the published status.
func (b *bench) managerStatus() *ha.ManagerStatus {
	status, err := ha.DecodeManagerStatus([]byte(b.get(ManagerStatusPath)))
	require.NoError(b.t, err)
	return status
}

// service puts a service under HA whose guest is configured on a node.
func (b *bench) service(sid, node string) {
	kind, name, _ := strings.Cut(sid, ":")
	b.put(ResourcesPath, b.get(ResourcesPath)+kind+": "+name+"\n\tstate started\n\n")
	b.put(GuestPath(sid, node), "memory: 512\n")
}

func (b *bench) answer(node int, req *store.Request) *store.Response {
	r := &store.Response{ID: req.ID, OK: true, Revision: b.revision}
	switch req.Op {
	case store.OpStatus:
		r.Status = &store.Status{Node: b.nodes[node].ID, Quorate: b.quorate, Revision: b.revision}
		for _, n := range b.nodes {
			if b.online[n.ID] {
				r.Status.Members = append(r.Status.Members, n.ID)
			}
		}
	case store.OpRead:
		e := b.tree.Get(req.Path)
		if e == nil {
			r.OK, r.Code = false, tree.NotFound
			return r
		}
		r.Entry = &store.EntryInfo{Path: e.Path, Kind: store.KindFile, Mod: e.Mod, Data: e.Data,
			Writer: ring.NodeID(e.Writer)}
	case store.OpList:
		b.list(req, r)
	default:
		b.change(node, req, r)
	}
	return r
}

func (b *bench) list(req *store.Request, r *store.Response) {
	for _, path := range b.tree.Paths() {
		below, is := strings.CutPrefix(path, req.Path+"/")
		if !is || !req.Deep && strings.Contains(below, "/") {
			continue
		}
		if req.Names {
			r.Paths = append(r.Paths, path)
		} else {
			r.Entries = append(r.Entries, store.EntryInfo{Path: path, Mod: b.tree.Get(path).Mod,
				Writer: ring.NodeID(b.tree.Get(path).Writer)})
		}
	}
}

func (b *bench) change(node int, req *store.Request, r *store.Response) {
	op := &tree.Op{Path: req.Path, To: req.To, Data: req.Data, Expect: req.Expect,
		Writer: uint32(b.nodes[node].ID)}
	for k := tree.Write; k <= tree.CAS; k++ {
		if k.String() == req.Op {
			op.Kind = k
		}
	}
	if no := b.apply(op); no != nil {
		r.OK, r.Code, r.Actual = false, no.Code, no.Actual
		return
	}
	r.Revision = b.revision
}

// take runs a body with the environment of a new process of a node, like the CRM's task.
func (b *bench) take(node int, body func(w *crmEnv)) {
	p := &bareProcess{opts: b.options(node)}
	b.start(node, CRMProcess, p)
	b.world.RunFor(time.Second)
	done := false
	p.core.tasks.Go(func(t *env.Task) {
		body(newCRMEnv(&p.core, t))
		done = true
	})
	for range 1000 {
		if done {
			return
		}
		b.world.RunFor(time.Second)
	}
	require.FailNow(b.t, "a call does not end")
}

// bareProcess has the parts of a process of the HA manager, but makes no rounds.
type bareProcess struct {
	opts Options
	core core
}

func (p *bareProcess) Start(e env.Env) error { return p.core.startParts(e, p.opts) }
func (p *bareProcess) Step(ev env.Event)     { p.core.offerEvent(ev) }

// recordsOf returns the records of one type.
func recordsOf[R env.Record](b *bench) (list []R) {
	for _, e := range b.records {
		if r, is := e.record.(R); is {
			list = append(list, r)
		}
	}
	return list
}
