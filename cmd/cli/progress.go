package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/holdfast-sim/holdfast/scenarios"
)

// How often progress is shown.
const (
	liveInterval  = 100 * time.Millisecond
	plainInterval = 10 * time.Second
)

// progress shows how far a command is: one line that is overwritten on a terminal, a line every
// ten seconds elsewhere.
type progress struct {
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

func (a *app) progress(quiet bool) *progress {
	now := time.Now()
	return &progress{out: a.Stderr, live: a.terminal(), quiet: quiet, begin: now, shown: now}
}

// terminal reports whether standard error is a terminal that a person watches.
func (c *Config) terminal() bool {
	f, ok := c.Stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && c.Env("CI") == "" && c.Env("NO_COLOR") == "" &&
		c.Env("TERM") != "dumb"
}

// color reports whether standard output takes colours.
func (c *Config) color() bool {
	f, ok := c.Stdout.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && c.Env("NO_COLOR") == "" && c.Env("TERM") != "dumb"
}

// run names the run that starts.
func (p *progress) run(prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prefix = prefix
}

// report is a [scenarios.RunOptions] Progress.
func (p *progress) report(at scenarios.Progress) {
	percent := int64(0)
	if at.End > 0 {
		percent = int64(at.At) / (int64(at.End)/100 + 1)
	}
	p.line(fmt.Sprintf("%s, %d s of %d s (%d%%)", at.Phase, int64(at.At/time.Second),
		int64(at.End/time.Second), percent))
}

// line shows how far the command is, unless it was shown a moment ago.
func (p *progress) line(text string) {
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

// clear removes the live line, so that something else can be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}
