package disk

import "slices"

// byteRanges are disjoint parts of a file, in order.
type byteRanges []byteRange

type byteRange struct{ from, to int64 }

// add joins a part with the others.
func (r *byteRanges) add(part byteRange) {
	if part.from >= part.to {
		return
	}
	r.remove(part)
	at, _ := slices.BinarySearchFunc(*r, part.from,
		func(p byteRange, from int64) int { return int(p.from - from) })
	*r = slices.Insert(*r, at, part)
}

// remove cuts a part out.
func (r *byteRanges) remove(part byteRange) {
	if len(*r) == 0 || part.from >= part.to {
		return
	}
	var kept byteRanges
	for _, p := range *r {
		if before := min(p.to, part.from); p.from < before {
			kept = append(kept, byteRange{p.from, before})
		}
		if after := max(p.from, part.to); after < p.to {
			kept = append(kept, byteRange{after, p.to})
		}
	}
	*r = kept
}

// span is the part of a file that a pending change concerns: what it wrote, or what it cut off.
func (c *change) span() byteRange {
	if c.truncates {
		return byteRange{c.offset, c.oldSize}
	}
	return byteRange{c.offset, c.offset + c.length}
}

// noteLost notes that the pending changes stay readable and no later sync makes them durable.
func (n *Inode) noteLost() {
	for i := range n.pendingWrites {
		n.lost.add(n.pendingWrites[i].span())
	}
}

// noteSynced notes that the pending changes have become durable, as far as anyone can know. What they wrote
// again is no longer lost.
func (n *Inode) noteSynced() {
	for i := 0; i < len(n.pendingWrites) && len(n.lost) > 0; i++ {
		n.lost.remove(n.pendingWrites[i].span())
	}
}
