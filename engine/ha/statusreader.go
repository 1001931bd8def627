package ha

import (
	"bytes"
	"encoding/json"
	"slices"
)

// StatusReader reads ha/manager_status again and again. What it returns is what
// [DecodeManagerStatus] returns for the same bytes; it only saves the work of reading the services
// whose text is the very text that it read before, which from one round to the next are nearly all.
// The zero value is ready.
type StatusReader struct {
	services []readService // in the order of the last text
	byName   map[string]*ServiceStatus
}

// readService is a service's member of the JSON object, and what it says.
type readService struct {
	member []byte // "name":{...}, without the comma
	name   string
	status *ServiceStatus
}

// Decode is [DecodeManagerStatus]. What it returns may be shared with what it returned before, so
// nobody may change it.
func (r *StatusReader) Decode(data []byte) (*ManagerStatus, error) {
	if status := r.quick(data); status != nil {
		return status, nil
	}
	return DecodeManagerStatus(data)
}

// statusKeys are the members of [ManagerStatus]. With any other one, or with one that is spelled
// otherwise or comes twice, a text is not read quickly.
var statusKeys = []string{"master_node", "timestamp", "node_status", servicesKey, "node_request", "disarm"}

const servicesKey = "service_status"

// quick reads what looks like [ManagerStatus.Encode]'s own form, and nil for everything else: the
// text around the services is decoded as it is, each service's by itself if it is new.
func (r *StatusReader) quick(data []byte) *ManagerStatus {
	if len(data) > maxStatusBytes {
		return nil
	}
	begin, read, end := r.scan(data)
	if end == 0 {
		return nil
	}
	rest := append(append(make([]byte, 0, begin+len(data)-end), data[:begin]...), data[end:]...)
	status, err := DecodeManagerStatus(rest)
	if err != nil {
		return nil
	}
	if !r.same(read) {
		r.byName = make(map[string]*ServiceStatus, len(read))
		for i := range read {
			r.byName[read[i].name] = read[i].status
		}
		if len(r.byName) != len(read) { // one comes twice
			r.services, r.byName = nil, nil
			return nil
		}
		r.services = read
	}
	status.ServiceStatus = r.byName
	return status
}

// scan goes through the members of the object that data is and reads the services, which lie from
// begin to end. End is 0 when there is anything unusual.
func (r *StatusReader) scan(data []byte) (begin int, read []readService, end int) {
	seen := map[string]bool{}
	for at := 0; at < len(data) && (at == 0 && data[0] == '{' || at > 0 && data[at] == ','); {
		key, next := plainKey(data[at+1:])
		if next < 0 || seen[key] || !slices.Contains(statusKeys, key) {
			return 0, nil, 0
		}
		seen[key] = true
		at += 1 + next
		if key == servicesKey {
			if at+1 >= len(data) || data[at] != '{' {
				return 0, nil, 0
			}
			begin = at + 1
			var ok bool
			if read, end, ok = r.readServices(data, begin); !ok {
				return 0, nil, 0
			}
			at = end + 1
		} else if at = valueEnd(data, at); at < 0 {
			return 0, nil, 0
		}
	}
	return begin, read, end
}

// same says whether nothing was read anew.
func (r *StatusReader) same(read []readService) bool {
	if r.byName == nil || len(read) != len(r.services) {
		return false
	}
	for i := range read {
		if read[i].status != r.services[i].status {
			return false
		}
	}
	return true
}

// readServices reads the members of the object whose inside begins at data[at:]; end is where its
// closing brace is.
func (r *StatusReader) readServices(data []byte, at int) (read []readService, end int, ok bool) {
	read = make([]readService, 0, len(r.services)+1)
	known := r.services
	if data[at] == '}' {
		return read, at, true
	}
	for {
		next, size := r.readOne(data[at:], known)
		if next == nil {
			return nil, 0, false
		}
		if len(known) > 0 {
			known = known[1:]
		}
		read = append(read, *next)
		if at += size; at >= len(data) {
			return nil, 0, false
		}
		switch data[at] {
		case '}':
			return read, at, true
		case ',':
			at++
		default:
			return nil, 0, false
		}
	}
}

// readOne reads the member that text begins with. Known are the members of before from the one on
// that is expected here.
func (r *StatusReader) readOne(text []byte, known []readService) (one *readService, size int) {
	if len(known) > 0 && bytes.HasPrefix(text, known[0].member) {
		return &known[0], len(known[0].member)
	}
	name, at := plainKey(text)
	if at < 0 || at >= len(text) || text[at] != '{' {
		return nil, 0
	}
	length := objectLength(text[at:])
	if length < 0 {
		return nil, 0
	}
	member := text[:at+length]
	for i := range r.services {
		if bytes.Equal(r.services[i].member, member) {
			return &r.services[i], len(member)
		}
	}
	service := &ServiceStatus{}
	if json.Unmarshal(text[at:at+length], service) != nil || service.validate() != nil {
		return nil, 0
	}
	return &readService{member: bytes.Clone(member), name: name, status: service}, len(member)
}

// plainKey reads `"name":` without anything that JSON would have to unquote; next is what follows
// it, -1 when there is something else.
func plainKey(text []byte) (name string, next int) {
	if len(text) == 0 || text[0] != '"' {
		return "", -1
	}
	for i := 1; i+1 < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if text[i+1] != ':' {
				return "", -1
			}
			return string(text[1:i]), i + 2
		case c < ' ' || c > '~' || c == '\\':
			return "", -1
		}
	}
	return "", -1
}

// valueEnd is where the value that begins at data[at:] ends, -1 if it does not. It trusts that the
// value is one; whoever decodes it finds out.
func valueEnd(data []byte, at int) int {
	if at >= len(data) {
		return -1
	}
	switch data[at] {
	case '{':
		length := objectLength(data[at:])
		if length < 0 {
			return -1
		}
		return at + length
	case '"':
		length := stringLength(data[at:])
		if length < 0 {
			return -1
		}
		return at + length
	case '[':
		return -1 // there is none in a status
	}
	end := bytes.IndexAny(data[at:], ",}")
	if end < 0 {
		return -1
	}
	return at + end
}

// stringLength is how long the JSON string is that text begins with, -1 if it has no end.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// objectLength is how long the JSON object is that text begins with, -1 if it has no end.
func objectLength(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			length := stringLength(text[i:])
			if length < 0 {
				return -1
			}
			i += length - 1
		}
	}
	return -1
}
