package reports_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// browser is a headless Chromium that a test drives over a pipe: it needs no network.
type browser struct {
	t       *testing.T
	dir     string
	in      io.Writer
	out     *bufio.Reader
	session string
	calls   int
	// console are the messages of the pages, errors and violations of their policies among them.
	console []string
}

// findBrowser returns the browser that HOLDFAST_BROWSER names, or one that is installed under a usual name.
// Without one the test is skipped.
func findBrowser(t *testing.T) string {
	thorough.Only(t, "a browser takes some seconds")
	names := []string{os.Getenv("HOLDFAST_BROWSER"), "chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed, and HOLDFAST_BROWSER names none: the scripts of pages were not run")
	return ""
}

// browserPatience is how long a browser may take to answer.
const browserPatience = 2 * time.Minute

// openBrowser starts a browser, which ends with the test.
func openBrowser(t *testing.T) *browser {
	profile, err := os.MkdirTemp("", "chromium-profile-") // not t.TempDir: helpers may outlive the browser
	require.NoError(t, err)
	b := &browser{t: t, dir: t.TempDir()}
	toBrowser, in, err := os.Pipe()
	require.NoError(t, err)
	out, fromBrowser, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, out.SetReadDeadline(time.Now().Add(browserPatience)))
	cmd := exec.CommandContext(t.Context(), findBrowser(t), "--headless", "--no-sandbox", "--disable-gpu",
		"--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
		"--disable-sync",
		"--no-first-run",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4 there
	require.NoError(t, cmd.Start())
	require.NoError(t, toBrowser.Close())
	require.NoError(t, fromBrowser.Close())
	b.in, b.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		_, _ = in.Write([]byte(`{"id":1,"method":"Browser.close"}` + "\x00"))
		stop := time.AfterFunc(browserPatience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		stop.Stop()
		for range 100 {
			if os.RemoveAll(profile) == nil {
				break
			}
		}
		_, _ = in.Close(), out.Close()
	})
	var targets struct {
		TargetInfos []struct {
			ID   string `json:"targetId"`
			Type string `json:"type"`
		} `json:"targetInfos"`
	}
	b.call("Target.getTargets", nil, &targets)
	for _, target := range targets.TargetInfos {
		if target.Type == "page" && b.session == "" {
			var attached struct {
				Session string `json:"sessionId"`
			}
			b.call("Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached)
			b.session = attached.Session
		}
	}
	require.NotEmpty(t, b.session, "the browser has a page")
	b.call("Page.enable", nil, nil)
	b.call("Runtime.enable", nil, nil)
	b.call("Log.enable", nil, nil)
	return b
}

// message is one of the protocol, in either direction.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// call calls a method of the browser and decodes its result.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.calls++
	text, err := json.Marshal(message{ID: b.calls, Session: b.session, Method: method, Params: params})
	require.NoError(b.t, err)
	_, err = b.in.Write(append(text, 0))
	require.NoError(b.t, err)
	for {
		m := b.receive()
		if m.ID != b.calls {
			continue
		}
		require.Empty(b.t, string(m.Error), method)
		if result != nil {
			require.NoError(b.t, json.Unmarshal(m.Result, result))
		}
		return
	}
}

// receive reads one message and keeps what a console would show.
func (b *browser) receive() (m message) {
	b.t.Helper()
	data, err := b.out.ReadBytes(0)
	require.NoError(b.t, err)
	data = bytes.TrimSuffix(data, []byte{0})
	require.NoError(b.t, json.Unmarshal(data, &m))
	switch m.Method {
	case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
		b.console = append(b.console, string(data))
	}
	return m
}

// open opens a page from a file, as a reader would, and returns how long its script and layout took.
func (b *browser) open(page, hash string) time.Duration {
	b.t.Helper()
	path := filepath.Join(b.dir, fmt.Sprintf("page-%d.html", b.calls))
	require.NoError(b.t, os.WriteFile(path, []byte(page), 0o644))
	b.call("Page.navigate", map[string]any{"url": "about:blank"}, nil) // else another hash is no new page
	for b.receive().Method != "Page.loadEventFired" {
	}
	b.console = nil
	b.call("Page.navigate", map[string]any{"url": "file://" + path + hash}, nil)
	for b.receive().Method != "Page.loadEventFired" {
	}
	var ms float64
	b.eval("performance.getEntriesByType('navigation')[0].loadEventStart", &ms)
	return time.Duration(ms * float64(time.Millisecond))
}

// eval evaluates an expression in the page.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true,
		"awaitPromise": true}, &answer)
	require.Empty(b.t, string(answer.Exception), expression)
	if value != nil {
		require.NoError(b.t, json.Unmarshal(answer.Result.Value, value), expression)
	}
}

// view sets the size of the page in pixels and the colour scheme that the reader prefers.
func (b *browser) view(width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height,
		"deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// screenshot writes what an element of the page looks like, for people.
func (b *browser) screenshot(file, selector string) {
	b.t.Helper()
	var clip map[string]float64
	b.eval(fmt.Sprintf(`(function (r) { return { x: r.x + scrollX, y: r.y + scrollY, width: r.width,
		height: r.height, scale: 1 }; })(document.querySelector(%q).getBoundingClientRect())`, selector),
		&clip)
	var shot struct {
		Data []byte `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "clip": clip}, &shot)
	require.NoError(b.t, os.WriteFile(file, shot.Data, 0o644))
}

// processorTime returns how long the page's thread has worked since the last navigation, once
// Performance.enable was called.
func (b *browser) processorTime() time.Duration {
	b.t.Helper()
	var all struct {
		Metrics []struct {
			Name  string
			Value float64
		}
	}
	b.call("Performance.getMetrics", nil, &all)
	for _, m := range all.Metrics {
		if m.Name == "TaskDuration" {
			return time.Duration(m.Value * float64(time.Second)).Round(time.Millisecond)
		}
	}
	return 0
}

// text returns what an expression of the page is as text.
func (b *browser) text(expression string) (text string) {
	b.t.Helper()
	b.eval("(async () => String("+expression+"))()", &text)
	return text
}
