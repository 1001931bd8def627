package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object without a line end. Members with a zero value are left
// out, except i, t, p and type. The result depends on nothing but the event.
func (e *Event) AppendJSON(dst []byte) ([]byte, error) {
	if e.Type < Invoke || e.Type > Info {
		return dst, fmt.Errorf("encoding event %d: %w %d", e.Index, ErrType, uint8(e.Type))
	}
	dst = append(dst, `{"i":`...)
	dst = strconv.AppendInt(dst, e.Index, 10)
	dst = append(dst, `,"t":`...)
	dst = strconv.AppendInt(dst, e.Time, 10)
	dst = append(dst, `,"p":`...)
	dst = strconv.AppendInt(dst, int64(e.Process), 10)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, typeNames[e.Type]...)
	dst = append(dst, '"')
	dst = appendStringMember(dst, "f", e.F)
	dst = appendStringMember(dst, "k", e.Key)
	dst, err := appendRawMember(dst, "v", e.Value)
	if err != nil {
		return dst, fmt.Errorf("encoding value of event %d: %w", e.Index, err)
	}
	dst = appendUintMember(dst, "rev", e.Rev)
	dst = appendUintMember(dst, "mod", e.Mod)
	dst = appendStringMember(dst, "id", e.ID)
	dst = appendStringMember(dst, "node", e.Node)
	dst = appendStringMember(dst, "error", e.Error)
	return append(dst, '}'), nil
}

// MarshalJSON encodes the event as [Event.AppendJSON] does.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil) }

func appendUintMember(dst []byte, name string, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendUint(dst, v, 10)
}

func appendStringMember(dst []byte, name, v string) []byte {
	if v == "" {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return appendString(dst, v)
}

func appendString(dst []byte, s string) []byte {
	if plain(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("quoting a string: %v", err)) // strings always marshal
	}
	return append(dst, quoted...)
}

// plain reports whether s can stand between quotes as it is.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func appendRawMember(dst []byte, name string, v json.RawMessage) ([]byte, error) {
	if len(v) == 0 {
		return dst, nil
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	buf := bytes.NewBuffer(dst)
	if err := json.Compact(buf, v); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}
