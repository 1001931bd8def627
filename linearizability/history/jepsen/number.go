package jepsen

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// maxNumberBytes keeps big numbers cheap to convert.
const maxNumberBytes = 1 << 10

// The forms of numbers that Clojure's reader accepts (clojure.lang.EdnReader): decimal, octal with a leading
// zero, hexadecimal and any radix from 2 to 36, each with an N for arbitrary precision; floating point with
// an M for a decimal; ratios.
var (
	integerForm = regexp.MustCompile(`^([-+]?)(?:0[xX]([0-9A-Fa-f]+)|0([0-7]+)|` +
		`([1-9][0-9]?)[rR]([0-9A-Za-z]+)|(0|[1-9][0-9]*))N?$`)
	floatForm = regexp.MustCompile(`^[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?M?$`)
	ratioForm = regexp.MustCompile(`^([-+]?[0-9]+)/([0-9]+)$`)
)

// number decodes a number. Whole numbers become int64 or, if large, JSON numbers; ratios are reduced, and
// become text unless they are whole.
func (d *decoder) number(word string) (any, error) {
	if len(word) > maxNumberBytes {
		return nil, d.fail("a number of more than %d bytes", maxNumberBytes)
	}
	if n, err := strconv.ParseInt(word, 10, 64); err == nil && plainInteger(word) {
		return n, nil
	}
	if m := integerForm.FindStringSubmatch(word); m != nil {
		return d.integer(word, m)
	}
	if m := ratioForm.FindStringSubmatch(word); m != nil {
		return d.ratio(word, m[1], m[2])
	}
	if floatForm.MatchString(word) && !leadingZero(word) {
		f, _ := strconv.ParseFloat(strings.TrimSuffix(word, "M"), 64) // too large is infinite, as in Java
		return f, nil
	}
	return nil, d.fail("%.40q is no number", word)
}

// plainInteger reports whether a whole number has no leading zero, which would make it octal.
func plainInteger(word string) bool {
	digits := strings.TrimLeft(word, "+-")
	return digits == "0" || digits[0] != '0'
}

// leadingZero reports a whole number such as 08, which is neither octal nor decimal.
func leadingZero(word string) bool {
	return !plainInteger(word) && !strings.ContainsAny(word, ".eE")
}

func (d *decoder) integer(word string, m []string) (any, error) {
	digits, base := m[6], 10
	switch {
	case m[2] != "":
		digits, base = m[2], 16
	case m[3] != "":
		digits, base = m[3], 8
	case m[4] != "":
		digits = m[5]
		base, _ = strconv.Atoi(m[4])
		if base < 2 || base > 36 {
			return nil, d.fail("%.40q is no number: a radix is from 2 to 36", word)
		}
	}
	n, ok := new(big.Int).SetString(m[1]+digits, base)
	if !ok {
		return nil, d.fail("%.40q is no number of radix %d", word, base)
	}
	return whole(n), nil
}

func (d *decoder) ratio(word, above, below string) (any, error) {
	numerator, _ := new(big.Int).SetString(above, 10)
	denominator, _ := new(big.Int).SetString(below, 10)
	if denominator.Sign() == 0 {
		return nil, d.fail("%.40q divides by zero", word)
	}
	ratio := new(big.Rat).SetFrac(numerator, denominator)
	if ratio.IsInt() {
		return whole(ratio.Num()), nil
	}
	return symbol(ratio.String()), nil
}

func whole(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return json.Number(n.String())
}

// decimal returns the JSON of a floating-point number. It always differs from that of a whole number,
// because 1.0 and 1 are different values in Clojure; what JSON does not have becomes text.
func decimal(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return `"##Inf"`
	case math.IsInf(f, -1):
		return `"##-Inf"`
	case f == 0:
		return "0.0" // also -0.0, which equals it
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
