package fence

// Started says that the fencing of a node has begun.
type Started struct {
	Node    string   `json:"node"`
	Version uint64   `json:"version"`
	Devices []string `json:"devices"`
}

// Attempt says what came of one attempt of one device.
type Attempt struct {
	Node   string `json:"node"`
	Device string `json:"device"`
	Number int    `json:"number"` // from 1
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
	TookMS int64  `json:"took_ms"`
}

// Ended says what came of the fencing of a node. When it is OK, what ran on the node at the time of
// the version is gone.
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
