// Package lrm is the local resource manager (LRM): one runs on every node, reads the manager's
// decisions and has them carried out by workers, but only while it holds the node's agent lock and
// its watchdog is armed. It never decides where a service runs, never executes a command twice, and
// never gives its lock away while something it started could still be running.
package lrm
