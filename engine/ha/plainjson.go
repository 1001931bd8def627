package ha

import (
	"math"
	"strconv"
)

// plainJSON reads the JSON that this package itself writes, several times as fast as encoding/json.
// Every node reads status files in every round.
//
// It accepts JSON without white space, with known members, each at most once, and with strings without
// escapes. For any other input, malformed or only unusual, it sets odd, and the caller uses
// encoding/json instead. For an input that it accepts, it returns what encoding/json would return.
type plainJSON struct {
	text     string
	offset   int
	rejected bool
}

// isWhollyRead reports whether the whole text was read and accepted.
func (p *plainJSON) isWhollyRead() bool { return !p.rejected && p.offset == len(p.text) }

// consumeIfNext consumes the character c if it is the next one, and reports whether it was.
func (p *plainJSON) consumeIfNext(c byte) bool {
	if p.rejected || p.offset >= len(p.text) || p.text[p.offset] != c {
		return false
	}
	p.offset++
	return true
}

// expect consumes the character c, and rejects the text if it is not the next one.
func (p *plainJSON) expect(c byte) {
	if !p.consumeIfNext(c) {
		p.rejected = true
	}
}

// readString reads a string of printable ASCII.
func (p *plainJSON) readString() string {
	p.expect('"')
	if p.rejected {
		return ""
	}
	for i := p.offset; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			s := p.text[p.offset:i]
			p.offset = i + 1
			return s
		case c < ' ' || c > '~' || c == '\\':
			p.rejected = true
			return ""
		}
	}
	p.rejected = true
	return ""
}

// maxPlainDigits bounds the digits of a number, so that every integer type used here can hold it.
const maxPlainDigits = 18

// readInt reads an integer without sign.
func (p *plainJSON) readInt() int64 {
	from := p.offset
	for !p.rejected && p.offset < len(p.text) && p.text[p.offset] >= '0' && p.text[p.offset] <= '9' {
		p.offset++
	}
	digits := p.text[from:p.offset]
	if digits == "" || len(digits) > maxPlainDigits || digits[0] == '0' && len(digits) > 1 {
		p.rejected = true
		return 0
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	p.rejected = p.rejected || err != nil
	return v
}

// readStrings reads a list of at least one string.
func (p *plainJSON) readStrings() (list []string) {
	p.expect('[')
	for !p.rejected {
		list = append(list, p.readString())
		if p.consumeIfNext(']') {
			return list
		}
		p.expect(',')
	}
	return nil
}

// readObject reads an object and calls member with each name; member reads the value. The caller detects
// names that occur twice.
func (p *plainJSON) readObject(member func(name string)) {
	p.expect('{')
	if p.consumeIfNext('}') {
		return
	}
	for !p.rejected {
		name := p.readString()
		p.expect(':')
		if p.rejected {
			return
		}
		member(name)
		if p.consumeIfNext('}') {
			return
		}
		p.expect(',')
	}
}

// markSeen records that the member of a struct with this number was read, and rejects a second occurrence.
func (p *plainJSON) markSeen(seen *uint32, member int) {
	if *seen&(1<<member) != 0 {
		p.rejected = true
	}
	*seen |= 1 << member
}

// plainManagerStatus reads a manager status in the form that [ManagerStatus.Encode] writes, and returns
// nil for any other form. It does not validate values.
func plainManagerStatus(data []byte) *ManagerStatus {
	p := &plainJSON{text: string(data)}
	m := NewManagerStatus()
	var seen uint32
	p.readObject(func(name string) {
		switch name {
		case "master_node":
			p.markSeen(&seen, 0)
			m.MasterNode = p.readString()
		case "timestamp":
			p.markSeen(&seen, 1)
			m.Timestamp = p.readInt()
		case "node_status":
			p.markSeen(&seen, 2)
			p.readObject(func(node string) { m.NodeStatus[node] = NodeState(p.readString()) })
		case "service_status":
			p.markSeen(&seen, 3)
			p.readServices(m)
		case "node_request":
			p.markSeen(&seen, 4)
			p.readObject(func(node string) { m.NodeRequest[node] = p.readNodeRequest() })
		default: // a disarmed cluster can afford encoding/json
			p.rejected = true
		}
	})
	if !p.isWhollyRead() {
		return nil
	}
	return m
}

// serviceBytes is the approximate length in bytes of one service's status.
const serviceBytes = 96

func (p *plainJSON) readServices(m *ManagerStatus) {
	m.ServiceStatus = make(map[string]*ServiceStatus, (len(p.text)-p.offset)/serviceBytes)
	count := 0
	p.readObject(func(sid string) {
		m.ServiceStatus[sid] = p.readService()
		count++
	})
	p.rejected = p.rejected || len(m.ServiceStatus) != count // a service occurs twice
}

func (p *plainJSON) readNodeRequest() (r NodeRequest) {
	var seen uint32
	p.readObject(func(name string) {
		p.markSeen(&seen, 0)
		if name != "maintenance" {
			p.rejected = true
			return
		}
		r.Maintenance = Int(p.readInt())
	})
	return r
}

func (p *plainJSON) readService() *ServiceStatus {
	s := &ServiceStatus{}
	var seen uint32
	p.readObject(func(name string) {
		switch name {
		case "state":
			p.markSeen(&seen, 0)
			s.State = ServiceState(p.readString())
		case "node":
			p.markSeen(&seen, 1)
			s.Node = p.readString()
		case "uid":
			p.markSeen(&seen, 2)
			s.UID = p.readString()
		case "target":
			p.markSeen(&seen, 3)
			s.Target = p.readString()
		case "cmd":
			p.markSeen(&seen, 4)
			s.Cmd = p.readStrings()
		case "failed_nodes":
			p.markSeen(&seen, 5)
			s.FailedNodes = p.readStrings()
		case "maintenance_node":
			p.markSeen(&seen, 6)
			s.MaintenanceNode = p.readString()
		case "running":
			p.markSeen(&seen, 7)
			s.Running = Int(p.readInt())
		case "unguarded":
			p.markSeen(&seen, 8)
			s.Unprotected = Int(p.readInt())
		case "timeout":
			p.markSeen(&seen, 9)
			timeout := Int(p.readInt())
			s.TimeoutSeconds = &timeout
		default:
			p.rejected = true
		}
	})
	return s
}

// plainLRMStatus reads an LRM status in the form that [LRMStatus.Encode] writes, and returns nil for any
// other form.
func plainLRMStatus(data []byte) *LRMStatus {
	p := &plainJSON{text: string(data)}
	s := &LRMStatus{Results: map[string]LRMResult{}}
	var seen uint32
	p.readObject(func(name string) {
		switch name {
		case "state":
			p.markSeen(&seen, 0)
			s.State = LRMState(p.readString())
		case "mode":
			p.markSeen(&seen, 1)
			s.Mode = Mode(p.readString())
		case "timestamp":
			p.markSeen(&seen, 2)
			s.Timestamp = p.readInt()
		case "results":
			p.markSeen(&seen, 3)
			p.readObject(func(uid string) { s.Results[uid] = p.readResult() })
		case "begun":
			p.markSeen(&seen, 4)
			s.StartedMoves = map[string]string{}
			p.readObject(func(uid string) { s.StartedMoves[uid] = p.readString() })
		default:
			p.rejected = true
		}
	})
	if !p.isWhollyRead() {
		return nil
	}
	return s
}

func (p *plainJSON) readResult() (r LRMResult) {
	var seen uint32
	p.readObject(func(name string) {
		switch name {
		case "sid":
			p.markSeen(&seen, 0)
			r.SID = p.readString()
		case "state":
			p.markSeen(&seen, 1)
			r.State = ServiceState(p.readString())
		case "exit_code":
			p.markSeen(&seen, 2)
			code := p.readInt()
			p.rejected = p.rejected || code > math.MaxInt32
			r.ExitCode = ExitCode(code)
		default:
			p.rejected = true
		}
	})
	return r
}
