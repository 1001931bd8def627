package sim

import (
	"crypto/rand"
	"io"
	"sync"
)

// entropy is the process-wide crypto/rand.Reader. It is installed once. During a run it reads from the
// simulated process that runs, otherwise from the operating system.
var entropy = &entropyOwner{}

type entropyOwner struct {
	runTurn      sync.Mutex // held for a whole run
	install      sync.Once
	mu           sync.Mutex
	systemReader io.Reader
	world        io.Reader
}

// Read implements io.Reader.
func (o *entropyOwner) Read(p []byte) (int, error) {
	o.mu.Lock()
	from := o.world
	if from == nil {
		from = o.systemReader
	}
	o.mu.Unlock()
	return from.Read(p)
}

// useWorld makes a world the source of randomness until the returned function is called.
func (o *entropyOwner) useWorld(world io.Reader) (end func()) {
	o.install.Do(func() {
		o.systemReader = rand.Reader
		rand.Reader = o
	})
	o.setWorld(world)
	return func() { o.setWorld(nil) }
}

func (o *entropyOwner) setWorld(world io.Reader) {
	o.mu.Lock()
	o.world = world
	o.mu.Unlock()
}
