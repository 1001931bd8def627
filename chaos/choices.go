package chaos

import "github.com/holdfast-sim/holdfast/scenarios/fault"

// stream is a list of draws that derives from a seed and two names. It gives the values that the
// simulator draws for the same names.
type stream struct {
	key  uint64
	next uint64
}

func newStream(seed uint64, name, label string) *stream {
	return &stream{key: fault.Key(seed, name, label)}
}

// Choose implements fault.Chooser.
func (s *stream) Choose(n uint64) uint64 {
	value := fault.Derived(s.key, s.next, n)
	s.next++
	return value
}

var _ fault.Chooser = (*stream)(nil)
