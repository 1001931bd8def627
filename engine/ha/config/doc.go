// Package config reads and writes the text files of the HA manager: section files (resources,
// groups, rules), datacenter.cfg, fence.cfg and the command queue. It turns text into values and
// back; it never opens a file and never decides whether a configuration makes sense in a cluster
// (package rules does).
package config
