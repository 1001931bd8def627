// Package cputime tells benchmarks how much processor time they used, which a busy machine does not
// stretch as it does wall time. It never decides whether a test passes.
package cputime
