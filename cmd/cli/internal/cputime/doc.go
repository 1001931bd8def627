// Package cputime returns the processor time that this process has used. A busy machine does not stretch it
// as it does the time that passes, so a campaign compares by it what runs cost.
//
// Package cputime never looks at other processes.
package cputime
