package quorum_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// startAlone starts the real Corosync in namespaces of its own, as node 198.18.0.1 alone, and prints what it
// computed. Its own files (/etc/corosync, /var/lib/corosync, /run, /dev/shm) are empty ones in memory.
const startAlone = `
ip link set lo up
for link in 0 1 2; do ip address add 198.18.$link.1/24 dev lo; done
for dir in /var/lib/corosync /etc/corosync /run /dev/shm; do mount -t tmpfs none $dir; done
mkdir -p /run/corosync
head -c 128 /dev/zero | tr '\0' k >/etc/corosync/authkey
corosync -t -c "$1"; echo rc_t=$?
corosync -f -c "$1" & pid=$!
for i in $(seq 60); do
	sleep 0.1
	kill -0 $pid 2>/dev/null || break
	[ $i -ge 8 ] && corosync-quorumtool -s >/run/status 2>/dev/null
	grep -q "Ring ID" /run/status 2>/dev/null && break
done
if kill -0 $pid 2>/dev/null; then
	echo rc_start=0; corosync-quorumtool -s; corosync-cmapctl
	kill -KILL $pid
else
	wait $pid; echo rc_start=$?
fi
`

// realCorosync starts the installed Corosync with a file.
func realCorosync(t *testing.T, file string) realAnswer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "unshare", "--net", "--mount", "--ipc", "--uts", "--pid", "--fork",
		"--kill-child", "sh", "-c", startAlone, "sh", file).CombinedOutput()
	require.NoError(t, ctx.Err(), "%s", out)
	_ = err // the status of the last command; what counts is in the output
	require.Contains(t, string(out), "rc_t=", "the real Corosync did not get as far as reading the file")
	return readReal(string(out))
}

// needCorosync skips a test that needs Corosync and namespaces.
func needCorosync(t *testing.T) {
	t.Helper()
	for _, program := range []string{"corosync", "corosync-quorumtool", "corosync-cmapctl", "unshare", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the real Corosync: %s is not installed (Debian: corosync, iproute2)", program)
		}
	}
	try := exec.Command("unshare", "--net", "--mount", "--ipc", "--uts", "--pid", "--fork", "true")
	if err := try.Run(); err != nil {
		t.Skipf("needs namespaces of its own for the real Corosync: %v", err)
	}
}

// TestInstalledCorosync compares random files with the Corosync of this machine.
func TestInstalledCorosync(t *testing.T) {
	needCorosync(t)
	dir, known, equal := t.TempDir(), map[string]int{}, 0
	seeds := thorough.Count(1, 120)
	for seed := range seeds {
		g := fileGenerator{rand.New(rand.NewPCG(uint64(seed), 3))}
		conf := []byte(g.file())
		file := filepath.Join(dir, fmt.Sprintf("random-%d.conf", seed))
		require.NoError(t, os.WriteFile(file, conf, 0o600))
		real := realCorosync(t, file)
		c, found := differences(filepath.Base(file), conf, real)
		if len(found) == 0 {
			equal++
		}
		require.Empty(t, unexplained(real, c, found, known), "seed %d\n%s\n%s", seed, conf, real.output)
	}
	t.Logf("%d files, %d equal in everything; the rest by reason: %v", seeds, equal, known)
}

// fileGenerator draws files that are valid or nearly so.
type fileGenerator struct{ *rand.Rand }

func (g fileGenerator) often(n, of int) bool { return g.IntN(of) < n }

func (g fileGenerator) one(values ...string) string { return values[g.IntN(len(values))] }

// some returns a line for each of some keys. choices are a key and its possible values.
func (g fileGenerator) some(n, of int, choices ...string) []string {
	var lines []string
	for _, c := range choices {
		key, values, _ := strings.Cut(c, ": ")
		if g.often(n, of) {
			lines = append(lines, key+": "+g.one(strings.Fields(values)...))
		}
	}
	return lines
}

func section(name string, lines ...[]string) []string {
	out := []string{name + " {"}
	for _, group := range lines {
		for _, l := range group {
			out = append(out, "  "+l)
		}
	}
	return append(out, "}")
}

func (g fileGenerator) file() string {
	nodes, links := 1+g.IntN(6), 1
	if g.often(1, 4) {
		links += 1 + g.IntN(2)
	}
	parts := [][]string{g.totem(links), g.nodelist(nodes, links), g.quorum(nodes),
		section("logging", []string{"to_stderr: yes", "to_syslog: no"}),
		section("system", []string{"sched_rr: no"})}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strings.Join(p, "\n") + "\n")
	}
	return b.String()
}

func (g fileGenerator) totem(links int) []string {
	lines := []string{"version: 2"}
	lines = append(lines, g.some(6, 7, "cluster_name: lab a-b x.y", "config_version: 0 1 77")...)
	lines = append(lines, g.some(1, 4,
		"transport: knet knet knet udpu udp", "secauth: on off off", "link_mode: passive active rr",
		"token: 0 125 126 130 180 250 777 1000 3000 10000", "token_coefficient: 0 1 125 650",
		"token_retransmit: 29 30 40 100", "token_retransmits_before_loss_const: 0 1 4 10",
		"hold: 13 14 20 180",
		"consensus: 0 1000 3600 12000", "join: 0 30 50 1000", "send_join: 0 80", "merge: 0 29 30 200",
		"downcheck: 0 500", "max_network_delay: 30 50", "token_warning: 0 1 75 100", "window_size: 0 30 300",
		"max_messages: 0 10 60", "miss_count_const: 0 5", "fail_recv_const: 0 5000", "netmtu: 0 1500 9000",
		"knet_mtu: 0 1400", "knet_pmtud_interval: 0 10", "heartbeat_failures_allowed: 0 3")...)
	if g.often(1, 3) {
		lines = append(lines, g.some(1, 1, "crypto_cipher: none none aes256 aes128",
			"crypto_hash: none sha1 sha256")...)
	}
	for i := range g.IntN(3) {
		link := []string{}
		if g.often(3, 4) {
			link = []string{fmt.Sprintf("%s: %d", g.one("linknumber", "linknumber", "ringnumber"), i%links)}
		} else if i > 0 && g.often(1, 3) {
			link = []string{"linknumber: 3"}
		}
		lines = append(lines, section("interface", link, g.some(1, 3, "mcastport: 0 5405 6000",
			"knet_link_priority: 0 1 1 5", "knet_ping_interval: 200 1000", "knet_ping_timeout: 1000 2000",
			"knet_pong_count: 1 2 5", "mcastaddr: 239.255.1.1", "ttl: 1 1 3"))...)
	}
	return section("totem", lines)
}

func (g fileGenerator) nodelist(nodes, links int) []string {
	var lines []string
	unnamed := g.often(1, 10)
	for _, i := range g.Perm(nodes) {
		node := []string{fmt.Sprintf("nodeid: %d", i+1)}
		if !unnamed {
			node = append(node, fmt.Sprintf("name: n%d", i+1))
		}
		for link := range links {
			node = append(node, fmt.Sprintf("ring%d_addr: 198.18.%d.%d", link, link, i+1))
		}
		node = append(node, g.some(1, 3, "quorum_votes: 1 1 1 2 3")...)
		lines = append(lines, section("node", node)...)
	}
	return section("nodelist", lines)
}

func (g fileGenerator) quorum(nodes int) []string {
	lines := []string{"provider: corosync_votequorum"}
	lines = append(lines, g.some(1, 4, "two_node: 0 1", "wait_for_all: 0 1", "last_man_standing: 0 1",
		"last_man_standing_window: 1000 20000", "auto_tie_breaker: 0 1", "allow_downscale: 0 1",
		"expected_votes_tracking: 0 1", fmt.Sprintf("expected_votes: %d %d %d", nodes, nodes+1, nodes+3),
		"auto_tie_breaker_node: lowest highest 1")...)
	if g.often(1, 4) {
		lines = append(lines, section("device", []string{"model: net"}, g.some(1, 3, "votes: 1 2",
			"timeout: 5000 20000"), section("net", []string{"host: 198.18.0.99", "algorithm: " +
			g.one("ffsplit", "lms")}))...)
	}
	return section("quorum", lines)
}
