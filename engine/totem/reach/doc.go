// Package reach decides which nodes form a ring when not every node hears every other. Each node probes the
// links between itself and the others and publishes a [Row] with the links that work. Rows are flooded, so
// all nodes of a connected component have the same rows, and the members of the next ring are a function of
// the rows alone: the clique with the most votes. A link exists only if both ends report it. Therefore a node
// that only hears, or is only heard, has no influence on the others, and a ring is only formed by nodes of
// which each hears each.
//
// A link that fails again and again is damped: it has to work for longer and longer before it counts.
//
// A [Monitor] is a part of a ring node, which passes messages and the time to it.
//
// Package reach never forms a ring, never decides about quorum, and never reads a clock or a socket.
package reach
