// Package wire holds the messages that the nodes of a ring exchange, and how they are written as bytes:
// token, multicast packet, join, commit token and the small ones beside them. They are what is behind the
// seal of a datagram; the messages about reachability are those of package reach.
//
// A decoder takes any bytes. What it accepts is written back as the same bytes, and is within the limits of
// the protocol; it answers everything else with ErrMalformed.
//
// Package wire never decides what a message means, and never sends one.
package wire
