package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/wire"
)

const (
	ringPort = 5405 // the ring's
	lastPort = 5411 // the highest of a node's processes
	apiPort  = 8600
)

// Bounds of what the forger sends.
const (
	forgedBursts    = 300
	forgedPerBurst  = 40
	forgedPause     = 5 * time.Millisecond
	maxCaptured     = 4096
	maxForgedBytes  = 9000
	garbageAPIConns = 40
)

// localAnswerLimit is how long a node's own socket may take for an answer, whatever arrives from outside.
const localAnswerLimit = time.Second

// packet is a datagram between two sockets.
type packet struct {
	from, to netip.AddrPort
	payload  []byte
}

// forger sends datagrams from any address of this machine to the nodes of a lab, and reads what they send to
// each other, as an attacker in their network can.
type forger struct {
	t        *testing.T
	lab      *lab
	rng      *rand.Rand
	raw      int // a socket on which the sender writes the IP header
	mu       sync.Mutex
	captured []packet
	stop     chan struct{}
	readers  sync.WaitGroup
	sent     map[string]int // by kind
}

// newForger opens raw sockets; without the right to, the test is skipped.
func newForger(t *testing.T, l *lab) *forger {
	t.Helper()
	raw, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs root, to send from the addresses of nodes: raw sockets are not permitted here")
	}
	require.NoError(t, err)
	reader, err := net.ListenIP("ip4:udp", &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	f := &forger{t: t, lab: l, rng: rand.New(rand.NewPCG(1, 2)), raw: raw, stop: make(chan struct{}),
		sent: map[string]int{}}
	for i := range l.nodes {
		f.listen(f.node(i).Addr())
	}
	t.Cleanup(func() {
		close(f.stop)
		f.readers.Wait()
		_ = syscall.Close(raw)
	})
	return f
}

// node returns the address of a node's ring.
func (f *forger) node(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("%s%d", f.lab.prefix, i+1)), ringPort)
}

// listen reads the ring packets that arrive at a node's address.
func (f *forger) listen(at netip.Addr) {
	conn, err := net.ListenIP("ip4:udp", &net.IPAddr{IP: at.AsSlice()})
	require.NoError(f.t, err)
	f.readers.Go(func() {
		defer conn.Close()
		buffer := make([]byte, 1<<16)
		for {
			select {
			case <-f.stop:
				return
			default:
			}
			_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			n, source, err := conn.ReadFromIP(buffer)
			if err != nil || n <= 8 || binary.BigEndian.Uint16(buffer[2:]) != ringPort ||
				binary.BigEndian.Uint16(buffer) != ringPort {
				continue
			}
			if binary.BigEndian.Uint16(buffer[6:]) == 0 {
				continue // no checksum: send has forged it
			}
			from, _ := netip.AddrFromSlice(source.IP.To4())
			f.mu.Lock()
			if len(f.captured) < maxCaptured {
				f.captured = append(f.captured, packet{netip.AddrPortFrom(from, ringPort),
					netip.AddrPortFrom(at, ringPort), append([]byte(nil), buffer[8:n]...)})
			}
			f.mu.Unlock()
		}
	})
}

// genuine returns a packet that a node has sent; false before there is one.
func (f *forger) genuine() (packet, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.captured) == 0 {
		return packet{}, false
	}
	return f.captured[f.rng.IntN(len(f.captured))], true
}

// send sends a datagram from any address.
func (f *forger) send(kind string, p packet) {
	udp := make([]byte, 28+len(p.payload))
	udp[0], udp[8], udp[9] = 0x45, 64, syscall.IPPROTO_UDP // IPv4, time to live, protocol
	binary.BigEndian.PutUint16(udp[2:], uint16(len(udp)))
	copy(udp[12:], p.from.Addr().AsSlice())
	copy(udp[16:], p.to.Addr().AsSlice())
	binary.BigEndian.PutUint16(udp[20:], p.from.Port())
	binary.BigEndian.PutUint16(udp[22:], p.to.Port())
	binary.BigEndian.PutUint16(udp[24:], uint16(8+len(p.payload))) // without a checksum
	copy(udp[28:], p.payload)
	if syscall.Sendto(f.raw, udp, 0, &syscall.SockaddrInet4{Addr: p.to.Addr().As4()}) == nil {
		f.sent[kind]++
	}
}

// random returns random bytes.
func (f *forger) random(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.rng.Uint32())
	}
	return b
}

// forgeOne sends one packet that no node may act upon.
func (f *forger) forgeOne(foreign []*wire.Sealer) {
	a, b := f.rng.IntN(3), f.rng.IntN(3)
	p := packet{from: f.node(a), to: f.node(b)}
	stranger := netip.AddrPortFrom(netip.MustParseAddr(f.lab.prefix+"77"), ringPort)
	real, hasReal := f.genuine()
	switch kind := f.rng.IntN(7); {
	case kind == 0 || !hasReal:
		p.payload = f.random(f.rng.IntN(maxForgedBytes))
		f.send("garbage", p)
	case kind == 1:
		f.send("replayed", real)
	case kind == 2:
		real.payload = real.payload[:f.rng.IntN(len(real.payload))]
		f.send("truncated", real)
	case kind == 3:
		real.payload = append([]byte(nil), real.payload...)
		real.payload[f.rng.IntN(len(real.payload))] ^= 1 << f.rng.IntN(8)
		f.send("altered", real)
	case kind == 4:
		p.payload = foreign[a].Seal(nil, f.random(f.rng.IntN(1400)))
		f.send("sealed by another cluster", p)
	case kind == 5:
		real.from = stranger
		f.send("a genuine packet from a stranger", real)
	default:
		p.to = netip.AddrPortFrom(p.to.Addr(), uint16(ringPort+1+f.rng.IntN(lastPort-ringPort)))
		p.from = netip.AddrPortFrom(p.from.Addr(), p.to.Port())
		p.payload = f.random(f.rng.IntN(maxForgedBytes))
		f.send("to the other processes", p)
	}
}

// otherCluster returns what seals packets of the same nodes with another key.
func otherCluster(t *testing.T) (sealers []*wire.Sealer) {
	t.Helper()
	for i := range 3 {
		s, err := wire.NewSealer([]byte(strings.Repeat("x", 128)), ring.NodeID(i+1),
			wire.Boot{Count: 1 << 20, ID: wire.BootID{byte(i), 1}})
		require.NoError(t, err)
		sealers = append(sealers, s)
	}
	return sealers
}

// bursts sends forged packets in bursts until all are sent or the context ends.
func (f *forger) bursts(ctx context.Context, foreign []*wire.Sealer) {
	for range forgedBursts {
		for range forgedPerBurst {
			f.forgeOne(foreign)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(forgedPause):
		}
	}
}

// troubleAPI sends what is no request to the nodes' TCP listeners.
func (f *forger) troubleAPI() {
	rng := rand.New(rand.NewPCG(3, 4)) // its own: it runs beside the bursts
	for i := range garbageAPIConns {
		address := fmt.Sprintf("%s%d:%d", f.lab.prefix, 1+i%3, apiPort)
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue // a node that is off
		}
		_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		switch i % 4 {
		case 0: // a greeting that is cut off: a TLS record of 512 bytes of which ten come
			_, _ = conn.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3})
		case 1:
			_, _ = conn.Write([]byte("POST /v1/op/init HTTP/1.1\r\nHost: n1\r\nContent-Length: 2\r\n\r\n{}"))
		case 2:
			garbage := make([]byte, 1<<14)
			for k := range garbage {
				garbage[k] = byte(rng.Uint32())
			}
			_, _ = conn.Write(garbage)
		}
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
}

// slowestAnswer asks a node's socket for its health and its store's status until the context ends, and
// returns the longest time until an answer and how many there were.
func (l *lab) slowestAnswer(ctx context.Context, node int) (slowest time.Duration, answers int) {
	c := l.client(node)
	defer c.CloseIdleConnections()
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		began := time.Now()
		answer, err := c.Get("http://node" + hostapi.PathHealth)
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || l.status(node) == nil {
			continue
		}
		slowest = max(slowest, time.Since(began))
		answers++
	}
	return slowest, answers
}

// sumOfMetric adds the values of a metric's samples whose labels match.
func sumOfMetric(text, name, labels string) (sum int) {
	for _, m := range regexp.MustCompile(`(?m)^`+name+`\{(.*)\} (\S+)$`).FindAllStringSubmatch(text, -1) {
		if v, err := strconv.ParseFloat(m[2], 64); err == nil && strings.Contains(m[1], labels) {
			sum += int(v)
		}
	}
	return sum
}

// withAPI gives each node of a lab an API over TCP.
func withAPI(l *lab) {
	for i := range l.nodes {
		l.write(i, "machine.json", fmt.Sprintf(
			`{"machine": %d, "api_socket": "api.sock", "api_addr": "%s%d:%d"}`, i, l.prefix, i+1, apiPort))
		out, err := exec.Command(l.program, tokenArg, "watcher", l.path(i, "machine.json")).CombinedOutput()
		require.NoError(l.t, err, "%s", out)
	}
}

// TestForgedPacketsUnderLoad: while clients write, bursts of forged, replayed, truncated, altered and
// foreign packets come from a stranger and from the nodes' own addresses, and garbage comes to their other
// ports. Each node is ended in order and started again meanwhile. Every acknowledged write is there, every
// node's socket answers, and the metrics show by sender and reason what was refused.
func TestForgedPacketsUnderLoad(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for half a minute")
	if os.Geteuid() != 0 {
		t.Skip("needs root, to send from the addresses of nodes")
	}
	l := newLab(t, labSettings{prepare: withAPI})
	f := newForger(t, l)
	foreign := otherCluster(t)
	refused := map[string]int{}
	note := func(node int) {
		text := l.metrics(node)
		for _, reason := range []string{"foreign", "replayed", "stale_boot", "malformed"} {
			for i := range l.nodes {
				refused[reason] += sumOfMetric(text, "holdfast_ring_packets_refused_total",
					fmt.Sprintf(`node="%d",reason=%q`, i+1, reason))
			}
		}
		refused["stranger"] += sumOfMetric(text, "holdfast_datagrams_refused_total",
			fmt.Sprintf(`process="cluster",reason="unknown_source",source="%s77"`, l.prefix))
	}
	for node := range l.nodes {
		load := startLoad(othersThan(node), l.client, put)
		time.Sleep(300 * time.Millisecond) // some genuine packets
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		var slowest, answers [3]atomic.Int64
		all.Go(func() { f.bursts(ctx, foreign) })
		all.Go(f.troubleAPI)
		for _, i := range othersThan(node) {
			all.Go(func() {
				longest, n := l.slowestAnswer(ctx, i)
				slowest[i].Store(int64(longest))
				answers[i].Store(int64(n))
			})
		}
		time.Sleep(time.Second)
		note(node)
		l.terminate(node) // it must end with success
		require.Contains(t, l.log(node), "leaving the ring in order")
		l.start(node)
		l.until("the node is back", func() bool { s := l.status(node); return s != nil && s.Quorate })
		cancel()
		all.Wait()
		load.stop(time.Now())
		for _, i := range othersThan(node) {
			require.Positive(t, answers[i].Load())
			t.Logf("n%d: slowest of %d answers %v", i+1, answers[i].Load(), time.Duration(slowest[i].Load()))
			if machineIsBusy() {
				t.Log("the machine is busy with other work: how long answers took is not judged")
			} else {
				require.Less(t, time.Duration(slowest[i].Load()), localAnswerLimit, "n%d", i+1)
			}
		}
		l.untilWritable(0, 1, 2)
		l.hasAll(load)
	}
	for node := range l.nodes {
		note(node)
		require.NotContains(t, l.log(node), "panic")
	}
	t.Logf("sent %v; refused %v", f.sent, refused)
	for _, reason := range []string{"foreign", "replayed", "stale_boot", "stranger"} {
		require.Positive(t, refused[reason], reason)
	}
	for node := range l.nodes {
		l.terminate(node)
	}
}

// hasAll verifies that every node has what was acknowledged.
func (l *lab) hasAll(load *load) {
	l.t.Helper()
	require.NotEmpty(l.t, load.lastAcked)
	for key, n := range load.lastAcked {
		for i := range l.nodes {
			require.GreaterOrEqual(l.t, l.number(i, key), n, "n%d: %s", i+1, key)
		}
	}
}

// machineIsBusy reports whether this machine has more to do than it has processors for: then how long an
// answer takes is no finding.
func machineIsBusy() bool {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(data), " ")
	load, err := strconv.ParseFloat(first, 64)
	return err == nil && load > busyLoad
}

// busyLoad is a load at which a process waits for its turn. The test itself makes one of about four.
const busyLoad = 8
