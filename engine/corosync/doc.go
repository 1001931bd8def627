// Package corosync reads, checks and writes corosync.conf, the file that says what a cluster is:
// its nodes, their addresses and votes, the membership timers and the quorum rules.
//
// [Parse] turns a file into a [Config], with every problem it finds as file, line, what is wrong
// and what to write instead. What Corosync itself tolerates (unknown keys, sections that only
// matter to Corosync) is kept for writing and reported as a warning; what looks like a misspelt
// key is an error, because Corosync would silently run without the setting. [Config.String]
// writes the canonical form, as Proxmox VE does: two spaces a level, entries sorted by name,
// comments dropped. [Derive] computes the timers that follow from a file.
//
// The sources of the rules are the man pages corosync.conf(5), votequorum(5) and
// corosync-qdevice(8).
//
// Package corosync never reads a file, resolves a name or keeps state; it never decides what an
// option does, only what a file says.
package corosync
