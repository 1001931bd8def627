package fence

// Started is emitted when the fencing of a node starts.
type Started struct {
	Node    string   `json:"node"`
	Version uint64   `json:"version"`
	Devices []string `json:"devices"`
}

// Attempt is the result of one attempt with one device. Number 0 is a device that was not called, because it
// proves nothing; the reason explains why.
type Attempt struct {
	Node   string `json:"node"`
	Device string `json:"device"`
	Number int    `json:"number"` // from 1
	Of     int    `json:"of,omitempty"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
	TookMS int64  `json:"took_ms"`
}

// Ended is the result of the fencing of a node. If it is OK, what ran on the node at the time of the
// version is gone.
type Ended struct {
	Node    string `json:"node"`
	Version uint64 `json:"version"`
	OK      bool   `json:"ok"`
	Device  string `json:"device,omitempty"`
	Reason  string `json:"reason,omitempty"`
	TookMS  int64  `json:"took_ms"`
}

// RecordKind implements env.Record.
func (Started) RecordKind() string { return "fence-started" }

// RecordKind implements env.Record.
func (Attempt) RecordKind() string { return "fence-attempt" }

// RecordKind implements env.Record.
func (Ended) RecordKind() string { return "fence-ended" }
