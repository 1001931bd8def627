package chaos

import (
	"math/bits"

	"github.com/holdfast-sim/holdfast/scenarios/fault"
)

// stream is a list of draws that derives from a seed and two names. It gives the values that the
// simulator draws for the same names, so that both worlds get the same workload and the same
// faults from one seed.
type stream struct {
	key  uint64
	next uint64
}

func newStream(seed uint64, name, label string) *stream {
	return &stream{key: streamKey(seed, name, label)}
}

// Choose implements fault.Chooser.
func (s *stream) Choose(n uint64) uint64 {
	value, _ := bits.Mul64(mix(s.key+s.next*golden), n)
	s.next++
	return value
}

var _ fault.Chooser = (*stream)(nil)

const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func streamKey(seed uint64, names ...string) uint64 {
	key := mix(seed + golden)
	for _, name := range names {
		for i := range len(name) {
			key = (key ^ uint64(name[i])) * 0x100000001b3
		}
		key = mix(key + golden)
	}
	return key
}
