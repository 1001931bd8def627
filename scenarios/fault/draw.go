package fault

import "math/bits"

// Golden is the odd number nearest to 2^64 divided by the golden ratio, the step of splitmix64.
const Golden = 0x9e3779b97f4a7c15

// Mix is the finalizer of splitmix64: every input bit moves every output bit.
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Key derives the key of a list of draws from a seed and names.
func Key(seed uint64, names ...string) uint64 {
	key := Mix(seed + Golden)
	for _, name := range names {
		for i := range len(name) {
			key = (key ^ uint64(name[i])) * 0x100000001b3
		}
		key = Mix(key + Golden)
	}
	return key
}

// Derived is the draw below n at a place, from 0, in the list with a key. Both worlds draw with
// it, so that one seed gives both the same workload and the same faults.
func Derived(key, index, n uint64) uint64 {
	value, _ := bits.Mul64(Mix(key+index*Golden), n)
	return value
}
