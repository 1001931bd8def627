// Package vswitch is a network switch in user space. It holds one end of every machine's network
// interface and treats each frame as package fault says a link in its present condition does:
// late, lost, twice, out of order, or not at all.
//
// One thread reads, decides and delivers, so that frames of one pair with the same delay keep
// their order. The switch never looks into a frame beyond its destination address, and it never
// decides what goes wrong: whoever holds the [fault.Net] does.
package vswitch
