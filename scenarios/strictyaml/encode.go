package strictyaml

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Encode writes a value such that [Decode] reads it back. Fields with omitempty are left out when
// they are zero, map keys are sorted.
func Encode(value any) (*yaml.Node, error) { return encodeValue(reflect.ValueOf(value), false) }

func encodeValue(v reflect.Value, flow bool) (*yaml.Node, error) {
	if !v.IsValid() {
		return nil, fmt.Errorf("encoding YAML: there is no value")
	}
	if own, ok := v.Interface().(yaml.Marshaler); ok {
		value, err := own.MarshalYAML()
		if n, isNode := value.(*yaml.Node); isNode || err != nil {
			return n, err
		}
		return encodeValue(reflect.ValueOf(value), flow)
	}
	if v.Type() == durationType {
		return scalarNode("!!str", FormatDuration(time.Duration(v.Int()))), nil
	}
	if own, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := own.MarshalText()
		if err != nil {
			return nil, fmt.Errorf("encoding YAML: %w", err)
		}
		return scalarNode("!!str", string(text)), nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return encodeValue(v.Elem(), flow)
	case reflect.String:
		return scalarNode("!!str", v.String()), nil
	case reflect.Bool:
		return scalarNode("!!bool", strconv.FormatBool(v.Bool())), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return scalarNode("!!int", strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return scalarNode("!!int", strconv.FormatUint(v.Uint(), 10)), nil
	case reflect.Slice:
		return encodeList(v, flow)
	case reflect.Map:
		return encodeMap(v, flow)
	case reflect.Struct:
		return encodeStruct(v, flow)
	}
	return nil, fmt.Errorf("encoding YAML: cannot write a %s", v.Type())
}

func newCollectionNode(kind yaml.Kind, tag string, flow bool) *yaml.Node {
	n := &yaml.Node{Kind: kind, Tag: tag}
	if flow {
		n.Style = yaml.FlowStyle
	}
	return n
}

func scalarNode(tag, value string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	if tag == "!!str" && strings.Contains(value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

func encodeList(v reflect.Value, flow bool) (*yaml.Node, error) {
	n := newCollectionNode(yaml.SequenceNode, "!!seq", flow)
	for i := range v.Len() {
		item, err := encodeValue(v.Index(i), flow)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, item)
	}
	return n, nil
}

func encodeMap(v reflect.Value, flow bool) (*yaml.Node, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("encoding YAML: a %s has keys that are no texts", v.Type())
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	n := newCollectionNode(yaml.MappingNode, "!!map", flow)
	for _, key := range keys {
		item, err := encodeValue(v.MapIndex(key), flow)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, scalarNode("!!str", key.String()), item)
	}
	return n, nil
}

func encodeStruct(v reflect.Value, flow bool) (*yaml.Node, error) {
	n := newCollectionNode(yaml.MappingNode, "!!map", flow)
	for _, f := range Fields(v.Type()) {
		field := v.Field(f.Index)
		if !f.Required && isEmptyValue(field) {
			continue
		}
		item, err := encodeValue(field, flow || f.Flow)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, scalarNode("!!str", f.Name), item)
	}
	return n, nil
}

func isEmptyValue(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// FormatDuration writes a duration exactly, in plain letters and without parts that are zero: 2m
// and 5us instead of 2m0s and 5µs.
func FormatDuration(d time.Duration) string {
	s := strings.Replace(d.String(), "µ", "u", 1)
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Format writes a node as text.
func Format(n *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, fmt.Errorf("encoding YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encoding YAML: %w", err)
	}
	return out.Bytes(), nil
}
