// Package lrm is the local resource manager (LRM). One runs on every node, reads the manager's decisions
// and has workers execute them, but only while it holds the node's agent lock and its watchdog is armed.
// It never decides where a service runs, never executes a command twice, and never releases its lock
// while something that it started could still be running.
package lrm
