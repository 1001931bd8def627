package corosync

import "fmt"

// Limitation is an option that a file sets and that the engine does not support yet.
type Limitation struct {
	Option string // "quorum.two_node"
	Line   int    // 0 if it was not read from a file
	Effect string // what happens instead
}

// String returns the limitation on one line.
func (l Limitation) String() string {
	if l.Line == 0 {
		return fmt.Sprintf("%s: not supported yet: %s", l.Option, l.Effect)
	}
	return fmt.Sprintf("%s (line %d): not supported yet: %s", l.Option, l.Line, l.Effect)
}

// Unsupported returns the options of the file that the engine parses and checks, but does not support
// yet. Without them a plain majority of the node votes decides, which never makes two disjoint sides
// quorate, so running without them is safe. The program that starts the engine must report them.
func (c *Config) Unsupported() []Limitation {
	q := &c.Quorum
	var list []Limitation
	add := func(on bool, key, effect string) {
		if on {
			list = append(list, Limitation{"quorum." + key, q.lineOf(key), effect})
		}
	}
	add(q.ExpectedVotes.Set && q.ExpectedVotes.Value < c.NodeVotes(), "expected_votes",
		"the votes of the nodelist are expected, which is more")
	add(q.TwoNode.Value, "two_node", "both nodes are needed for quorum")
	add(c.waitForAll(), "wait_for_all", "a majority is quorate also right after the start")
	add(q.LastManStanding.Value, "last_man_standing", "expected votes stay as they are when nodes leave")
	add(q.AutoTieBreaker.Value, "auto_tie_breaker", "half of the votes is never quorate")
	add(q.AllowDownscale.Value, "allow_downscale", "expected votes stay as they are when nodes leave")
	add(q.ExpectedVotesTracking.Value, "expected_votes_tracking",
		"the highest expected votes are forgotten at a restart")
	if d := q.Device; d != nil {
		list = append(list, Limitation{"quorum.device", d.sectionLine,
			"the device has no vote; the nodes alone decide"})
	}
	if links := c.Links(); len(links) > 1 {
		list = append(list, Limitation{"nodelist.node." + ringKey(links[1]),
			c.Nodes[0].lineOf(ringKey(links[1])),
			fmt.Sprintf("%d links are configured, only link %d is used", len(links), links[0])})
	}
	return list
}
