package formats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/internal/jsonvalues"
)

// headBytes is how much of a file decides about its format.
const headBytes = 64 << 10

// detect finds the format by the first bytes: a brace or bracket before a quoted name is JSON, of which the
// members of the first object tell whose it is; any other bracket, a tag or a comment is EDN; the rest is
// lines, and their first operation decides the kind of log.
func detect(in io.Reader) (Format, error) {
	head := make([]byte, headBytes)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("reading history: %w", err)
	}
	head = bytes.TrimPrefix(head[:n], []byte(byteOrderMark))
	switch {
	case looksJSON(head):
		return jsonFormat(head), nil
	case looksEDN(head):
		return JepsenEDN, nil
	}
	return JepsenLog, nil
}

const blanks = " \t\r\n,"

// looksJSON reports whether text begins with an object of JSON, an array of them, or nothing at all.
func looksJSON(head []byte) bool {
	rest := bytes.Trim(head, blanks)
	if len(rest) == 0 || string(rest) == "[]" || bytes.Trim(rest, "\x00") == nil {
		return true
	}
	rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte("[")), blanks)
	if !bytes.HasPrefix(rest, []byte("{")) {
		return false
	}
	rest = bytes.TrimLeft(rest[1:], blanks)
	if len(rest) == 0 || rest[0] == '}' {
		return true
	}
	if rest[0] != '"' {
		return false
	}
	end := bytes.IndexByte(rest[1:], '"')
	if end < 0 {
		return true
	}
	after := bytes.TrimLeft(rest[end+2:], " \t\r\n")
	return len(after) == 0 || after[0] == ':' && !bytes.HasPrefix(after, []byte(":invoke"))
}

// looksEDN reports whether text begins as a collection, a tag or a comment of EDN does.
func looksEDN(head []byte) bool {
	rest := bytes.TrimLeft(head, blanks)
	if len(rest) == 0 {
		return false
	}
	switch rest[0] {
	case '{', '(', '#', ';':
		return true
	case '[':
		// A line of a log may begin with the thread in brackets.
		rest = bytes.TrimLeft(rest[1:], blanks)
		return len(rest) == 0 || strings.IndexByte("{([#;:]", rest[0]) >= 0
	}
	return false
}

// ownNames are members that only Holdfast's files have, and etcdNames those of porcupine's operations.
var (
	ownNames  = []string{"i", "t", "p", "k", "v", "format"}
	etcdNames = []string{"clientid", "input", "call"}
)

// jsonFormat finds the tool that wrote JSON by the members of the first object.
func jsonFormat(head []byte) Format {
	raw, _, err := jsonvalues.NewReader(bytes.NewReader(head)).Next()
	names := make(map[string]bool)
	if err == nil {
		var object map[string]json.RawMessage
		_ = json.Unmarshal(raw, &object) // what is no object has no names
		for name := range object {
			names[name] = true
			names[strings.ToLower(name)] = true
		}
	}
	switch {
	case err != nil && !bytes.Contains(head, []byte(`"type"`)) && bytes.Contains(head, []byte(`"ClientId"`)):
		return Etcd
	case hasAny(names, etcdNames) && !names["type"]:
		return Etcd
	case hasAny(names, ownNames) || err != nil && !bytes.Contains(head, []byte(`"process"`)):
		return Own
	}
	return JepsenJSON
}

func hasAny(names map[string]bool, wanted []string) bool {
	for _, name := range wanted {
		if names[name] {
			return true
		}
	}
	return false
}
