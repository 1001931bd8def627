package draw

import "math/bits"

// The arithmetic is splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", 2014), addressed by index instead of stepped: the state after i steps is
// key + i*golden. Names are hashed into the key with the multiplier of FNV-1a, 64 bits.

// golden is the odd number nearest to 2^64 divided by the golden ratio, the step of splitmix64.
const golden = 0x9e3779b97f4a7c15

// fnvPrime is the multiplier of FNV-1a for 64 bits.
const fnvPrime = 0x100000001b3

// mixBits is the finalizer of splitmix64: every input bit affects every output bit.
func mixBits(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// keyOf derives the key of a list from a seed and names. Each name is finished with a mix, so that
// ("ab", "c") and ("a", "bc") give different keys.
func keyOf(seed uint64, names ...string) uint64 {
	key := mixBits(seed + golden)
	for _, name := range names {
		for i := range len(name) {
			key = (key ^ uint64(name[i])) * fnvPrime
		}
		key = mixBits(key + golden)
	}
	return key
}

// valueAt returns the draw below n at an index, from 0, of the list with a key.
func valueAt(key, index, n uint64) uint64 {
	value, _ := bits.Mul64(mixBits(key+index*golden), n)
	return value
}
