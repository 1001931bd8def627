// Package logscale places times on logarithmic axes.
//
// Package logscale never uses floating point, so that equal runs have equal pictures everywhere.
package logscale

import (
	"math/bits"
	"time"
)

// Level is the place of a time on an axis from low to high, where low is at 0 and high at full.
func Level(d, low, high time.Duration, full int) int {
	base := log2Thousandths(uint64(low))
	return (log2Thousandths(uint64(max(low, d))) - base) * full / max(1, log2Thousandths(uint64(high))-base)
}

// log2Thousandths is the binary logarithm of n in thousandths, by repeated squaring in whole numbers.
func log2Thousandths(n uint64) int {
	if n == 0 {
		return 0
	}
	whole := bits.Len64(n) - 1
	mantissa := n << (63 - whole) >> 32 // 1.31 fixed point
	fraction := 0
	for bit := 512; bit > 0; bit /= 2 {
		mantissa = mantissa * mantissa >> 31
		if mantissa >= 1<<32 {
			mantissa >>= 1
			fraction += bit
		}
	}
	return whole*1000 + fraction*1000/1024
}

// Decades are the powers of ten, from 1 ns, that a logarithmic axis may begin and end with.
func Decades(least, most time.Duration) (low, high time.Duration) {
	low, high = 1, 10
	for low*10 <= least {
		low *= 10
	}
	for high < most || high <= low {
		high *= 10
	}
	return low, high
}
