package env

// Event is something that happened to a process. The set is closed: only the types of this package are
// events.
type Event interface{ event() }

// Received is a datagram from the process of the same name on another machine, or on this one.
type Received struct {
	From    MachineID
	Link    LinkID
	Payload []byte // valid until Step returns
}

// TimerFired is the expiry of a timer.
type TimerFired struct{ ID TimerID }

// LocalMessage is a message from another process of this machine.
type LocalMessage struct {
	From    string
	Payload []byte // valid until Step returns
}

// LocalUp reports that another process of this machine runs and can be sent to. A process gets one for
// each process that runs when it starts, and one for each that starts later.
type LocalUp struct{ Process string }

// LocalDown reports that another process of this machine ended. Messages of that process that were
// delivered before stay valid; messages still queued for it are lost.
type LocalDown struct{ Process string }

// Invoked is an operation of a client. The process answers it with [Env.Complete].
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
