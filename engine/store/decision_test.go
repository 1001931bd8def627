package store

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
)

func inc(n ring.NodeID) state.Incarnation { return state.Incarnation{byte(n)} }

func configOf(genesis byte, votes ...uint32) *state.Config {
	c := &state.Config{Genesis: state.GenesisID{genesis}, LogKeep: 5}
	for i, v := range votes {
		n := ring.NodeID(i + 1)
		c.Members = append(c.Members, state.Member{Node: n, Votes: v, Incarnation: inc(n)})
	}
	return c
}

func reportOf(n ring.NodeID, c *state.Config, epoch, revision uint64) *orderedReport {
	return &orderedReport{node: n, report: report{Incarnation: inc(n), Config: c,
		Epoch: ring.ID{Seq: epoch, Rep: 1},
		Mark:  state.Mark{Revision: revision, Chain: [32]byte{byte(revision), byte(epoch)}}}}
}

func exchangeOf(members []ring.NodeID, reports ...*orderedReport) *reportExchange {
	return &reportExchange{epoch: ring.ID{Seq: 99, Rep: 1}, members: members, reports: reports}
}

// Every set of reporters of five, every one of a few states each: a decision comes exactly when
// the reporters, not the ring, are a majority, and it starts from the highest epoch, then revision.
func TestEveryExchangeOfFive(t *testing.T) {
	c := configOf(1, 1, 1, 1, 1, 1)
	states := [][2]uint64{{4, 9}, {8, 3}, {8, 5}}
	ringOfAll := []ring.NodeID{1, 2, 3, 4, 5}
	for code := range 4 * 4 * 4 * 4 * 4 {
		var reports []*orderedReport
		var best [2]uint64
		for n, rest := ring.NodeID(1), code; n <= 5; n, rest = n+1, rest/4 {
			if k := rest % 4; k > 0 {
				st := states[k-1]
				reports = append(reports, reportOf(n, c, st[0], st[1]))
				if st[0] > best[0] || st[0] == best[0] && st[1] > best[1] {
					best = st
				}
			}
		}
		x := exchangeOf(ringOfAll, reports...)
		d, err := x.concludeDecision()
		if len(reports) < 3 {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, best, [2]uint64{d.Epoch.Seq, d.Mark.Revision})
		require.Len(t, d.Members, len(reports))
		again, err := x.verifyDecide(&d.decide)
		require.NoError(t, err)
		require.Equal(t, d, again)
	}
}

func TestWrongDecisionsAreRejected(t *testing.T) {
	c := configOf(1, 1, 1, 1)
	x := exchangeOf([]ring.NodeID{1, 2, 3}, reportOf(1, c, 4, 1), reportOf(2, c, 4, 2), reportOf(3, c, 8, 1))
	good, err := x.concludeDecision()
	require.NoError(t, err)
	require.EqualValues(t, 3, good.Source)
	for name, change := range map[string]func(*decide){
		"source":     func(d *decide) { d.Source = 2 },
		"epoch":      func(d *decide) { d.Epoch.Seq++ },
		"mark":       func(d *decide) { d.Mark.Revision++ },
		"genesis":    func(d *decide) { d.Genesis = true },
		"no members": func(d *decide) { d.Members = nil },
		"not enough": func(d *decide) { d.Members = []ring.NodeID{3} },
		"no report":  func(d *decide) { d.Members = []ring.NodeID{1, 2, 3, 4} },
		"other X":    func(d *decide) { d.Members = []ring.NodeID{1, 2} },
	} {
		d := good.decide
		change(&d)
		_, err := x.verifyDecide(&d)
		require.Error(t, err, name)
	}
	smaller := decide{Members: []ring.NodeID{1, 2}, Source: 2, Epoch: ring.ID{Seq: 4, Rep: 1},
		Mark: x.reports[1].Mark}
	_, err = x.verifyDecide(&smaller)
	require.NoError(t, err, "X may leave a reporter out, if it is a quorum")
}

func TestLearnersDoNotDecide(t *testing.T) {
	c := configOf(1, 1, 1, 1)
	wiped := reportOf(3, c, 12, 50) // a copy of the newest state, under another incarnation
	wiped.Incarnation = state.Incarnation{77}
	_, err := exchangeOf(nil, reportOf(1, c, 4, 1), wiped).concludeDecision()
	require.ErrorIs(t, err, errNoQuorum)
	d, err := exchangeOf(nil, reportOf(1, c, 4, 1), reportOf(2, c, 4, 1), wiped).concludeDecision()
	require.NoError(t, err)
	require.Equal(t, []ring.NodeID{1, 2}, d.Members)
	require.EqualValues(t, 1, d.Source)
}

func TestWeightedVotes(t *testing.T) {
	c := configOf(1, 3, 1, 1, 0) // E = 5, Q = 3
	_, err := exchangeOf(nil, reportOf(1, c, 4, 1)).concludeDecision()
	require.NoError(t, err)
	_, err = exchangeOf(nil, reportOf(2, c, 4, 1), reportOf(3, c, 4, 1),
		reportOf(4, c, 4, 1)).concludeDecision()
	require.ErrorIs(t, err, errNoQuorum)
}

func TestGenesisNeedsAllAndAgreement(t *testing.T) {
	fresh := func(n ring.NodeID, c *state.Config) *orderedReport {
		return &orderedReport{node: n, report: report{Incarnation: inc(n), Config: c}}
	}
	proposal := configOf(0, 1, 1, 1)
	for i := range proposal.Members {
		proposal.Members[i].Incarnation = state.Incarnation{}
	}
	other := *proposal
	other.LogKeep++
	d, err := exchangeOf(nil, fresh(3, proposal), fresh(1, proposal), fresh(2, proposal)).concludeDecision()
	require.NoError(t, err)
	require.True(t, d.Genesis && d.config.Initialized())
	require.True(t, d.config.IsVoter(2, inc(2)))
	for name, x := range map[string]*reportExchange{
		"no members": exchangeOf(nil),
		"one away":   exchangeOf(nil, fresh(1, proposal), fresh(2, proposal)),
		"different":  exchangeOf(nil, fresh(1, proposal), fresh(2, proposal), fresh(3, &other)),
		"stranger":   exchangeOf(nil, fresh(1, proposal), fresh(2, proposal), fresh(4, proposal)),
	} {
		_, err := x.concludeDecision()
		require.ErrorIs(t, err, errUninitialized, name)
	}
	// A node that was listed at genesis and has no data yet is a voter of the new cluster.
	d, err = exchangeOf(nil, reportOf(1, configOf(1, 1, 1, 1), 4, 0), fresh(2, proposal)).concludeDecision()
	require.NoError(t, err)
	require.Equal(t, []ring.NodeID{1, 2}, d.Members)
	// Wiped stores make no new cluster while another store remembers the old one.
	w := fresh(2, proposal)
	w.Incarnation = state.Incarnation{77}
	v := fresh(3, proposal)
	v.Incarnation = state.Incarnation{78}
	_, err = exchangeOf(nil, reportOf(1, configOf(1, 1, 1, 1), 4, 7), w, v).concludeDecision()
	require.ErrorIs(t, err, errNoQuorum)
}

func TestTwoClustersDoNotMerge(t *testing.T) {
	_, err := exchangeOf(nil, reportOf(1, configOf(1, 1, 1), 4, 1),
		reportOf(2, configOf(2, 1, 1), 4, 1)).concludeDecision()
	require.ErrorIs(t, err, errTwoClusters)
}

// Every set of reporters of four, with every place that one of them remembers of another: a store that has
// less than it confirmed is in no decision, and all that is left must be a quorum.
func TestEveryExchangeWithAMemory(t *testing.T) {
	c := configOf(1, 1, 1, 1, 1)
	states := [][2]uint64{{4, 9}, {8, 3}}
	marks := [][2]uint64{{4, 8}, {4, 9}, {4, 10}, {8, 2}, {8, 4}}
	for code := range 3 * 3 * 3 * 3 {
		for _, remembered := range marks {
			for node := ring.NodeID(1); node <= 4; node++ {
				var reports []*orderedReport
				trusted := 0
				for n, rest := ring.NodeID(1), code; n <= 4; n, rest = n+1, rest/3 {
					if rest%3 > 0 {
						st := states[rest%3-1]
						reports = append(reports, reportOf(n, c, st[0], st[1]))
						trusted++
					}
				}
				if len(reports) == 0 {
					continue
				}
				witness := reports[len(reports)-1]
				witness.Peers = []state.PeerMark{{Node: node, Incarnation: inc(node),
					Epoch: ring.ID{Seq: remembered[0], Rep: 1}, Revision: remembered[1]}}
				x := exchangeOf([]ring.NodeID{1, 2, 3, 4}, reports...)
				forgot := false
				for _, r := range reports {
					if r.node == node && (r.Epoch.Seq < remembered[0] ||
						r.Epoch.Seq == remembered[0] && r.Mark.Revision < remembered[1]) {
						forgot = true
						trusted--
					}
				}
				d, err := x.concludeDecision()
				if trusted < 3 {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				require.Len(t, d.Members, trusted)
				require.Equal(t, forgot, !slices.Contains(d.Members, node) && x.reportOf(node) != nil)
				again, err := x.verifyDecide(&d.decide)
				require.NoError(t, err)
				require.Equal(t, d, again)
				if forgot {
					wrong := d.decide
					wrong.Members = ring.Sorted(append(slices.Clone(d.Members), node))
					_, err := x.verifyDecide(&wrong)
					require.ErrorIs(t, err, errWentBack)
				}
			}
		}
	}
}
