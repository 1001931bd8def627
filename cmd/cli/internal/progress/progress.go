// Package progress shows on standard error how far a command is.
//
// Package progress never writes a result.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// How often progress is shown.
const (
	liveInterval  = 100 * time.Millisecond
	plainInterval = 10 * time.Second
)

// Line shows how far a command is: one line that is overwritten on a terminal, a line every
// ten seconds elsewhere.
type Line struct {
	mu    sync.Mutex
	out   io.Writer
	live  bool
	quiet bool
	begin time.Time
	shown time.Time
	dirty bool // a live line is on the terminal
	// prefix starts each line: which run this is
	prefix string
}

// New returns a line on out. live means that a person watches out on a terminal, quiet that nothing is shown.
func New(out io.Writer, live, quiet bool) *Line {
	now := time.Now()
	return &Line{out: out, live: live, quiet: quiet, begin: now, shown: now}
}

// StartRun names the run that starts.
func (p *Line) StartRun(prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefix = prefix
}

// Report is a [scenarios.RunOptions] Progress.
func (p *Line) Report(at scenarios.Progress) {
	percent := int64(0)
	if at.End > 0 {
		percent = int64(at.At) / (int64(at.End)/100 + 1)
	}
	p.Show(fmt.Sprintf("%s, %d s of %d s (%d%%)", at.Phase, int64(at.At/time.Second),
		int64(at.End/time.Second), percent))
}

// Show shows how far the command is, unless it was shown a moment ago.
func (p *Line) Show(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	interval := plainInterval
	if p.live {
		interval = liveInterval
	}
	now := time.Now()
	if p.quiet || now.Sub(p.shown) < interval {
		return
	}
	p.shown = now
	if p.prefix != "" {
		text = p.prefix + ": " + text
	}
	text = fmt.Sprintf("%s, running for %s", text, now.Sub(p.begin).Round(time.Second))
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		p.dirty = true
		return
	}
	fmt.Fprintln(p.out, text)
}

// Clear removes the live line, so that something else can be printed.
func (p *Line) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}
