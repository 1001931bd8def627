package reach

import "time"

// probesKept is for how many probes a prober remembers when it sent them. Answers count for four probes.
const probesKept = 8

// prober probes the links of a node and decides which are up, and over which routes the node reaches others.
type prober struct {
	cfg      *Config
	self     int
	table    *Table
	paths    []path                    // by node; nil if relays are not used: all routes are direct
	links    []link                    // by node
	probe    uint64                    // number of the last probe
	judged   uint64                    // the probes up to here have been answered or lost
	sentAt   [probesKept]time.Duration // of the last probes, by number
	answered []uint8                   // by node: a bit for each of these probes
	pingedAt time.Duration
	hasBegun bool
}

func newProber(cfg *Config, self int, table *Table) prober {
	p := prober{cfg: cfg, self: self, table: table, links: make([]link, len(cfg.Nodes)),
		answered: make([]uint8, len(cfg.Nodes))}
	if cfg.Relay {
		p.paths = newPaths(len(cfg.Nodes))
	}
	for i := range p.links {
		p.links[i] = newLink()
	}
	return p
}

// nextProbe begins a probe and returns its number.
func (p *prober) nextProbe(now time.Duration) uint64 {
	p.hasBegun, p.pingedAt = true, now
	p.probe++
	p.sentAt[p.probe%probesKept] = now
	for i := range p.answered {
		p.answered[i] &^= 1 << (p.probe % probesKept)
	}
	for i := range p.paths {
		p.paths[i].answered &^= 1 << (p.probe % probesKept)
	}
	return p.probe
}

// answer takes a node's answer to a probe, which came over a relay or directly.
func (p *prober) answer(now time.Duration, from int, probe, boot uint64, via int) {
	bit := uint8(1) << (probe % probesKept)
	if probe <= p.judged || probe > p.probe {
		return
	}
	sent := p.sentAt[probe%probesKept]
	if now-sent >= p.cfg.Timing.answerWithin() {
		return
	}
	if via == direct && p.answered[from]&bit == 0 {
		p.answered[from] |= bit
		p.updateLink(from, func(l *link) { l.answer(now, sent, boot, &p.cfg.Timing) })
	}
	if p.paths != nil {
		p.answerPath(now, from, bit, sent, boot, via)
	}
}

// judge counts the probes that were lost, and looks at every link.
func (p *prober) judge(now time.Duration) {
	t := &p.cfg.Timing
	if p.hasBegun && now-p.pingedAt > 2*t.Ping {
		// This process did not run for a while. Its links may be as good as before: answers wait to be read,
		// and the next probes decide.
		p.judged = p.probe
		for i := range p.links {
			p.links[i].answeredAt = max(p.links[i].answeredAt, now-t.Token+2*t.Ping)
		}
		for i := range p.paths {
			p.paths[i].answeredAt = max(p.paths[i].answeredAt, now-t.Token+2*t.Ping)
		}
	}
	for ; p.judged < p.probe && now-p.sentAt[(p.judged+1)%probesKept] >= t.answerWithin(); p.judged++ {
		bit := uint8(1) << ((p.judged + 1) % probesKept)
		for i := range p.links {
			if p.answered[i]&bit == 0 {
				p.links[i].lose()
			}
		}
		for i := range p.paths {
			if p.paths[i].answered&bit == 0 {
				p.paths[i].lose()
			}
		}
	}
	for i := range p.links {
		p.updateLink(i, func(l *link) { l.update(now, t) })
	}
	for i := range p.paths {
		p.updatePath(i, func(l *link) { l.update(now, t) })
	}
}

// updateLink changes a link and reports to the host when it went up or down.
func (p *prober) updateLink(i int, change func(*link)) {
	l := &p.links[i]
	before := l.isUp
	change(l)
	if l.isUp != before {
		p.cfg.Host.LinkChanged(p.cfg.Nodes[i], l.isUp)
		if p.paths == nil {
			p.cfg.Host.Reached(p.cfg.Nodes[i], l.isUp)
		}
	}
}

// upLinks returns the nodes to which the links are up.
func (p *prober) upLinks() Set {
	var up Set
	for i := range p.links {
		if p.links[i].isUp {
			up.Add(i)
		}
	}
	return up
}

// drop brings the link and the path to a node down, without a flap.
func (p *prober) drop(i int) {
	p.updateLink(i, (*link).down)
	if p.paths != nil {
		p.updatePath(i, (*link).down)
	}
}

// dropAll brings all links and paths down.
func (p *prober) dropAll() {
	for i := range p.links {
		p.drop(i)
	}
}
