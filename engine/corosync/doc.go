// Package corosync reads, checks and writes corosync.conf, the file that describes a cluster: its nodes,
// their addresses and votes, the membership timers and the quorum rules.
//
// [Parse] reads a file into a [Config], with every problem as file, line, what is wrong and what to write
// instead. What Corosync itself tolerates (unknown keys, sections that only matter to Corosync) is kept for
// writing and reported as a warning. A key that looks misspelt is an error, because Corosync would silently
// run without the setting. [Config.String] writes the canonical form of Proxmox VE: two spaces a level,
// entries sorted by name, no comments. [DeriveTimers] computes the timers that follow from a file.
//
// The sources of the rules are the man pages corosync.conf(5), votequorum(5) and corosync-qdevice(8).
//
// Package corosync never reads a file, resolves a name or keeps state. It never decides what an option
// does, only what a file contains.
package corosync
