package jsonvalue

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// maxExactFloat is the largest integer up to which every integer has a float64 of its own.
const maxExactFloat = 1 << 53

// Atoms numbers JSON values. Values that are equal as JSON get the same number however they are written.
// Small integers are their own number, doubled; other values have odd numbers.
type Atoms struct {
	byText map[string]int64
	texts  []string
}

// NewAtoms returns an empty numbering.
func NewAtoms() *Atoms { return &Atoms{byText: map[string]int64{}} }

// Of returns the number of a value. raw must be valid JSON without blanks around it.
func (a *Atoms) Of(raw []byte) int64 {
	if n, ok := smallInt(raw); ok {
		return n << 1
	}
	if id, ok := a.byText[string(raw)]; ok && raw[0] == '"' {
		return id
	}
	text := Canonical(raw)
	if n, ok := smallInt(text); ok {
		return n << 1
	}
	id, ok := a.byText[string(text)]
	if !ok {
		id = int64(len(a.texts))<<1 | 1
		a.texts = append(a.texts, string(text))
		a.byText[string(text)] = id
	}
	return id
}

// Text returns the canonical JSON of a number.
func (a *Atoms) Text(id int64) string {
	if id&1 == 0 {
		return strconv.FormatInt(id>>1, 10)
	}
	return a.texts[id>>1]
}

// smallInt reads an integer of at most 18 digits that is written in the usual way.
func smallInt(raw []byte) (int64, bool) {
	digits := raw
	if len(raw) > 0 && raw[0] == '-' {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || (digits[0] == '0' && len(raw) > 1) {
		return 0, false
	}
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, true
}

// Canonical rewrites a JSON value so that equal values have equal text: members of objects sorted, escapes
// resolved, no blanks, and numbers that are whole written as integers.
func Canonical(raw []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return raw
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if enc.Encode(plainNumbers(value)) != nil {
		return raw
	}
	return bytes.TrimSpace(text.Bytes())
}

func plainNumbers(value any) any {
	switch v := value.(type) {
	case json.Number:
		return plainNumber(v)
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	}
	return value
}

func plainNumber(n json.Number) json.Number {
	if n == "-0" {
		return "0"
	}
	if !bytes.ContainsAny([]byte(n), ".eE") {
		return n
	}
	f, err := strconv.ParseFloat(string(n), 64)
	switch {
	case err != nil:
		return n
	case f == math.Trunc(f) && math.Abs(f) < maxExactFloat:
		return json.Number(strconv.FormatInt(int64(f), 10))
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
}

// Elements splits a valid JSON array and calls visit for each of its elements, until visit returns an error.
func Elements(array []byte, visit func(element []byte) error) error {
	depth, inString, start, end := 0, false, -1, 0 // end is behind the last byte that is not blank
	for i := 0; i < len(array); i++ {
		c := array[i]
		switch {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString, end = false, i+1
			}
			continue
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		case c == ']' || c == '}':
			depth--
		}
		if (c == ',' && depth == 1) || (c == ']' && depth == 0) {
			if start >= 0 {
				if err := visit(array[start:end]); err != nil {
					return err
				}
			}
			start = -1
			continue
		}
		if start < 0 && depth >= 1 {
			start = i
		}
		inString, end = c == '"', i+1
		if c == '[' || c == '{' {
			depth++
		}
	}
	return nil
}
