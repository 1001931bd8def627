package history

import (
	"bytes"
	"encoding/json"
	"math"
)

// fastDecoder decodes lines in the exact form that [Event.AppendJSON] writes, several times faster than
// encoding/json. Any other form, also one that merely looks odd, is left to the general decoder, so the two
// never have to agree about errors.
type fastDecoder struct {
	words map[string]string // one copy of each function, key, node and error
}

// maxWords bounds the copies; beyond it strings are copied each time.
const maxWords = 1 << 16

func (d *fastDecoder) internString(b []byte) string {
	if s, ok := d.words[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.words == nil {
		d.words = make(map[string]string)
	}
	if len(d.words) < maxWords {
		d.words[s] = s
	}
	return s
}

// decode fills e from a line, or returns false.
func (d *fastDecoder) decode(line []byte, e *Event) bool {
	*e = Event{}
	rest, ok := bytes.CutPrefix(line, []byte(`{"i":`))
	if !ok {
		return false
	}
	var process int64
	if e.Index, rest, ok = number(rest); !ok {
		return false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"t":`)); !ok {
		return false
	}
	if e.Time, rest, ok = number(rest); !ok {
		return false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"p":`)); !ok {
		return false
	}
	if process, rest, ok = number(rest); !ok || process > math.MaxInt32 || process < math.MinInt32 {
		return false
	}
	e.Process = int(process)
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"type":"`)); !ok {
		return false
	}
	for t := Invoke; t <= Info; t++ {
		if after, ok := bytes.CutPrefix(rest, []byte(typeNames[t])); ok && len(after) > 0 && after[0] == '"' {
			e.Type, rest = t, after[1:]
			break
		}
	}
	return e.Type != 0 && d.members(rest, e)
}

// members decodes what follows the type: any of the optional members, once each, in order or not.
func (d *fastDecoder) members(rest []byte, e *Event) bool {
	for {
		if len(rest) == 1 && rest[0] == '}' {
			return true
		}
		if len(rest) < 5 || rest[0] != ',' || rest[1] != '"' {
			return false
		}
		end := bytes.IndexByte(rest[2:], '"')
		if end < 0 || len(rest) < end+5 || rest[end+3] != ':' {
			return false
		}
		name := rest[2 : 2+end]
		var ok bool
		if rest, ok = d.member(name, rest[end+4:], e); !ok {
			return false
		}
	}
}

func (d *fastDecoder) member(name, rest []byte, e *Event) ([]byte, bool) {
	var into *string
	switch string(name) {
	case "f":
		into = &e.F
	case "k":
		into = &e.Key
	case "node":
		into = &e.Node
	case "error":
		into = &e.Error
	case "id":
		text, after, ok := plainString(rest)
		if ok {
			e.ID = string(text)
		}
		return after, ok
	case "rev", "mod":
		n, after, ok := number(rest)
		if !ok || n < 0 {
			return rest, false
		}
		if name[0] == 'r' {
			e.Rev = uint64(n)
		} else {
			e.Mod = uint64(n)
		}
		return after, true
	case "v":
		return rawValue(rest, e)
	default:
		return rest, false
	}
	text, after, ok := plainString(rest)
	if ok {
		*into = d.internString(text)
	}
	return after, ok
}

// number reads a whole number of at most 18 digits.
func number(b []byte) (n int64, rest []byte, ok bool) {
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		negative, i = true, 1
	}
	start := i
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if i-start >= 18 {
			return 0, b, false
		}
		n = n*10 + int64(b[i]-'0')
	}
	if i == start || (b[start] == '0' && i > start+1) {
		return 0, b, false
	}
	if negative {
		n = -n
	}
	return n, b[i:], true
}

// plainString reads a string without escapes and without bytes beyond ASCII.
func plainString(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 {
		return nil, b, false
	}
	text = b[1 : 1+end]
	for _, c := range text {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return nil, b, false
		}
	}
	return text, b[end+2:], true
}

// rawValue reads a value: a plain string or a number directly, anything else through a validity check of what
// lies between its brackets.
func rawValue(b []byte, e *Event) ([]byte, bool) {
	if _, rest, ok := plainString(b); ok {
		e.Value = append(json.RawMessage(nil), b[:len(b)-len(rest)]...)
		return rest, true
	}
	if _, rest, ok := number(b); ok && len(rest) > 0 && (rest[0] == ',' || rest[0] == '}') {
		e.Value = append(json.RawMessage(nil), b[:len(b)-len(rest)]...)
		return rest, true
	}
	if len(b) == 0 || (b[0] != '[' && b[0] != '{') {
		return b, false
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ' ' || c == '\t' || c == '\r':
			return b, false // not compact
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				e.Value = append(json.RawMessage(nil), b[:i+1]...)
				return b[i+1:], json.Valid(e.Value)
			}
		}
	}
	return b, false
}
