// Package rules prepares HA rules for the scheduler. It drops rules that cannot be satisfied (Check),
// completes the rest (Normalize), compiles them to tables by service (Compile), and answers which nodes
// a service may, should and must not use. It never reads the state of a node beyond its arguments, and
// never changes its input.
package rules
