package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
	"github.com/holdfast-sim/holdfast/engine/store/sqldb"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

func benchOptions(d env.Disk, boot uint64) sqldb.Options {
	return sqldb.Options{Disk: d, Name: "store/config.db", Boot: boot, Limits: tree.DefaultLimits(),
		NewIncarnation: func() state.Incarnation { return state.Incarnation{1} }}
}

// BenchmarkOpen is the cost of opening a store: new, after a power cut, and after a restart of the
// process alone, which writes everything anew.
func BenchmarkOpen(b *testing.B) {
	b.Run("new", func(b *testing.B) {
		for range b.N {
			db, _, err := sqldb.Open(benchOptions(envtest.NewDisk(), 1))
			require.NoError(b, err)
			db.Release()
		}
	})
	c := newTestCluster(b, 1).start()
	c.formAll(1)
	for i := range 100 {
		c.node(1).mustWrite(fmt.Sprintf("f%d", i%20), "some content of a usual length, a line or two of it")
	}
	c.node(1).kill()
	for _, boot := range []uint64{2, 1} {
		b.Run(fmt.Sprintf("boot=%d", boot), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				d := c.node(1).disk.Clone()
				b.StartTimer()
				db, _, err := sqldb.Open(benchOptions(d, boot))
				require.NoError(b, err)
				db.Release()
			}
		})
	}
}

// BenchmarkCommit is one change made durable on one node, without the protocol.
func BenchmarkCommit(b *testing.B) {
	db, r, err := sqldb.Open(benchOptions(envtest.NewDisk(), 1))
	require.NoError(b, err)
	defer db.Release()
	r.Config = &state.Config{LogKeep: 1000, Members: []state.Member{{Node: 1, Votes: 1}}}
	data := make([]byte, 200)
	b.ResetTimer()
	for i := range b.N {
		var batch state.Batch
		cmd := state.Command{Request: fmt.Sprint(i),
			Op: tree.Op{Kind: tree.Write, Path: fmt.Sprintf("f%d", i%20), Data: data}}
		r.Apply(&cmd, nil, &batch)
		if err := db.Commit(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrites is a client's write through three stores, all costs included but the ring's.
func BenchmarkWrites(b *testing.B) {
	c := newTestCluster(b, 1, 1, 1).plainDisks().start()
	c.formAll(1, 2, 3)
	data := string(make([]byte, 200))
	b.ResetTimer()
	for i := range b.N {
		c.node(1+i%3).mustWrite(fmt.Sprintf("f%d", i%20), data)
	}
}

// BenchmarkReads is a linearizable read through three stores.
func BenchmarkReads(b *testing.B) {
	c := newTestCluster(b, 1, 1, 1).plainDisks().start()
	c.formAll(1, 2, 3)
	c.node(1).mustWrite("f", "data")
	b.ResetTimer()
	for i := range b.N {
		c.node(1 + i%3).mustRead("f")
	}
}

// plainDisks gives the machines disks that cost little and lose nothing.
func (c *testCluster) plainDisks() *testCluster {
	for _, n := range c.nodes {
		n.plain = envtest.NewDisk()
	}
	return c
}
