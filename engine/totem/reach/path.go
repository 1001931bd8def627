package reach

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/engine/ring"
)

// direct stands for a route over no relay.
const direct = -1

const (
	// qualityRelay is the quality below which a link that is up is left for a relay that is better.
	qualityRelay = qualityFull * 6 / 10
	// qualityGood is the quality at which a link is used again, whatever the relay is worth.
	qualityGood = qualityFull * 85 / 100
	// relayGain is by how much the way over a relay must be better than a link that works badly.
	relayGain = qualityFull * 2 / 10
	// relayBonus is what the relay in use has ahead of the others, so that routes do not alternate.
	relayBonus = qualityFull / 10
	// directPings is after how many probe intervals of answers a link is used again.
	directPings = 4
)

// path is how a node reaches another one: directly, or over one relay. Its link is fed by the answers that
// come over the present route, and it alone decides whether the other node is reached. A change of the route
// is no outage: it costs no flap.
type path struct {
	link
	via      int   // the relay of the present route, or direct
	asked    Set   // relays that were probed since another route is needed; the first that answers is used
	trial    int   // the one of asked that is being probed, or direct
	answered uint8 // a bit for each of the last probes, over the present route
}

// Route is how a node is reached.
type Route struct {
	To  ring.NodeID
	Via ring.NodeID // 0: directly
}

func newPaths(n int) []path {
	paths := make([]path, n)
	for i := range paths {
		paths[i] = path{link: newLink(), via: direct, trial: direct}
	}
	return paths
}

// isFresh reports whether a link is up and was answered lately.
func (l *link) isFresh(now time.Duration, t *Timing) bool {
	return l.isUp && now-l.answeredAt < t.answerWithin()
}

// isRising reports whether a link that is not damped is about to be up.
func (l *link) isRising(now time.Duration, t *Timing) bool {
	return !l.isUp && l.flaps < 2 && l.isAnswering && now-l.answeredAt < 2*t.Ping
}

// Via returns the relay over which messages to a node go, by the node's place; 0 if they go directly.
func (p *prober) Via(i int) ring.NodeID {
	if p.paths == nil || p.paths[i].via == direct {
		return 0
	}
	return p.cfg.Nodes[p.paths[i].via]
}

// Relayed returns the routes that lead over a relay and work, ascending by node.
func (p *prober) Relayed() []Route {
	var out []Route
	for i, id := range p.cfg.Nodes {
		if via := p.Via(i); via != 0 && p.paths[i].isUp {
			out = append(out, Route{To: id, Via: via})
		}
	}
	return out
}

// answerPath takes an answer that came over a route, which is not necessarily the present one.
func (p *prober) answerPath(now time.Duration, from int, bit uint8, sent time.Duration, boot uint64,
	via int,
) {
	pa := &p.paths[from]
	if via != pa.via && via != direct && pa.asked.Has(via) {
		if _, isNeeded := p.needsRelay(now, from); isNeeded {
			p.useRoute(from, via)
			pa.answered &^= bit
		}
	}
	if via != pa.via || pa.answered&bit != 0 {
		return
	}
	pa.answered |= bit
	p.updatePath(from, func(l *link) { l.answer(now, sent, boot, &p.cfg.Timing) })
}

// useRoute changes the route to a node. Probes that are on their way over the old one count as answered.
func (p *prober) useRoute(i, via int) {
	pa := &p.paths[i]
	pa.via, pa.asked, pa.trial, pa.answered = via, Set{}, direct, ^uint8(0)
	p.cfg.Host.RouteChanged(p.cfg.Nodes[i], p.Via(i))
}

// updatePath changes the link of a path and reports to the host when the node is reached, or no longer.
func (p *prober) updatePath(i int, change func(*link)) {
	l := &p.paths[i].link
	before := l.isUp
	change(l)
	if l.isUp != before {
		p.cfg.Host.Reached(p.cfg.Nodes[i], l.isUp)
	}
}

// chooseRoutes looks for better routes. Relays are tried one in each probe interval, the best first, and a
// route is changed to a relay only when it has answered.
//
// Worked example. The nodes 1, 2 and 3 form a ring, the token timeout is 1000 ms, and the link 1-3 is cut:
//
//	t        the last answers of 3 reach 1
//	t+500    1 has had no answer of 3 for half a token timeout; at the next probe it asks 3 over 2 as well
//	t+502    3 has answered over 2: the route of 1 to 3 leads over 2, and 1 repeats a token sent to 3
//	         3 does the same; both reach each other all the time, and no ring changes
//
// If the link 2-3 is cut as well, 2 reports that it does not hear 3, and is not asked.
func (p *prober) chooseRoutes(now time.Duration) {
	for i := range p.paths {
		if i == p.self {
			continue
		}
		pa := &p.paths[i]
		pa.trial = direct
		if p.isDirectAgain(now, i) {
			p.useRoute(i, direct)
		}
		least, isNeeded := p.needsRelay(now, i)
		if !isNeeded {
			pa.asked = Set{}
			continue
		}
		if pa.trial = p.bestRelay(now, i, least, &pa.asked); pa.trial == direct {
			pa.asked = Set{}
			pa.trial = p.bestRelay(now, i, least, &pa.asked)
		}
		if pa.trial != direct {
			pa.asked.Add(pa.trial)
		}
	}
}

// isDirectAgain reports whether a node that is reached over a relay is to be reached directly again.
func (p *prober) isDirectAgain(now time.Duration, i int) bool {
	t, l, via := &p.cfg.Timing, &p.links[i], p.paths[i].via
	if via == direct || !l.isUp || now-l.answeredAt >= 2*t.Ping {
		return false
	}
	present := p.worth(now, i, via)
	return present == 0 || l.answeredSent-l.streakFrom >= directPings*t.Ping &&
		(l.quality > qualityGood || l.quality+relayBonus > present)
}

// needsRelay reports whether another route to a node is looked for, and which worth it must exceed.
func (p *prober) needsRelay(now time.Duration, i int) (least uint32, isNeeded bool) {
	t, l, pa := &p.cfg.Timing, &p.links[i], &p.paths[i]
	if pa.via == direct {
		switch {
		case l.isRising(now, t):
			return 0, false
		case !l.isFresh(now, t):
			return 0, true
		}
		return l.quality + relayGain, l.quality < qualityRelay
	}
	present := p.worth(now, i, pa.via)
	if present == 0 || now-pa.answeredAt >= t.answerWithin() {
		return 0, true
	}
	return present + relayBonus, true
}

// bestRelay returns the relay to a node that is worth most among those worth more than least and not in but,
// the lowest of several; direct if there is none.
func (p *prober) bestRelay(now time.Duration, i int, least uint32, but *Set) int {
	best := direct
	for k := range p.links {
		if k == p.paths[i].via || but.Has(k) {
			continue
		}
		if worth := p.worth(now, i, k); worth > least {
			best, least = k, worth
		}
	}
	return best
}

// worth returns the quality of the way to a node over another one: the product of those of its two links. It
// is 0 unless both links work, each as both of its ends report it, and all three nodes use relays.
func (p *prober) worth(now time.Duration, i, k int) uint32 {
	to, over := &p.table.rows[i], &p.table.rows[k]
	if k == p.self || k == i || !p.links[k].isFresh(now, &p.cfg.Timing) || !over.Relays || !to.Relays ||
		!over.Direct.Has(p.self) || !over.Direct.Has(i) || !to.Direct.Has(k) {
		return 0
	}
	return uint32(uint64(p.links[k].quality) * uint64(over.Quality[i]) / gradeMax)
}

// reached returns the nodes that this node reaches, over any route.
func (p *prober) reached() Set {
	if p.paths == nil {
		return p.upLinks()
	}
	var up Set
	for i := range p.paths {
		if p.paths[i].isUp {
			up.Add(i)
		}
	}
	return up
}

// freshLinks returns the nodes to which the direct links work.
func (p *prober) freshLinks(now time.Duration) Set {
	var fresh Set
	for i := range p.links {
		if p.links[i].isFresh(now, &p.cfg.Timing) {
			fresh.Add(i)
		}
	}
	return fresh
}

// gradesOf returns the quality of links in steps of 1/gradeMax, 0 for the node itself.
func gradesOf(links []link, self int) []byte {
	grades := make([]byte, len(links))
	for i := range links {
		if i != self {
			grades[i] = grade(links[i].quality)
		}
	}
	return grades
}

func grade(quality uint32) byte { return byte((quality*gradeMax + qualityFull/2) / qualityFull) }

// gradesMoved reports whether the quality of a link differs much from what was published.
func gradesMoved(links []link, self int, published []byte) bool {
	for i, was := range published {
		change := int(grade(links[i].quality)) - int(was)
		if i != self && (change >= gradeStep || -change >= gradeStep) {
			return true
		}
	}
	return false
}

// decodePing reads a ping or a pong: its number, the digest or boot, and the place of the relay over which it
// came.
func (c *Config) decodePing(from ring.NodeID, body []byte) (number, value uint64, via int, err error) {
	le := binary.LittleEndian
	via = direct
	switch {
	case len(body) == pingBytes-1+viaBytes && c.Relay:
		relay := ring.NodeID(le.Uint32(body[pingBytes-1:]))
		at, ok := slices.BinarySearch(c.Nodes, relay)
		if !ok || relay == c.Node || relay == from {
			return 0, 0, direct, ErrMalformed
		}
		via = at
	case len(body) != pingBytes-1:
		return 0, 0, direct, ErrMalformed
	}
	return le.Uint64(body), le.Uint64(body[8:]), via, nil
}
