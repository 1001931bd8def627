package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/reports"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// TestPageInBrowser opens pages in a browser, from a file as a reader would, and looks at what their scripts
// made of them.
func TestPageInBrowser(t *testing.T) {
	b := openBrowser(t)
	b.open(pageOf(t, reports.Options{}, smallSample().make()), "#t=3.5-5.25")
	require.Empty(t, b.console, "no script error, and nothing that the page's policy forbids")
	require.Equal(t, "scripted", b.text("document.documentElement.className"))
	require.Equal(t, "3.5000 to 5.2500 s", b.text("document.getElementById('range').textContent"))
	ticks := b.text("[...document.querySelectorAll('.tick')].map(e => e.textContent)")
	contains(t, ticks, "4.0 s")
	require.NotContains(t, ticks, "10 s", "what is out of sight has no tick")

	// A picture runs its own script in its frame, and cannot reach the page around it.
	picture := "<script>try { parent.document.title = 'owned' } catch (e) { parent.postMessage('shut in', " +
		"'*') }</script>"
	b.open(pageOf(t, reports.Options{Picture: func(*scenarios.Run) ([]byte, error) {
		return []byte(picture),
			nil
	}},
		smallSample().make()), "")
	require.Equal(t, "shut in", b.text(`await new Promise(done => {
		addEventListener('message', e => done(e.data));
		const frame = document.querySelector('iframe');
		frame.loading = 'eager';
		frame.srcdoc = frame.srcdoc;
	})`))
	require.NotEqual(t, "owned", b.text("document.title"))

	for _, s := range hostileTexts {
		asText := reports.Options{Scenario: func(*scenarios.Scenario) ([]byte, error) {
			return []byte(s), nil
		}}
		b.open(pageOf(t, asText, hostile(s)), "")
		require.Empty(t, b.console, "%q", s)
		require.Equal(t, "scripted", b.text("document.documentElement.className"))
		require.Equal(t, "0", b.text("document.querySelectorAll('x-evil').length"), "%q", s)
	}
}

// TestOperationsInBrowser compares the script's words with those of this package, for every operation.
func TestOperationsInBrowser(t *testing.T) {
	b := openBrowser(t)
	large := largeSample()
	large.stale = true
	for name, run := range map[string]*scenarios.Run{"large": large.make(), "odd": oddOperations(),
		"hostile": hostile(hostileTexts[0])} {
		ops, err := history.Operations(run.Events)
		require.NoError(t, err)
		var want []string
		for i := range ops {
			want = append(want, reports.CallWords(&ops[i])+"\n"+reports.OutcomeWords(&ops[i])+"\n"+
				reports.WhenWords(&ops[i]))
		}
		b.open(pageOf(t, reports.Options{}, run), "")
		var got []string
		b.eval(
			`Array.from({length: holdfast.operations.count}, (_, i) => holdfast.operations.callWords(i) + '\n' +
			holdfast.operations.outcomeWords(i) + '\nat ' + holdfast.words.instant(holdfast.operations.call[i]) +
			', ' + holdfast.operations.tookWords(i))`, &got)
		require.Equal(t, want, got, name)
	}
}

// oddOperations is a run whose operations have all that an operation can have.
func oddOperations() *scenarios.Run {
	run := smallSample().make()
	run.Events = nil
	for i, e := range []history.Event{
		{Type: history.OK, F: "cas", Key: "k", Mod: 7, Rev: 1<<64 - 1, Value: []byte(`"v"`)},
		{Type: history.Fail, F: "rename", Key: "k", Value: []byte(`"other"`), Error: "not_found", Rev: 9},
		{Type: history.OK, F: "write", Key: "", Value: []byte("[1,2]")},
		{Type: history.Info, F: "write", Key: "k", Error: "timeout"},
		{Type: history.Info, F: "read", Node: "n1", ID: "id"},
	} {
		call, took := int64(i)*1_234_567_891, []int64{12_345_678, 999, 61_000_000_000, 1_000_000, 0}[i]
		e.Process, e.Time = i, call
		closing := e
		closing.Time, closing.Value, closing.Mod = call+took, []byte(`{"a":1}`), 8
		e.Type, e.Error, e.Rev = history.Invoke, "", 0
		run.Events = append(run.Events, e)
		if took > 0 {
			run.Events = append(run.Events, closing)
		}
	}
	slices.SortStableFunc(run.Events, func(a, b history.Event) int { return int(a.Time - b.Time) })
	for i := range run.Events {
		run.Events[i].Index = int64(i)
	}
	return run
}

// TestFindInBrowser looks for operations as a reader would.
func TestFindInBrowser(t *testing.T) {
	s := largeSample()
	s.stale = true
	run := s.make()
	ops, err := history.Operations(run.Events)
	require.NoError(t, err)
	b := openBrowser(t)
	b.open(pageOf(t, reports.Options{}, run), "")
	count := func() string { return b.text("document.getElementById('find-count').textContent") }
	choose := func(field, value string) {
		b.eval(fmt.Sprintf(`(function (e) { e.value = %q; e.dispatchEvent(new Event('input')); })
			(document.getElementById('find-%s')); new Promise(done => setTimeout(done, 400))`, value, field),
			nil)
	}
	matching := func(match func(*history.Operation) bool) string {
		n := 0
		for i := range ops {
			if match(&ops[i]) {
				n++
			}
		}
		return fmt.Sprintf("%d of %d operations", n, len(ops))
	}
	require.Equal(t, matching(func(*history.Operation) bool { return true }), count())
	require.Equal(t, "", b.text("document.querySelector('.ops.dim').getAttribute('d')"))
	choose("key", "k3")
	require.Equal(t, matching(func(op *history.Operation) bool { return op.Key == "k3" }), count())
	require.NotEmpty(t, b.text("document.querySelector('.ops.dim').getAttribute('d')"),
		"the others are faint")
	choose("outcome", "2")
	require.Equal(t, matching(func(op *history.Operation) bool {
		return op.Key == "k3" && op.Outcome == history.Info
	}), count())
	choose("outcome", "violation")
	choose("key", "")
	require.Equal(t, fmt.Sprintf("2 of %d operations", len(ops)), count())
	b.eval("document.getElementById('find-clear').click()", nil)
	choose("text", "C1-1")
	require.Equal(t, matching(func(op *history.Operation) bool {
		return strings.Contains(op.ID, "c1-1") || strings.Contains(string(op.Input)+string(op.Output), "c1-1")
	}), count())
	choose("text", "")
	choose("key", "/")
	require.Equal(t, matching(func(op *history.Operation) bool { return strings.Contains(op.Key, "/") }),
		count())
	require.Equal(t, "50", b.text("document.getElementById('found').rows.length"), "one page of them")
	contains(t, b.text("document.getElementById('found-place').textContent"), " more")

	// From the list to the timeline: the operation is marked, and the view is around it.
	b.eval("document.querySelector('#found button').click()", nil)
	require.NotEmpty(t, b.text("document.querySelector('.ops.found').getAttribute('d')"))
	require.NotContains(t, b.text("document.getElementById('range').textContent"), "0.0 to")
	require.Empty(t, b.console)
}

// TestManyOperationsInBrowser opens a run of 200,000 operations. All of them are counted when the whole run
// is on show, and drawn one by one after zooming in with the keyboard.
func TestManyOperationsInBrowser(t *testing.T) {
	b := openBrowser(t)
	s := largeSample()
	s.operations, s.clients, s.duration = 200_000, 100, 20*time.Minute
	page := pageOf(t, reports.Options{}, s.make())
	b.view(1280, 900, "light")
	b.call("Performance.enable", map[string]any{"timeDomain": "threadTicks"}, nil)
	took := b.open(page, "")
	t.Logf("%d MB: opened in %v, which took %v of processor time", len(page)>>20, took, b.processorTime())
	require.Empty(t, b.console)
	note := func() string { return b.text("document.getElementById('resolution').textContent") }
	contains(t, note(), "Each column counts the operations")
	contains(t, b.text("document.getElementById('find-count').textContent"), "197\u202f198 of 197\u202f198")
	// Every client has calls in every minute, so columns fill each row.
	require.Greater(t, len(b.text("document.querySelector('.ops.ok').getAttribute('d')")), 100_000)
	for range 9 {
		b.eval("document.getElementById('picture').dispatchEvent(new KeyboardEvent('keydown', { key: '+' }))",
			nil)
	}
	contains(t, note(), "Every operation is drawn by itself")
	b.eval("document.getElementById('picture').dispatchEvent(new KeyboardEvent('keydown', { key: '0' }))",
		nil)
	contains(t, note(), "Each column counts the operations")
}

// TestPagesForTheEye writes sample pages, their pictures and, with a browser, what they look like, into the
// folder that the environment names.
func TestPagesForTheEye(t *testing.T) {
	dir := os.Getenv("HOLDFAST_SAMPLE_PAGES")
	if dir == "" {
		t.Skip("HOLDFAST_SAMPLE_PAGES names no folder to write sample pages to")
	}
	pages := samplePages()
	for file, run := range pages {
		var picture strings.Builder
		require.NoError(t, reports.SVG(&picture, run))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(pageOf(t, reports.Options{}, run)),
			0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, file+".svg"), []byte(picture.String()), 0o644))
	}
	b := openBrowser(t)
	for file, run := range pages {
		for _, look := range []struct {
			name   string
			width  int
			scheme string
		}{{"light", 1280, "light"}, {"dark", 1280, "dark"}, {"narrow", 420, "light"}} {
			b.view(look.width, 900, look.scheme)
			b.open(pageOf(t, reports.Options{}, run), "")
			b.screenshot(filepath.Join(dir, file+"-"+look.name+".png"), "body")
		}
	}
}

// letter is a record of a message that one machine sent to another.
type letter struct {
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	Text string `json:"text"`
}

func (n letter) RecordKind() string {
	if n.From != "" {
		return "letter-read"
	}
	return "letter-sent"
}

// TestMessagesInBrowser looks at the space-time diagram of a run whose records tell of messages.
func TestMessagesInBrowser(t *testing.T) {
	run := largeSample().make()
	for i := range 1000 {
		at, from, to := 20*time.Second+time.Duration(i)*10*time.Millisecond, i%5, (i+1)%5
		stamp := func(at time.Duration, machine int, n letter) {
			run.Records = append(run.Records, scenarios.Stamped{At: at, Machine: env.MachineID(machine),
				Process: "post", Record: n})
		}
		stamp(at, from, letter{To: run.Scenario.Machines[to], Text: fmt.Sprint("letter ", i)})
		if i%7 != 0 { // the others are lost
			stamp(at+time.Millisecond, to, letter{From: run.Scenario.Machines[from],
				Text: fmt.Sprint("letter ", i)})
		}
	}
	slices.SortStableFunc(run.Records, func(a, b scenarios.Stamped) int { return int(a.At - b.At) })
	b := openBrowser(t)
	b.open(pageOf(t, reports.Options{}, run), "")
	count := func() string { return b.text("document.getElementById('message-count').textContent") }
	choose := func(field, value string) {
		b.eval(fmt.Sprintf(`(function (e) { e.value = %q; e.dispatchEvent(new Event('input')); })
			(document.getElementById('message-%s')); new Promise(done => setTimeout(done, 400))`,
			value, field), nil)
	}
	rows := "[...document.querySelectorAll('#message-rows tr')].map(r => r.innerText.replace(/\\s+/g, ' " +
		"')).join('\\n')"
	choose("kind", "0")
	require.Equal(t, "1\u202f000 in this time", count(), "too many for arrows")
	require.Equal(t, "1", b.text("document.querySelectorAll('#space .dense').length"))
	choose("machine", "2")
	require.Equal(t, "400 in this time", count())
	require.Equal(t, "0", b.text("document.querySelectorAll('#space .dense').length"))
	require.NotEmpty(t, b.text("document.querySelector('#space .half').getAttribute('d')"), "lost ones")
	choose("text", "letter 72")
	require.Equal(t, "5 in this time", count())
	contains(t, b.text(rows), "20.720000 s n3 → n4 letter-sent letter 72 20.721000 s\n")
	choose("text", "")
	b.eval("document.getElementById('message-closer').click()", nil)
	require.Equal(t, "40 in this time", count())
	require.Empty(t, b.console)
}
