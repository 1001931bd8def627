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

// door counts what the clients of one listener hold.
type door struct {
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

func newDoor(l limits) *door {
	return &door{limits: l, connectionsBy: map[string]int{}, operationsBy: map[string]int{}}
}

// enterOperation makes room for an operation of a client. It fails with ErrRefused. The caller calls
// leave when the operation has ended.
func (d *door) enterOperation(client string, bytes int64, reserved bool) (leave func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case reserved && d.reservedCount < reservedOperations:
		d.reservedCount++
		return func() { d.mu.Lock(); defer d.mu.Unlock(); d.reservedCount-- }, nil
	case reserved:
		err = fmt.Errorf("%w: %d operations of this kind are under way", ErrRefused, reservedOperations)
	case d.operationCount >= d.operations:
		err = fmt.Errorf("%w: %d operations of clients are under way: try again later", ErrRefused,
			d.operations)
	case d.operationsBy[client] >= d.operationsOfOne:
		err = fmt.Errorf("%w: %d operations of this client are under way: wait for their answers", ErrRefused,
			d.operationsOfOne)
	case d.heldBytes+bytes > d.operationBytes:
		err = fmt.Errorf("%w: the operations under way have %d bytes: try again later", ErrRefused,
			d.heldBytes)
	}
	if err != nil {
		d.refusedOperations++
		return nil, err
	}
	d.operationCount++
	d.operationsBy[client]++
	d.heldBytes += bytes
	return func() { d.leaveOperation(client, bytes) }, nil
}

func (d *door) leaveOperation(client string, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.operationCount--
	d.heldBytes -= bytes
	countDown(d.operationsBy, client)
}

// enterConnection makes room for a connection of a client; false if there is none.
func (d *door) enterConnection(client string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.connectionCount >= d.connections || d.connectionsBy[client] >= d.connectionsOfOne {
		d.refusedConnections++
		return false
	}
	d.connectionCount++
	d.connectionsBy[client]++
	return true
}

func (d *door) leaveConnection(client string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.connectionCount--
	countDown(d.connectionsBy, client)
}

func countDown(counts map[string]int, client string) {
	if counts[client]--; counts[client] <= 0 {
		delete(counts, client)
	}
}

func (d *door) health() ListenerHealth {
	d.mu.Lock()
	defer d.mu.Unlock()
	return ListenerHealth{Connections: d.connectionCount, Operations: d.operationCount + d.reservedCount,
		RefusedConnections: d.refusedConnections, RefusedOperations: d.refusedOperations}
}

// doorListener accepts connections within the limits of a door and turns the others away at once: a
// client that waited in the kernel's queue would not know why.
type doorListener struct {
	net.Listener
	door *door
	// plain means that a refusal can be written as an HTTP answer, because there is no TLS.
	plain bool
}

// refusalTime bounds the writing of a refusal.
const refusalTime = 100 * time.Millisecond

const refusalAnswer = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n" +
	OutcomeHeader + ": " + OutcomeRefused + "\r\nConnection: close\r\nContent-Length: 59\r\n\r\n" +
	`{"error":"too many connections of clients: try again soon"}`

// Accept implements net.Listener.
func (l *doorListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(conn)
		if l.door.enterConnection(client) {
			return &doorConn{Conn: conn, door: l.door, client: client}, nil
		}
		if l.plain {
			_ = conn.SetWriteDeadline(time.Now().Add(refusalTime))
			_, _ = conn.Write([]byte(refusalAnswer))
		}
		conn.Close()
	}
}

// doorConn is a connection that counts at its door until it is closed.
type doorConn struct {
	net.Conn
	door   *door
	client string
	once   sync.Once
}

// Close implements net.Conn.
func (c *doorConn) Close() error {
	c.once.Do(func() { c.door.leaveConnection(c.client) })
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
	if c, ok := conn.(*doorConn); ok {
		return context.WithValue(ctx, clientKey{}, c.client)
	}
	return ctx
}

func clientFrom(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}
