package env

// Event is something that happened to a process. The set is closed: only the types of this
// package are events.
type Event interface{ event() }

// Received is a datagram from the process of the same name on a machine.
type Received struct {
	From    MachineID
	Link    LinkID
	Payload []byte // valid until Step returns
}

// TimerFired says that a timer's time has come.
type TimerFired struct{ ID TimerID }

// LocalMessage is a message from another process of this machine.
type LocalMessage struct {
	From    string
	Payload []byte // valid until Step returns
}

// LocalUp says that another process of this machine runs and can be sent to. A process gets one
// for each process that runs when it starts, and one for each that starts later.
type LocalUp struct{ Process string }

// LocalDown says that another process of this machine ended. Messages that it had sent and that
// were delivered before remain; what was still queued towards it is gone.
type LocalDown struct{ Process string }

// Invoked is an operation that a client wants done. It is answered with [Env.Complete].
type Invoked struct {
	Op    OpID
	Input []byte // valid until Step returns
}

func (Received) event()     {}
func (TimerFired) event()   {}
func (LocalMessage) event() {}
func (LocalUp) event()      {}
func (LocalDown) event()    {}
func (Invoked) event()      {}
