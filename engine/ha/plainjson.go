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
	text string
	at   int
	odd  bool
}

// done reports whether the whole text was read and accepted.
func (p *plainJSON) done() bool { return !p.odd && p.at == len(p.text) }

// next consumes the character c if it is the next one, and reports whether it was.
func (p *plainJSON) next(c byte) bool {
	if p.odd || p.at >= len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

// expect consumes the character c, and rejects the text if it is not the next one.
func (p *plainJSON) expect(c byte) {
	if !p.next(c) {
		p.odd = true
	}
}

// string reads a string of printable ASCII.
func (p *plainJSON) string() string {
	p.expect('"')
	if p.odd {
		return ""
	}
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			s := p.text[p.at:i]
			p.at = i + 1
			return s
		case c < ' ' || c > '~' || c == '\\':
			p.odd = true
			return ""
		}
	}
	p.odd = true
	return ""
}

// maxPlainDigits bounds the digits of a number, so that every integer type used here can hold it.
const maxPlainDigits = 18

// int reads an integer without sign.
func (p *plainJSON) int() int64 {
	from := p.at
	for !p.odd && p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	digits := p.text[from:p.at]
	if digits == "" || len(digits) > maxPlainDigits || digits[0] == '0' && len(digits) > 1 {
		p.odd = true
		return 0
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	p.odd = p.odd || err != nil
	return v
}

// strings reads a list of at least one string.
func (p *plainJSON) strings() (list []string) {
	p.expect('[')
	for !p.odd {
		list = append(list, p.string())
		if p.next(']') {
			return list
		}
		p.expect(',')
	}
	return nil
}

// object reads an object and calls member with each name; member reads the value. The caller detects
// names that occur twice.
func (p *plainJSON) object(member func(name string)) {
	p.expect('{')
	if p.next('}') {
		return
	}
	for !p.odd {
		name := p.string()
		p.expect(':')
		if p.odd {
			return
		}
		member(name)
		if p.next('}') {
			return
		}
		p.expect(',')
	}
}

// markSeen records that the member of a struct with this number was read, and rejects a second occurrence.
func (p *plainJSON) markSeen(seen *uint32, member int) {
	if *seen&(1<<member) != 0 {
		p.odd = true
	}
	*seen |= 1 << member
}

// plainManagerStatus reads a manager status in the form that [ManagerStatus.Encode] writes, and returns
// nil for any other form. It does not validate values.
func plainManagerStatus(data []byte) *ManagerStatus {
	p := &plainJSON{text: string(data)}
	m := NewManagerStatus()
	var seen uint32
	p.object(func(name string) {
		switch name {
		case "master_node":
			p.markSeen(&seen, 0)
			m.MasterNode = p.string()
		case "timestamp":
			p.markSeen(&seen, 1)
			m.Timestamp = p.int()
		case "node_status":
			p.markSeen(&seen, 2)
			p.object(func(node string) { m.NodeStatus[node] = NodeState(p.string()) })
		case "service_status":
			p.markSeen(&seen, 3)
			p.services(m)
		case "node_request":
			p.markSeen(&seen, 4)
			p.object(func(node string) { m.NodeRequest[node] = p.nodeRequest() })
		default: // a disarmed cluster can afford encoding/json
			p.odd = true
		}
	})
	if !p.done() {
		return nil
	}
	return m
}

// serviceBytes is the approximate length in bytes of one service's status.
const serviceBytes = 96

func (p *plainJSON) services(m *ManagerStatus) {
	m.ServiceStatus = make(map[string]*ServiceStatus, (len(p.text)-p.at)/serviceBytes)
	count := 0
	p.object(func(sid string) {
		m.ServiceStatus[sid] = p.service()
		count++
	})
	p.odd = p.odd || len(m.ServiceStatus) != count // a service occurs twice
}

func (p *plainJSON) nodeRequest() (r NodeRequest) {
	var seen uint32
	p.object(func(name string) {
		p.markSeen(&seen, 0)
		if name != "maintenance" {
			p.odd = true
			return
		}
		r.Maintenance = Int(p.int())
	})
	return r
}

func (p *plainJSON) service() *ServiceStatus {
	s := &ServiceStatus{}
	var seen uint32
	p.object(func(name string) {
		switch name {
		case "state":
			p.markSeen(&seen, 0)
			s.State = ServiceState(p.string())
		case "node":
			p.markSeen(&seen, 1)
			s.Node = p.string()
		case "uid":
			p.markSeen(&seen, 2)
			s.UID = p.string()
		case "target":
			p.markSeen(&seen, 3)
			s.Target = p.string()
		case "cmd":
			p.markSeen(&seen, 4)
			s.Cmd = p.strings()
		case "failed_nodes":
			p.markSeen(&seen, 5)
			s.FailedNodes = p.strings()
		case "maintenance_node":
			p.markSeen(&seen, 6)
			s.MaintenanceNode = p.string()
		case "running":
			p.markSeen(&seen, 7)
			s.Running = Int(p.int())
		case "unguarded":
			p.markSeen(&seen, 8)
			s.Unprotected = Int(p.int())
		case "timeout":
			p.markSeen(&seen, 9)
			timeout := Int(p.int())
			s.TimeoutSeconds = &timeout
		default:
			p.odd = true
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
	p.object(func(name string) {
		switch name {
		case "state":
			p.markSeen(&seen, 0)
			s.State = LRMState(p.string())
		case "mode":
			p.markSeen(&seen, 1)
			s.Mode = Mode(p.string())
		case "timestamp":
			p.markSeen(&seen, 2)
			s.Timestamp = p.int()
		case "results":
			p.markSeen(&seen, 3)
			p.object(func(uid string) { s.Results[uid] = p.result() })
		case "begun":
			p.markSeen(&seen, 4)
			s.StartedMoves = map[string]string{}
			p.object(func(uid string) { s.StartedMoves[uid] = p.string() })
		default:
			p.odd = true
		}
	})
	if !p.done() {
		return nil
	}
	return s
}

func (p *plainJSON) result() (r LRMResult) {
	var seen uint32
	p.object(func(name string) {
		switch name {
		case "sid":
			p.markSeen(&seen, 0)
			r.SID = p.string()
		case "state":
			p.markSeen(&seen, 1)
			r.State = ServiceState(p.string())
		case "exit_code":
			p.markSeen(&seen, 2)
			code := p.int()
			p.odd = p.odd || code > math.MaxInt32
			r.ExitCode = ExitCode(code)
		default:
			p.odd = true
		}
	})
	return r
}
