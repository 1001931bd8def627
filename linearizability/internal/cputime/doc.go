// Package cputime returns the processor time that a benchmark used, which a busy machine does not
// stretch as it does wall time. It never decides whether a test passes.
package cputime
