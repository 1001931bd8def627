package fault

import (
	"fmt"
	"strconv"
	"strings"
)

// PPM is a probability in parts per million. Probabilities are whole numbers so that they mean
// the same on every processor.
type PPM uint32

// Always is certainty.
const Always PPM = 1_000_000

// Hit reports whether the event with probability p happens for a draw from [0, Always).
func (p PPM) Hit(draw uint64) bool { return draw >= uint64(Always-min(p, Always)) }

// String writes a percentage, the shortest that is exact.
func (p PPM) String() string {
	whole, rest := p/10_000, p%10_000
	if rest == 0 {
		return fmt.Sprintf("%d%%", whole)
	}
	return fmt.Sprintf("%d.%s%%", whole, strings.TrimRight(fmt.Sprintf("%04d", rest), "0"))
}

// MarshalText writes what UnmarshalText reads.
func (p PPM) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "5%", "0.25%" or "200ppm".
func (p *PPM) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if digits, ok := strings.CutSuffix(s, "ppm"); ok {
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
		if err != nil || n > uint64(Always) {
			return fmt.Errorf("%q is not a probability: write 0ppm to 1000000ppm", s)
		}
		*p = PPM(n)
		return nil
	}
	number, ok := strings.CutSuffix(s, "%")
	whole, fraction, _ := strings.Cut(number, ".")
	if !ok || len(fraction) > 4 || whole == "" {
		return fmt.Errorf("%q is not a probability: write a percentage such as 5%% or 0.25%%", s)
	}
	n, err := strconv.ParseUint(whole+(fraction + "0000")[:4], 10, 32)
	if err != nil || n > uint64(Always) {
		return fmt.Errorf("%q is not a probability: write 0%% to 100%%", s)
	}
	*p = PPM(n)
	return nil
}
