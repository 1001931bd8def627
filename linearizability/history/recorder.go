package history

import "sync"

// Recorder collects events in memory. The zero value is ready. It has no lock: use [Synced] where several
// goroutines record.
type Recorder struct {
	events []Event
}

// Append records an event and gives it the next index.
func (r *Recorder) Append(event Event) {
	event.Index = int64(len(r.events))
	r.events = append(r.events, event)
}

// Events returns what was recorded, in order. The slice is the recorder's own: do not change it.
func (r *Recorder) Events() []Event { return r.events }

// Len returns how many events were recorded.
func (r *Recorder) Len() int { return len(r.events) }

// Synced is a Recorder for several goroutines. The order of the events is that in which Append got
// the lock, so a caller that reads its clock before Append may record times slightly out of order;
// checkers sort by time. The zero value is ready.
type Synced struct {
	mu       sync.Mutex
	recorder Recorder
}

// Append records an event and gives it the next index.
func (s *Synced) Append(event Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder.Append(event)
}

// AppendNow records an event with the time that now returns, read under the lock, so that times never run
// backwards in the record.
func (s *Synced) AppendNow(event Event, now func() int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	event.Time = now()
	s.recorder.Append(event)
}

// Events returns a copy of what was recorded so far.
func (s *Synced) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.recorder.events...)
}
