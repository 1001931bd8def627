package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// TestGoldenTraces runs the golden traces in testdata: what stores log, publish and answer in the main
// situations. Commands:
//
//	cluster votes=(1,1,1)        machines with stores
//	ring 1 2 3                   a new ring, entered by all
//	form 1 2 | enter node=1      a new ring; a member enters it
//	do node=1 op=write path=a    an operation; settle=false leaves it unanswered
//	step node=1                  one message from the cluster process
//	pass 1s                      time, with everything delivered
//	kill, power, wipe, start     node=1
//	disk node=1 fail=enospc      writes and syncs fail; without fail they work again
//	status node=1
func TestGoldenTraces(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{t: t}
		datadriven.RunTest(t, path, s.command)
	})
}

type story struct {
	t   *testing.T
	c   *testCluster
	out strings.Builder
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	var n *testNode
	if d.HasArg("node") {
		var id int
		d.ScanArgs(t, "node", &id)
		n = s.c.node(id)
	}
	switch d.Cmd {
	case "cluster":
		s.cluster(d)
	case "ring":
		s.c.formAll(ids(t, d)...)
	case "form":
		s.c.form(ids(t, d)...)
	case "enter":
		n.enter(s.c.rings[len(s.c.rings)-1], nil)
	case "do":
		s.do(t, d, n)
	case "step":
		n.deliver()
	case "pass":
		wait, err := time.ParseDuration(d.CmdArgs[0].Key)
		require.NoError(t, err)
		s.c.pass(wait)
	case "kill", "power", "wipe":
		s.kill(d.Cmd, n)
	case "start":
		if err := n.start(); err != nil {
			fmt.Fprintf(&s.out, "n%d refuses to start: %v\n", n.id, err)
		}
		s.c.settle()
	case "disk":
		s.disk(t, d, n)
	case "status":
		fmt.Fprintf(&s.out, "%s\n", mustJSON(n.store.status()))
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	return s.out.String()
}

func ids(t *testing.T, d *datadriven.TestData) (out []int) {
	for _, a := range d.CmdArgs {
		id, err := strconv.Atoi(a.Key)
		require.NoError(t, err)
		out = append(out, id)
	}
	return out
}

func (s *story) cluster(d *datadriven.TestData) {
	var votes []uint32
	for _, v := range d.CmdArgs[0].Vals {
		n, err := strconv.Atoi(v)
		require.NoError(s.t, err)
		votes = append(votes, uint32(n))
	}
	s.c = newTestCluster(s.t, votes...)
	s.c.onRecord = func(n *testNode, r env.Record) {
		b, _ := json.Marshal(r)
		fmt.Fprintf(&s.out, "n%d %s %s\n", n.id, r.RecordKind(), b)
	}
	s.c.onAnswer = func(n *testNode, _ env.OpID, r *Response) {
		fmt.Fprintf(&s.out, "n%d answers %s\n", n.id, r.Encode())
	}
	for _, n := range s.c.nodes {
		n.logLines = func(line string) { s.out.WriteString(line + "\n") }
	}
	s.c.start()
}

func (s *story) do(t *testing.T, d *datadriven.TestData, n *testNode) {
	req, settle := Request{}, true
	for _, a := range d.CmdArgs {
		v := a.Vals[0]
		number, _ := strconv.Atoi(v)
		switch a.Key {
		case "node":
		case "id":
			req.ID = v
		case "op":
			req.Op = v
		case "path":
			req.Path = v
		case "to":
			req.To = v
		case "data":
			req.Data = []byte(v)
		case "expect":
			req.Expect = uint64(number)
		case "local":
			req.Local = true
		case "retry":
			req.Retry = true
		case "replace":
			for _, m := range s.c.nodes {
				if int(m.id) == number {
					req.Node, req.Incarnation = m.id, m.store.disk.replica.Incarnation.String()
				}
			}
		case "settle":
			settle = false
		default:
			d.Fatalf(t, "unknown argument %q", a.Key)
		}
	}
	n.invoke(req)
	if settle {
		s.c.settle()
	}
}

func (s *story) kill(how string, n *testNode) {
	switch how {
	case "kill":
		n.kill()
	case "power":
		n.powerCut(func(int) int { return 0 })
	case "wipe":
		n.kill()
		n.disk.Wipe()
		n.ring, n.cursor, n.floor, n.reserved = nil, 0, 0, 0
		n.boot++
	}
}

func (s *story) disk(t *testing.T, d *datadriven.TestData, n *testNode) {
	n.disk.Before = nil
	if !d.HasArg("fail") {
		return
	}
	var kind string
	d.ScanArgs(t, "fail", &kind)
	cause := map[string]error{"enospc": env.ErrNoSpace, "eio": env.ErrIO}[kind]
	require.NotNil(t, cause)
	n.disk.Before = func(op, _ string) error {
		if slices.Contains([]string{"write", "sync", "truncate", "create"}, op) {
			return cause
		}
		return nil
	}
}
