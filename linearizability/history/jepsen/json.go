package jepsen

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// appendJSON appends an element as JSON. Map members are sorted by name.
func appendJSON(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case keyword:
		return appendText(dst, string(v))
	case symbol:
		return appendText(dst, string(v))
	case string:
		return appendText(dst, v)
	case taggedElement:
		return appendJSON(dst, v.value)
	case set:
		return appendSet(dst, v)
	case float64:
		return append(dst, decimal(v)...), nil
	case []any:
		return appendArray(dst, v)
	case edn:
		return appendObject(dst, v)
	}
	text, err := json.Marshal(value)
	return append(dst, text...), err
}

func appendText(dst []byte, s string) ([]byte, error) {
	text, err := json.Marshal(strings.ToValidUTF8(s, string(utf8.RuneError)))
	return append(dst, text...), err
}

func appendArray(dst []byte, list []any) ([]byte, error) {
	var err error
	dst = append(dst, '[')
	for i, value := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, value); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendSet appends the elements in the order of their JSON, each once, so that equal sets are equal text.
func appendSet(dst []byte, s set) ([]byte, error) {
	elements := make([]string, len(s))
	for i, value := range s {
		text, err := appendJSON(nil, value)
		if err != nil {
			return dst, err
		}
		elements[i] = string(text)
	}
	slices.SortFunc(elements, func(a, b string) int {
		if byLength := len(a) - len(b); byLength != 0 {
			return byLength // whole numbers in their order
		}
		return strings.Compare(a, b)
	})
	elements = slices.Compact(elements)
	return append(dst, "["+strings.Join(elements, ",")+"]"...), nil
}

func appendObject(dst []byte, m edn) ([]byte, error) {
	members := make([]string, 0, len(m))
	for _, p := range m {
		name, err := appendJSON(nil, p.key)
		if err != nil {
			return dst, err
		}
		if len(name) == 0 || name[0] != '"' {
			if name, err = appendText(nil, string(name)); err != nil {
				return dst, err
			}
		}
		member, err := appendJSON(append(name, ':'), p.value)
		if err != nil {
			return dst, err
		}
		members = append(members, string(member))
	}
	sort.Strings(members)
	return append(dst, "{"+strings.Join(members, ",")+"}"...), nil
}
