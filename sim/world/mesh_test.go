package world_test

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/fault"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/world"
)

// The mesh: every machine sends every other one a 64-byte heartbeat each 100 ms over links of
// 1 ms, and every heartbeat is echoed.
const (
	meshPeriod  = 100 * time.Millisecond
	meshLatency = time.Millisecond
	meshBytes   = 64
)

type meshProcess struct {
	env    env.Env
	size   int
	packet [meshBytes]byte
	echoes *int
}

func (p *meshProcess) Start(e env.Env) error {
	p.env = e
	e.SetTimer(1, meshPeriod)
	return nil
}

func (p *meshProcess) Step(ev env.Event) {
	switch ev := ev.(type) {
	case env.TimerFired:
		p.packet[0] = 0
		for m := range p.size {
			if env.MachineID(m) != p.env.Self().Machine {
				p.env.Send(env.MachineID(m), 0, p.packet[:])
			}
		}
		p.env.SetTimer(1, meshPeriod)
	case env.Received:
		if ev.Payload[0] == 0 {
			p.packet[0] = 1
			p.env.Send(ev.From, 0, p.packet[:])
			return
		}
		*p.echoes++
	}
}

type meshBuilder struct {
	size   int
	echoes *int
}

func (b meshBuilder) Files(env.MachineID) []scenarios.File { return nil }

func (b meshBuilder) Processes(env.MachineID) []scenarios.ProcessSpec {
	return []scenarios.ProcessSpec{{Name: "mesh", New: func() env.Process {
		return &meshProcess{size: b.size, echoes: b.echoes}
	}}}
}

func runMesh(tb testing.TB, size int, virtual time.Duration) (echoes int, steps uint64) {
	w := world.New(world.Config{Seed: 1, Names: scenarios.Count(size),
		Base:    fault.Condition{Latency: meshLatency},
		Builder: meshBuilder{size, &echoes}}, choice.New(choice.Options{Seed: 1}))
	for i := range size {
		w.MachineAt(i).PowerOn()
	}
	if err := w.Kernel.Run(int64(virtual)); err != nil {
		tb.Fatal(err)
	}
	w.Close()
	return echoes, w.Steps()
}

func TestMeshEchoesEverything(t *testing.T) {
	echoes, steps := runMesh(t, 5, 10*time.Second)
	perRound := 5 * 4
	if echoes < 98*perRound || echoes > 100*perRound || steps < uint64(2*echoes) {
		t.Fatalf("%d echoes in %d steps", echoes, steps)
	}
}

// BenchmarkMesh reports how much faster than real time the mesh runs, in the simulator and, side
// by side in the same run, on testing/synctest with net.Pipe.
func BenchmarkMesh(b *testing.B) {
	for _, size := range []int{3, 9, 27} {
		virtual := 60 * time.Second * 27 / time.Duration(size)
		b.Run(fmt.Sprintf("machines=%d/simulator", size), func(b *testing.B) {
			var steps uint64
			before := cpuTime()
			for b.Loop() {
				_, n := runMesh(b, size, virtual)
				steps += n
			}
			report(b, virtual, steps, cpuTime()-before)
		})
		b.Run(fmt.Sprintf("machines=%d/synctest", size), func(b *testing.B) {
			var steps uint64
			short := virtual / 10
			before := cpuTime()
			for b.Loop() {
				steps += 2 * uint64(runSynctestMesh(size, short))
			}
			report(b, short, steps, cpuTime()-before)
		})
	}
}

// report counts the time that all cores spent, collecting garbage included, so that what else the
// machine does has little to say.
func report(b *testing.B, virtual time.Duration, steps uint64, used time.Duration) {
	b.ReportMetric(virtual.Seconds()*float64(b.N)/used.Seconds(), "virtual-s/core-s")
	b.ReportMetric(float64(steps)/used.Seconds(), "events/core-s")
	b.ReportMetric(0, "ns/op")
}

// runSynctestMesh is the same mesh with goroutines in a bubble: a connection for each ordered
// pair, the delay slept by the writer's courier.
func runSynctestMesh(size int, virtual time.Duration) (echoes int) {
	synctestRun(func() {
		stop := time.Now().Add(virtual)
		done := make(chan int, size*size)
		for i := range size {
			for j := range size {
				if i == j {
					continue
				}
				near, far := net.Pipe()
				go echoServer(far)
				go heartbeat(near, stop, done)
			}
		}
		for range size * (size - 1) {
			echoes += <-done
		}
	})
	return echoes
}

func echoServer(c net.Conn) {
	defer c.Close()
	buf := make([]byte, meshBytes)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		time.Sleep(meshLatency)
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}

func heartbeat(c net.Conn, stop time.Time, done chan<- int) {
	defer c.Close()
	echoes := 0
	buf := make([]byte, meshBytes)
	for time.Now().Before(stop) {
		next := time.Now().Add(meshPeriod)
		time.Sleep(meshLatency)
		if _, err := c.Write(buf); err != nil {
			break
		}
		if _, err := c.Read(buf); err != nil {
			break
		}
		echoes++
		time.Sleep(time.Until(next))
	}
	done <- echoes
}

// synctestRun runs a function in a bubble outside of a test of its own.
func synctestRun(f func()) {
	testing.RunTests(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
			synctest.Test(t, func(*testing.T) { f() })
		}}})
}
