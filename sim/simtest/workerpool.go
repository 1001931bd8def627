package simtest

import (
	"errors"
	"sync"
)

// workerPool is the worker processes of one call of [Run]. Seeds are handed out in their order, and their
// answers are reported in that order as well, whichever came first.
type workerPool struct {
	batch *batch

	group sync.WaitGroup
	mu    sync.Mutex
	// changed is raised when anything below changes.
	changed *sync.Cond
	next    uint64 // the next seed to hand out
	left    uint64 // how many seeds are not handed out yet
	ahead   int    // how many are handed out and not reported yet
	most    int    // the limit of ahead
	answers map[uint64]answer
	ended   bool  // no further answer is wanted
	problem error // why the workers cannot be used
	exits   []error
}

// maxAhead is how many seeds for each worker are handed out before they are reported.
const maxAhead = 4

// newWorkerPool starts workers for the seeds from first on.
func newWorkerPool(b *batch, first uint64, workers int) *workerPool {
	p := &workerPool{batch: b, next: first, left: b.seeds.Last - first + 1, most: maxAhead * workers,
		answers: map[uint64]answer{}}
	p.changed = sync.NewCond(&p.mu)
	for range workers {
		p.group.Go(p.work)
	}
	return p
}

// answerTo waits for the answer to a seed. An error means that the workers cannot be used.
func (p *workerPool) answerTo(seed uint64) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if a, ok := p.answers[seed]; ok {
			delete(p.answers, seed)
			return a, nil
		}
		if p.problem != nil {
			return answer{}, p.problem
		}
		p.changed.Wait()
	}
}

// noteReplayed notes that the answer to a seed was replayed, or is not wanted.
func (p *workerPool) noteReplayed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead--
	p.changed.Broadcast()
}

// take hands out a seed; false when there is none left to run.
func (p *workerPool) take() (seed uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ahead >= p.most && !p.ended && p.problem == nil {
		p.changed.Wait()
	}
	if p.left == 0 || p.ended || p.problem != nil {
		return 0, false
	}
	seed = p.next
	p.next, p.left, p.ahead = p.next+1, p.left-1, p.ahead+1
	return seed, true
}

func (p *workerPool) deliver(seed uint64, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[seed] = a
	p.changed.Broadcast()
}

// abandon means that the workers cannot be used: seeds without an answer run in this process.
func (p *workerPool) abandon(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.problem == nil {
		p.problem = err
	}
	p.changed.Broadcast()
}

// work lets one worker process after another run seeds; a new one starts only where the last one died.
func (p *workerPool) work() {
	var w *workerProcess
	for {
		seed, ok := p.take()
		if !ok {
			break
		}
		release := slots.take()
		var err error
		if w == nil {
			w, err = startWorker(p.batch)
		}
		if err != nil {
			release()
			p.abandon(err)
			break
		}
		a, died := w.ask(seed)
		release()
		if died != nil {
			w = nil
			a = answer{Died: died.Error()}
		}
		p.deliver(seed, a)
	}
	if w == nil {
		return
	}
	if err := w.end(); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.exits = append(p.exits, err)
	}
}

// end ends the workers, and returns why some of them failed after they had answered.
func (p *workerPool) end() error {
	p.mu.Lock()
	p.ended = true
	p.changed.Broadcast()
	p.mu.Unlock()
	p.group.Wait()
	return errors.Join(p.exits...)
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
