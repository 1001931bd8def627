package lock

// Taken records that a process has become the holder of a lock.
type Taken struct {
	Lock    string `json:"lock"`
	By      string `json:"by"` // machine/process
	Version uint64 `json:"version"`
}

// TakenOver records that a process removed a lock that its holder had not renewed.
type TakenOver struct {
	Lock    string `json:"lock"`
	From    string `json:"from"`
	By      string `json:"by"`
	Version uint64 `json:"version"`
	AgeMS   int64  `json:"age_ms"` // by the monotonic clock of the process that took it
}

// Released records that a holder has removed its own lock.
type Released struct {
	Lock    string `json:"lock"`
	By      string `json:"by"`
	Version uint64 `json:"version"`
}

// RecordKind implements env.Record.
func (Taken) RecordKind() string { return "lock-taken" }

// RecordKind implements env.Record.
func (TakenOver) RecordKind() string { return "lock-taken-over" }

// RecordKind implements env.Record.
func (Released) RecordKind() string { return "lock-released" }
