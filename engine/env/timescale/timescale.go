// Package timescale is the ratio that all times of a run are multiplied by on real nodes, so that a
// scenario of an hour can run in a minute. The simulator runs at ratio 1.
//
// Package timescale never reads a clock, and never decides which times are scaled.
package timescale

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Ratio is Num/Den. The zero value stands for 1.
type Ratio struct{ Num, Den int64 }

// Max is the largest ratio, and 1/Max the smallest one.
const Max = 1000

// maxDenominator bounds numerator and denominator, so that no product of a ratio and a duration of a
// run overflows: 2^31 times the remainder of a division by 2^31 is less than 2^62.
const maxDenominator = 1<<31 - 1

// Parse reads a ratio such as "1", "0.2", "1/5" or "2". The error of a text that is no ratio, or one
// out of range, reports what to write.
func Parse(text string) (Ratio, error) {
	num, den, isRatio := strings.Cut(text, "/")
	if !isRatio {
		whole, fraction, _ := strings.Cut(text, ".")
		num, den = whole+fraction, "1"+strings.Repeat("0", min(len(fraction), maxFraction))
	}
	n, err1 := strconv.ParseInt(num, 10, 32)
	d, err2 := strconv.ParseInt(den, 10, 32)
	if err1 != nil || err2 != nil || n <= 0 || d <= 0 {
		return Ratio{}, fmt.Errorf("timescale %q: write a positive number such as 0.2, 1/5 or 2", text)
	}
	return Ratio{Num: n, Den: d}, nil
}

// maxFraction is from how many decimals on a number has no denominator that fits into 31 bits.
const maxFraction = 10

// Check reports a ratio that is out of range: not positive, above [Max] or below 1/[Max].
func (r Ratio) Check() error {
	switch {
	case r == (Ratio{}):
		return nil
	case r.Num <= 0 || r.Den <= 0 || r.Num > maxDenominator || r.Den > maxDenominator,
		r.Num > r.Den*Max || r.Den > r.Num*Max:
		return fmt.Errorf("timescale %d/%d is out of range: write one between 1/%d and %d",
			r.Num, r.Den, Max, Max)
	}
	return nil
}

// IsOne reports whether the ratio changes nothing.
func (r Ratio) IsOne() bool { return r.Num == r.Den }

// Of returns the duration times the ratio, rounded towards zero.
func (r Ratio) Of(d time.Duration) time.Duration { return time.Duration(r.Times(int64(d))) }

// Times returns n times the ratio, rounded towards zero.
func (r Ratio) Times(n int64) int64 {
	if r.IsOne() {
		return n
	}
	return n/r.Den*r.Num + n%r.Den*r.Num/r.Den
}

// Inverse returns the ratio that undoes this one, but for rounding.
func (r Ratio) Inverse() Ratio { return Ratio{Num: r.Den, Den: r.Num} }

// String returns what [Parse] reads, in the shortest form.
func (r Ratio) String() string {
	switch {
	case r.IsOne():
		return "1"
	case r.Den == 1:
		return strconv.FormatInt(r.Num, 10)
	}
	return fmt.Sprintf("%d/%d", r.Num, r.Den)
}
