package workers

import (
	"context"
	"sync"
)

// Task is something to do, and then something to do with the result.
type Task func() (take func() error)

// RunTasks does so many tasks at a time, until next reports that there is none left or the context ends.
// One call of next or of a task's take is made at a time. The first error of a take ends the work and is
// returned. The result of a task that ends after the context is dropped.
func RunTasks(ctx context.Context, atOnce int, next func() (Task, bool)) error {
	var mu sync.Mutex
	var failed error
	begin := func() (Task, bool) {
		mu.Lock()
		defer mu.Unlock()
		if failed != nil || ctx.Err() != nil {
			return nil, false
		}
		return next()
	}
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for task, ok := begin(); ok; task, ok = begin() {
				take := task()
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				if failed == nil {
					failed = take()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return failed
}
