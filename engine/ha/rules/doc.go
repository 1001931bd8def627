// Package rules turns HA rules into what the scheduler asks for: it drops rules that cannot be kept
// (Check), completes the rest (Normalize) and compiles them to tables by service (Compile), and it
// answers which nodes a service may, should and must not use. It knows no node's state beyond what
// it is given and never changes its input.
package rules
