package hostapi

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// limits bound what the clients of one listener may hold at a time. One client, which is a process at a
// unix socket and an address over TCP, may hold a part of it, so that it cannot lock the others out.
type limits struct {
	connections, connectionsOfOne int
	operations, operationsOfOne   int
	operationBytes                int64 // of inputs that are being read or wait for their answer
}

var (
	localLimits = limits{connections: 2048, connectionsOfOne: 512, operations: 2048, operationsOfOne: 512,
		operationBytes: 256 << 20}
	remoteLimits = limits{connections: 1024, connectionsOfOne: 256, operations: 1024, operationsOfOne: 256,
		operationBytes: 64 << 20}
)

// reservedOperations are the places of each listener for processes that are Reserved.
const reservedOperations = 16

// MaxOperations is how many operations the listeners of one machine let in at a time, together. A process
// must have room for so many.
var MaxOperations = 2*localLimits.operations + remoteLimits.operations + 3*reservedOperations

// limiter counts what the clients of one listener hold.
type limiter struct {
	limits

	mu                 sync.Mutex
	connectionCount    int
	connectionsBy      map[string]int
	operationCount     int
	operationsBy       map[string]int
	heldBytes          int64
	reservedCount      int
	refusedConnections uint64
	refusedOperations  uint64
}

func newLimiter(l limits) *limiter {
	return &limiter{limits: l, connectionsBy: map[string]int{}, operationsBy: map[string]int{}}
}

// admitOperation makes room for an operation of a client. It fails with ErrRefused. The caller calls
// leave when the operation has ended.
func (l *limiter) admitOperation(client string, bytes int64, reserved bool) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case reserved && l.reservedCount < reservedOperations:
		l.reservedCount++
		return func() { l.mu.Lock(); defer l.mu.Unlock(); l.reservedCount-- }, nil
	case reserved:
		err = fmt.Errorf("%w: %d operations of this kind are under way", ErrRefused, reservedOperations)
	case l.operationCount >= l.operations:
		err = fmt.Errorf("%w: %d operations of clients are under way: try again later", ErrRefused,
			l.operations)
	case l.operationsBy[client] >= l.operationsOfOne:
		err = fmt.Errorf("%w: %d operations of this client are under way: wait for their answers", ErrRefused,
			l.operationsOfOne)
	case l.heldBytes+bytes > l.operationBytes:
		err = fmt.Errorf("%w: the operations under way have %d bytes: try again later", ErrRefused,
			l.heldBytes)
	}
	if err != nil {
		l.refusedOperations++
		return nil, err
	}
	l.operationCount++
	l.operationsBy[client]++
	l.heldBytes += bytes
	return func() { l.endOperation(client, bytes) }, nil
}

func (l *limiter) endOperation(client string, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operationCount--
	l.heldBytes -= bytes
	countDown(l.operationsBy, client)
}

// admitConnection makes room for a connection of a client; false if there is none.
func (l *limiter) admitConnection(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connectionCount >= l.connections || l.connectionsBy[client] >= l.connectionsOfOne {
		l.refusedConnections++
		return false
	}
	l.connectionCount++
	l.connectionsBy[client]++
	return true
}

func (l *limiter) endConnection(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connectionCount--
	countDown(l.connectionsBy, client)
}

func countDown(counts map[string]int, client string) {
	if counts[client]--; counts[client] <= 0 {
		delete(counts, client)
	}
}

func (l *limiter) health() ListenerHealth {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ListenerHealth{Connections: l.connectionCount, Operations: l.operationCount + l.reservedCount,
		RefusedConnections: l.refusedConnections, RefusedOperations: l.refusedOperations}
}

// limitListener accepts connections within the limits of a limiter and turns the others away at once: a
// client that waited in the kernel's queue would not know why.
type limitListener struct {
	net.Listener
	limiter *limiter
	// plain means that a refusal can be written as an HTTP answer, because there is no TLS.
	plain bool
}

// refusalTime bounds the writing of a refusal.
const refusalTime = 100 * time.Millisecond

const refusalAnswer = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n" +
	OutcomeHeader + ": " + OutcomeRefused + "\r\nConnection: close\r\nContent-Length: 59\r\n\r\n" +
	`{"error":"too many connections of clients: try again soon"}`

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(conn)
		if l.limiter.admitConnection(client) {
			return &limitConn{Conn: conn, limiter: l.limiter, client: client}, nil
		}
		if l.plain {
			_ = conn.SetWriteDeadline(time.Now().Add(refusalTime))
			_, _ = conn.Write([]byte(refusalAnswer))
		}
		conn.Close()
	}
}

// limitConn is a connection that counts at its limiter until it is closed.
type limitConn struct {
	net.Conn
	limiter *limiter
	client  string
	once    sync.Once
}

// Close implements net.Conn.
func (c *limitConn) Close() error {
	c.once.Do(func() { c.limiter.endConnection(c.client) })
	return c.Conn.Close()
}

// clientOf names who is behind a connection: its process at a unix socket, its address over TCP.
func clientOf(conn net.Conn) string {
	if unix, ok := conn.(*net.UnixConn); ok {
		return peerProcess(unix)
	}
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}

// clientKey is the key of the client's name in the context of its requests.
type clientKey struct{}

// withClient adds the client's name to the context of a connection.
func withClient(ctx context.Context, conn net.Conn) context.Context {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = over.NetConn()
	}
	if c, ok := conn.(*limitConn); ok {
		return context.WithValue(ctx, clientKey{}, c.client)
	}
	return ctx
}

func clientFrom(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}
