package simtest

import (
	"errors"
	"sync"
)

// crew is the worker processes of one call of [Run]. Seeds are handed out in their order, and their answers
// are told in that order as well, whichever came first.
type crew struct {
	batch *batch

	group sync.WaitGroup
	mu    sync.Mutex
	// changed is raised when anything below changes.
	changed *sync.Cond
	next    uint64 // the next seed to hand out
	left    uint64 // how many seeds are not handed out yet
	ahead   int    // how many are handed out and not told yet
	most    int    // the limit of ahead
	answers map[uint64]answer
	ended   bool  // no further answer is wanted
	problem error // why the workers cannot be used
	exits   []error
}

// maxAhead is how many seeds for each worker are handed out before they are told.
const maxAhead = 4

// hire starts workers for the seeds from first on.
func hire(b *batch, first uint64, workers int) *crew {
	c := &crew{batch: b, next: first, left: b.seeds.Last - first + 1, most: maxAhead * workers,
		answers: map[uint64]answer{}}
	c.changed = sync.NewCond(&c.mu)
	for range workers {
		c.group.Go(c.work)
	}
	return c
}

// answerTo waits for the answer to a seed. An error means that the workers cannot be used.
func (c *crew) answerTo(seed uint64) (answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if a, ok := c.answers[seed]; ok {
			delete(c.answers, seed)
			return a, nil
		}
		if c.problem != nil {
			return answer{}, c.problem
		}
		c.changed.Wait()
	}
}

// noteReplayed notes that the answer to a seed was replayed, or is not wanted.
func (c *crew) noteReplayed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead--
	c.changed.Broadcast()
}

// take hands out a seed; false when there is none left to run.
func (c *crew) take() (seed uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.ahead >= c.most && !c.ended && c.problem == nil {
		c.changed.Wait()
	}
	if c.left == 0 || c.ended || c.problem != nil {
		return 0, false
	}
	seed = c.next
	c.next, c.left, c.ahead = c.next+1, c.left-1, c.ahead+1
	return seed, true
}

func (c *crew) deliver(seed uint64, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers[seed] = a
	c.changed.Broadcast()
}

// giveUp means that the workers cannot be used: seeds without an answer run in this process.
func (c *crew) giveUp(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.problem == nil {
		c.problem = err
	}
	c.changed.Broadcast()
}

// work lets one worker process after another run seeds; a new one starts only where the last one died.
func (c *crew) work() {
	var w *workerProcess
	for {
		seed, ok := c.take()
		if !ok {
			break
		}
		release := slots.take()
		var err error
		if w == nil {
			w, err = startWorker(c.batch)
		}
		if err != nil {
			release()
			c.giveUp(err)
			break
		}
		a, died := w.ask(seed)
		release()
		if died != nil {
			w = nil
			a = answer{Died: died.Error()}
		}
		c.deliver(seed, a)
	}
	if w == nil {
		return
	}
	if err := w.end(); err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.exits = append(c.exits, err)
	}
}

// end ends the workers, and returns why some of them failed after they had answered.
func (c *crew) end() error {
	c.mu.Lock()
	c.ended = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.group.Wait()
	return errors.Join(c.exits...)
}

// slots bounds how many seeds the workers of this process run at a time, also when tests run in parallel.
var slots limiter

type limiter struct {
	once sync.Once
	free chan struct{}
}

func (l *limiter) take() (release func()) {
	l.once.Do(func() {
		count, _, _ := workersOfFlag() // a wrong flag has no workers
		l.free = make(chan struct{}, count)
	})
	l.free <- struct{}{}
	return func() { <-l.free }
}
