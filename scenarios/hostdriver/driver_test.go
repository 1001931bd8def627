package hostdriver_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/timescale"
	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/hostdriver"
	"github.com/holdfast-sim/holdfast/scenarios/workload"
)

// serve answers on a machine's sockets in the place of a program.
func serve(t *testing.T, handler http.HandlerFunc) scenarios.Machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf") // short, because paths of sockets must be
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"api.sock", "control.sock"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		require.NoError(t, err)
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
		go server.Serve(l)
		t.Cleanup(func() { server.Close() })
	}
	return scenarios.Machine{ID: 1, Name: "n2", Dir: dir, Timescale: timescale.Ratio{Num: 1, Den: 4},
		Addrs: []netip.Addr{netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2")}}
}

func do(t *testing.T, d *hostdriver.Driver, m scenarios.Machine, limit time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := d.Dial(ctx, m)
	require.NoError(t, err)
	defer c.Close()
	out, err := c.Do(ctx, "store", []byte("input"))
	return string(out), err
}

func TestOutcomesOfOperations(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Holdfast-Outcome", "refused")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, workload.ErrRefused},
		"unknown": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Holdfast-Outcome", "unknown")
			w.WriteHeader(http.StatusBadGateway)
		}, workload.ErrReset},
		"without a word": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, workload.ErrReset},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			workload.ErrReset},
		"silent": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, workload.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := do(t, &hostdriver.Driver{}, serve(t, c.answer), 300*time.Millisecond)
			require.ErrorIs(t, err, c.want)
		})
	}
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.URL.Path))
	})
	out, err := do(t, &hostdriver.Driver{}, m, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "/v1/op/store", out)
	require.NoError(t, os.Remove(filepath.Join(m.Dir, "api.sock")))
	_, err = do(t, &hostdriver.Driver{}, m, 10*time.Second)
	require.ErrorIs(t, err, workload.ErrRefused, "no process listens: nothing was sent")
}

func TestReadyAndProbes(t *testing.T) {
	health := `{"processes": [{"name": "a", "state": "running", "probes": {"x": 2}},
		{"name": "b", "state": "starting", "probes": {"x": 1, "y": 1}}]}`
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(health)) })
	d := &hostdriver.Driver{}
	require.ErrorContains(t, d.Ready(t.Context(), m, nil), "process b of n2 is starting")
	probes, err := d.Probes(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"x": 3, "y": 1}, probes)
	health = strings.ReplaceAll(health, "starting", "running")
	require.NoError(t, d.Ready(t.Context(), m, nil))
	health = `{"records_lost": 3}`
	_, err = d.Probes(t.Context(), m)
	require.ErrorContains(t, err, "could not write 3 records")
}

func TestControl(t *testing.T) {
	var asked []string
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/unknown") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	d, ctx := &hostdriver.Driver{}, t.Context()
	require.NoError(t, d.KillProcess(ctx, m, "store"))
	require.NoError(t, d.StartProcess(ctx, m, "store"))
	require.NoError(t, d.PauseProcess(ctx, m, "store"))
	require.NoError(t, d.ResumeProcess(ctx, m, "store"))
	require.NoError(t, d.SetClock(ctx, m, time.Hour, 3))
	require.ErrorContains(t, d.KillProcess(ctx, m, "unknown"), "asking n2 for kill/unknown")
	require.Equal(t, []string{"/v1/control/kill/store", "/v1/control/start/store", "/v1/control/pause/store",
		"/v1/control/resume/store", "/v1/control/clock", "/v1/control/kill/unknown"}, asked)
}

func TestFilesAndCommand(t *testing.T) {
	m := serve(t, nil)
	extra := scenarios.File{Name: "extra", Data: []byte("x")}
	d := &hostdriver.Driver{Path: "/bin/true", Args: []string{"-v"},
		Extra: func(scenarios.Machine) ([]scenarios.File, error) {
			return []scenarios.File{extra}, nil
		}}
	files, err := d.Files(m)
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.Equal(t, extra, files[1])
	var read map[string]any
	require.NoError(t, json.Unmarshal(files[0].Data, &read))
	require.Equal(t, "1/4", read["timescale"])
	require.EqualValues(t, 1, read["machine"])

	if runtime.GOOS == "windows" {
		t.Skip("absolute paths look different there")
	}
	c, err := d.Command(m)
	require.NoError(t, err)
	require.Equal(t, scenarios.Command{Path: "/bin/true", Args: []string{"-v", "machine.json"}}, c)
	_, err = (&hostdriver.Driver{Path: "true"}).Command(m)
	require.ErrorContains(t, err, "not absolute")
	t.Setenv(hostdriver.BinDirEnv, m.Dir)
	_, err = (&hostdriver.Driver{Program: "nothing"}).Command(m)
	require.ErrorIs(t, err, hostdriver.ErrNoProgram)
}

func TestRecords(t *testing.T) {
	m := serve(t, nil)
	_, err := (&hostdriver.Driver{}).Records(m, 0)
	require.ErrorIs(t, err, os.ErrNotExist)
	text := `{"at":1,"process":"a","kind":"k","record":{"x":1}}
{"at":2,"process":"a","ki
{"at":3,"process":"a","kind":"k","record":{"x":3}}
{"at":4,"proc`
	require.NoError(t, os.WriteFile(filepath.Join(m.Dir, "records.jsonl"), []byte(text), 0o600))
	all, err := (&hostdriver.Driver{}).Records(m, 0)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.JSONEq(t, `{"x":3}`, string(all[1].Record))
	rest, err := (&hostdriver.Driver{}).Records(m, 1)
	require.NoError(t, err)
	require.Equal(t, all[1:], rest)
	rest, err = (&hostdriver.Driver{}).Records(m, 9)
	require.NoError(t, err)
	require.Empty(t, rest)
}
