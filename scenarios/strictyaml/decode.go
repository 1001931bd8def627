package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// OneOf is a text type with a fixed set of values.
type OneOf interface {
	OneOf() []string
}

// Respelled is a OneOf that also accepts other spellings, such as those of older files.
type Respelled interface {
	OneOf
	// Respell returns the spelling of a text that OneOf lists; any other text unchanged.
	Respell(text string) string
}

// Decode reads a node into what a pointer points to. The error is of type [Problems].
//
// It knows booleans, whole numbers, texts, durations, slices, maps with text keys, structs and
// pointers to those, types that read themselves from text, and types that read themselves from
// YAML: of those an error that is or holds a [Problem] keeps its place, another one is reported at
// the value.
func Decode(file string, n *yaml.Node, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("strictyaml: decoding into a %T, which is no pointer", into))
	}
	d := decoder{file: file}
	d.decodeValue(n, v.Elem(), "")
	return d.problems.Err()
}

type decoder struct {
	file     string
	problems Problems
}

func (d *decoder) problemAt(n *yaml.Node, path string) Problem {
	return Problem{File: d.file, Line: n.Line, Column: n.Column, Path: path}
}

func (d *decoder) reportProblem(n *yaml.Node, path, format string, args ...any) {
	p := d.problemAt(n, path)
	p.Text = fmt.Sprintf(format, args...)
	d.problems = append(d.problems, &p)
}

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) decodeValue(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.reportProblem(n, path, "there is no value; write one or remove the key")
		return
	}
	if own, ok := v.Addr().Interface().(yaml.Unmarshaler); ok {
		d.problems.Add(d.problemAt(n, path), own.UnmarshalYAML(n))
		return
	}
	if v.Type() == durationType {
		d.decodeDuration(n, v, path)
		return
	}
	if own, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if !d.checkScalar(n, path, "a single value") {
			return
		}
		d.problems.Add(d.problemAt(n, path), own.UnmarshalText([]byte(n.Value)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decodeValue(n, v.Elem(), path)
	case reflect.Struct:
		d.decodeStruct(n, v, path)
	case reflect.Map:
		d.decodeMap(n, v, path)
	case reflect.Slice:
		d.decodeList(n, v, path)
	default:
		d.decodePlain(n, v, path)
	}
}

func (d *decoder) checkScalar(n *yaml.Node, path, want string) bool {
	if n.Kind != yaml.ScalarNode {
		d.reportProblem(n, path, "this is %s; write %s", nodeKindWord(n), want)
		return false
	}
	return true
}

// decodePlain reads texts, booleans and whole numbers.
func (d *decoder) decodePlain(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		d.decodeText(n, v, path)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.Value != "true" && n.Value != "false" {
			d.reportProblem(n, path, "this is %s; write true or false", nodeKindWord(n))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if !d.checkWholeNumber(n, path) {
			return
		}
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil || v.OverflowInt(i) {
			d.reportProblem(n, path, "%s is out of range; write a smaller number", shorten(n.Value))
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if !d.checkWholeNumber(n, path) {
			return
		}
		i, err := strconv.ParseUint(n.Value, 10, 64)
		if err != nil || v.OverflowUint(i) {
			d.reportProblem(n, path, "%s is out of range; write a number from 0", shorten(n.Value))
			return
		}
		v.SetUint(i)
	default:
		panic(fmt.Sprintf("strictyaml: %s has type %s, which it cannot read", path, v.Type()))
	}
}

// checkWholeNumber accepts decimal whole numbers only: no hexadecimal, octal, signs in front or underscores.
func (d *decoder) checkWholeNumber(n *yaml.Node, path string) bool {
	digits := strings.TrimPrefix(n.Value, "-")
	decimal := digits != "" && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0')
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 || !decimal {
		d.reportProblem(n, path, "this is %s; write a whole number such as 3", nodeKindWord(n))
		return false
	}
	return true
}

func (d *decoder) decodeText(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.reportProblem(n, path, "this is %s; write text", nodeKindWord(n))
		return
	}
	if n.Tag != "!!str" {
		d.reportProblem(n, path, "this is %s; write it in quotes if text is meant: %q", nodeKindWord(n),
			n.Value)
		return
	}
	text := n.Value
	if other, ok := v.Interface().(Respelled); ok {
		text = other.Respell(text)
	}
	if set, ok := v.Interface().(OneOf); ok && !slices.Contains(set.OneOf(), text) {
		d.reportProblem(n, path, "unknown value %q; %s", shorten(n.Value),
			SpellingAdvice(n.Value, set.OneOf()))
		return
	}
	v.SetString(text)
}

// MaxDuration is the longest duration that a file can hold.
const MaxDuration = 1000 * time.Hour

func (d *decoder) decodeDuration(n *yaml.Node, v reflect.Value, path string) {
	if !d.checkScalar(n, path, "a duration such as 10s or 250ms") {
		return
	}
	value, err := ParseDuration(n.Value)
	if err != nil {
		d.reportProblem(n, path, "%s", err)
		return
	}
	v.SetInt(int64(value))
}

// DurationPattern is a regular expression for what [ParseDuration] reads, in the dialect that
// Go and JSON Schema share.
const DurationPattern = `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`

var durationPattern = regexp.MustCompile(DurationPattern)

// ParseDuration reads a duration with its unit, such as 250ms, 10s or 1m30s.
func ParseDuration(text string) (time.Duration, error) {
	if text != "" && strings.Trim(text, "-0123456789.") == "" {
		return 0, fmt.Errorf("%q has no unit; write %ss, %sms or %sm", text, text, text, text)
	}
	if !durationPattern.MatchString(text) {
		return 0, fmt.Errorf("%q is no duration; write one such as 250ms, 10s or 1m30s", shorten(text))
	}
	value, err := time.ParseDuration(text)
	if err != nil || value > MaxDuration || value < -MaxDuration {
		return 0, fmt.Errorf("%q is longer than %s; write less", shorten(text), FormatDuration(MaxDuration))
	}
	return value, nil
}

func (d *decoder) decodeList(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.reportProblem(n, path, "this is %s; write a list such as [%s]", nodeKindWord(n), listExample(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decodeValue(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func listExample(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Value != "" && len(n.Value) <= maxShown {
		return n.Value
	}
	return "…"
}

func (d *decoder) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.reportProblem(n, path, "this is %s; write a mapping such as {key: value}", nodeKindWord(n))
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("strictyaml: %s has type %s, whose keys are no texts", path, v.Type()))
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		item := reflect.New(v.Type().Elem()).Elem()
		d.decodeValue(n.Content[i+1], item, joinPaths(path, key))
		out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func (d *decoder) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	fields := Fields(v.Type())
	if n.Kind != yaml.MappingNode {
		d.reportProblem(n, path, "this is %s; write a mapping with %s", nodeKindWord(n),
			strings.Join(fieldNames(fields), ", "))
		return
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Name == key.Value })
		if at < 0 {
			d.reportProblem(key, path, "unknown key %q; %s", shorten(key.Value),
				SpellingAdvice(key.Value, fieldNames(fields)))
			continue
		}
		given[key.Value] = true
		d.decodeValue(value, v.Field(fields[at].Index), joinPaths(path, key.Value))
	}
	for _, f := range fields {
		if f.Required && !given[f.Name] {
			d.reportProblem(n, path, "%s is missing; add \"%s: …\"", f.Name, f.Name)
		}
	}
}

// Field is a field of a struct as files know it.
type Field struct {
	Name     string
	Index    int
	Required bool
	Flow     bool
}

// Fields lists what files may give for a struct type, in the order of the struct.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "-" || !t.Field(i).IsExported() {
			continue
		}
		if name == "" {
			panic(fmt.Sprintf("strictyaml: field %s of %s has no yaml tag", t.Field(i).Name, t))
		}
		opts := strings.Split(options, ",")
		fields = append(fields, Field{Name: name, Index: i,
			Required: !slices.Contains(opts, "omitempty"), Flow: slices.Contains(opts, "flow")})
	}
	return fields
}

func fieldNames(fields []Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

// SpellingAdvice returns advice which of the known words to write instead of an unknown one.
func SpellingAdvice(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "write one of " + strings.Join(known, ", ")
}

// Nearest returns the known word that a mistyped one most likely stands for; "" when none is
// near.
func Nearest(word string, known []string) string {
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	best, least := "", max(1, min(len(word), maxShown)/3)+1
	for _, k := range known {
		if dist := editDistance(word, strings.ReplaceAll(k, "-", "_")); dist < least {
			best, least = k, dist
		}
	}
	return best
}

// editDistance counts the letters to insert, delete, replace or swap to get from a to b.
func editDistance(a, b string) int {
	if len(a) > 2*maxShown || len(b) > 2*maxShown {
		return math.MaxInt32
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
