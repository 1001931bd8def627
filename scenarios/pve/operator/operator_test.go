package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/initd"
	"github.com/holdfast-sim/holdfast/engine/resource"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
	"github.com/holdfast-sim/holdfast/scenarios/pve/internal/storetest"
)

const warmup = 10 * time.Second

var machines = []string{"n1", "n2"}

// trace is what the operator did beside the store, in the order in which it did it.
type trace struct {
	mu    sync.Mutex
	asked []string // "process request"
	did   []string // machine and OperatorDid
}

func (tr *trace) ask(process string, request []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.asked = append(tr.asked, process+" "+string(request))
}

func (tr *trace) record(machine int, r env.Record) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.did = append(tr.did, fmt.Sprintf("%s: %s", machines[machine], r.(haspec.OperatorDid).What))
}

// answerer is a process of the simulated machine: its store, or one that notes what it is asked.
type answerer struct {
	env   env.Env
	files *storetest.Store // nil for the others
	trace *trace
}

func (a *answerer) Start(e env.Env) error { a.env = e; return nil }

func (a *answerer) Step(ev env.Event) {
	m, ok := ev.(env.LocalMessage)
	if !ok {
		return
	}
	if a.files == nil {
		a.trace.ask(a.env.Self().Process, m.Payload)
		return
	}
	r, err := store.DecodeCompactRequest(m.Payload)
	if err != nil {
		panic(err)
	}
	if err := a.env.Local(m.From, a.files.Do(r).EncodeCompact()); err != nil {
		panic(err)
	}
}

// simulate has the operator's processes work for some time, all machines with the same store.
func simulate(t *testing.T, o *Operator, files *storetest.Store, runs time.Duration) *trace {
	t.Helper()
	w, tr := envtest.New(), &trace{}
	w.OnRecord = func(p *envtest.Proc, r env.Record) { tr.record(int(p.Self().Machine), r) }
	for m := range machines {
		id := env.MachineID(m)
		for _, name := range []string{store.Process, initd.Process, resource.HostProcess} {
			a := &answerer{trace: tr}
			if name == store.Process {
				a.files = files
			}
			_, err := w.Start(id, name, a)
			require.NoError(t, err)
		}
		spec := o.Process(id)
		_, err := w.Start(id, spec.Name, spec.New())
		require.NoError(t, err)
	}
	w.RunFor(runs)
	return tr
}

// conn is a connection to the program of a real node.
type conn struct {
	files *storetest.Store
	trace *trace
}

func (c conn) Close() error { return nil }

func (c conn) Do(_ context.Context, process string, input []byte) ([]byte, error) {
	if process != store.Process {
		c.trace.ask(process, input)
		return json.Marshal(initd.Answer{OK: true})
	}
	r, err := store.DecodeRequest(input)
	if err != nil {
		return nil, err
	}
	return c.files.Do(r).Encode(), nil
}

// drive has the operator work on real nodes whose time runs fifty times as fast.
func drive(t *testing.T, o *Operator, files *storetest.Store) *trace {
	t.Helper()
	tr := &trace{}
	d := o.Driver(&hostdriver.Driver{})
	d.dial = func(context.Context, scenarios.Machine) (scenarios.Conn, error) { return conn{files, tr}, nil }
	nodes := make([]scenarios.Machine, len(machines))
	for i, name := range machines {
		nodes[i] = scenarios.Machine{ID: env.MachineID(i), Name: name,
			Timescale: timescale.Ratio{Num: 1, Den: 50}}
	}
	start := time.Now()
	d.Operate(t.Context(), nodes, func() time.Duration { return time.Since(start) }, tr.record)
	return tr
}

func spec(lines ...string) *haspec.Spec {
	s := &haspec.Spec{Services: map[string]string{"vm:100": "n1"}, Datacenter: "max_workers: 1\n"}
	for i, line := range lines {
		s.Commands = append(s.Commands, haspec.Command{At: time.Duration(1+i) * 5 * time.Second,
			On: machines[i%len(machines)], Run: line})
	}
	return s
}

// TestBothConsolesDoTheSame: in the simulator and on real nodes, the same section leaves the same files,
// makes the same requests of other processes and emits the same records.
func TestBothConsolesDoTheSame(t *testing.T) {
	o := New(spec("lock vm:100 backup", "set vm:100 state stopped", "create ct:101 n2 started",
		"resize ct:101 2 64",
		"datacenter crs: ha=static", "migrate vm:100 n2", "arm-ha", "unlock vm:100", "restart-lrm",
		"remove vm:100",
		"add vm:100"), machines, warmup)
	simulated, real := storetest.New(), storetest.New()
	inSim, onNodes := simulate(t, o, simulated, 2*time.Minute), drive(t, o, real)
	require.Equal(t, map[string]string{
		haproc.GuestPath("vm:100", "n1"): "memory: 512\ncores: 1\n",
		haproc.GuestPath("ct:101", "n2"): "cores: 2\nmemory: 64\n",
		haproc.DatacenterPath:            "crs: ha=static\n",
		haproc.CommandsPath:              "migrate vm:100 n2\narm-ha\n",
		haproc.ResourcesPath:             "ct: 101\n\tstate started\n\nvm: 100\n\tstate started\n\n",
	}, simulated.Files())
	require.Equal(t, sortedCommands(simulated.Files()), sortedCommands(real.Files()),
		"real clocks promise no order")
	require.Equal(t, []string{`init {"verb":"restart","service":"lrm"}`}, inSim.asked)
	require.Equal(t, inSim.asked, onNodes.asked)
	require.Len(t, inSim.did, 12)
	require.Equal(t, "n1: "+haspec.FilesInPlace, inSim.did[0])
	require.Equal(t, "n2: set vm:100 state stopped", inSim.did[2])
	require.ElementsMatch(t, inSim.did, onNodes.did, "real clocks promise no order")
}

// sortedCommands returns the files with the commands for the HA manager in alphabetical order.
func sortedCommands(files map[string]string) map[string]string {
	lines := strings.SplitAfter(files[haproc.CommandsPath], "\n")
	slices.Sort(lines)
	files = maps.Clone(files)
	files[haproc.CommandsPath] = strings.Join(lines, "")
	return files
}

// TestTheOperatorTriesUntilItSucceeds: a store without quorum only delays it.
func TestTheOperatorTriesUntilItSucceeds(t *testing.T) {
	files := storetest.New()
	files.Refuse = refuseFirst(20)
	o := New(spec("migrate vm:100 n2"), machines, 0)
	tr := simulate(t, o, files, time.Minute)
	require.Equal(t, []string{"n1: " + haspec.FilesInPlace, "n1: migrate vm:100 n2"}, tr.did)
	require.Equal(t, "migrate vm:100 n2\n", files.Files()[haproc.CommandsPath])
}

func refuseFirst(count int) func(*store.Request) tree.Code {
	return func(*store.Request) tree.Code {
		if count--; count >= 0 {
			return store.CodeNoQuorum
		}
		return ""
	}
}

// TestFilesAreWrittenOnce: after a restart of the operator's process, the files are there already.
func TestFilesAreWrittenOnce(t *testing.T) {
	files, o := storetest.New(), New(spec(), machines, warmup)
	require.Len(t, simulate(t, o, files, time.Minute).did, 1)
	before, asked := files.Files(), files.Asked()
	require.Empty(t, simulate(t, o, files, time.Minute).did)
	require.Equal(t, before, files.Files())
	require.Equal(t, asked+2, files.Asked(), "the status, and one read")
}

func TestGuestsBehindTheManagersBack(t *testing.T) {
	files := storetest.New()
	o := New(spec("start vm:100", "move vm:100 n1", "move vm:100 n2", "move vm:100 n1",
		"version 3.0", "reboot"),
		machines, warmup)
	tr := simulate(t, o, files, 2*time.Minute)
	// The second command runs on n2, which does not have the guest; the third one moves it from n1.
	require.Equal(t, []string{"guests " + string(resource.StartRequest("vm:100")),
		"guests " + string(resource.LeaveRequest("vm:100")), "guests " +
			string(resource.LeaveRequest("vm:100")),
		`init {"verb":"reboot"}`}, tr.asked)
	require.Contains(t, files.Files(), haproc.GuestPath("vm:100", "n1"))
	require.NotContains(t, files.Files(), haproc.GuestPath("vm:100", "n2"))
	require.Contains(t, files.Files()[haproc.VersionPath("n1")], "3.0")
	require.Len(t, tr.did, 7)
}

func TestRealNodesRefuseWhatTheyCannotDo(t *testing.T) {
	s := spec("reboot", "start vm:100", "version 3.0", "migrate vm:100 n2", "reboot")
	s.Prepared, s.Disabled, s.Flaws = true, []string{"n1"}, map[string]haspec.Flaw{"vm:100": {}}
	s.IdleFactor = 2
	all := New(s, machines, warmup).Driver(&hostdriver.Driver{}).Refuses()
	require.Len(t, all, 7)
	for i, begins := range []string{"disabled: ", "flaws: ", "idle_factor: ", "prepared: ", "reboot: ",
		"start vm:100: ", "version 3.0: "} {
		require.Contains(t, all[i], begins)
		require.Contains(t, all[i], "run it in the simulator")
	}
	require.Empty(t, New(spec("arm-ha"), machines, warmup).Driver(&hostdriver.Driver{}).Refuses())
}

// TestOperateEndsWithItsContext although nothing succeeds.
func TestOperateEndsWithItsContext(t *testing.T) {
	files := storetest.New()
	files.Refuse = func(*store.Request) tree.Code { return store.CodeNoQuorum }
	d := New(spec("arm-ha"), machines, 0).Driver(&hostdriver.Driver{})
	d.dial = func(context.Context, scenarios.Machine) (scenarios.Conn, error) {
		return conn{files, &trace{}}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d.Operate(ctx, []scenarios.Machine{{Name: "n1"}, {Name: "n2"}}, func() time.Duration { return 0 },
		func(int, env.Record) { t.Error("a record of something that was not done") })
	require.Error(t, ctx.Err())
}
