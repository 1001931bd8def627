package lock

// Taken says that a process has become the holder of a lock.
type Taken struct {
	Lock    string `json:"lock"`
	By      string `json:"by"` // machine/process
	Version uint64 `json:"version"`
}

// TakenAway says that a process removed a lock that its holder had not renewed.
type TakenAway struct {
	Lock    string `json:"lock"`
	From    string `json:"from"`
	By      string `json:"by"`
	Version uint64 `json:"version"`
	AgeMS   int64  `json:"age_ms"` // by the monotonic clock of the one who took it
}

// GivenBack says that a holder has removed its own lock.
type GivenBack struct {
	Lock    string `json:"lock"`
	By      string `json:"by"`
	Version uint64 `json:"version"`
}

// RecordKind implements env.Record.
func (Taken) RecordKind() string { return "lock-taken" }

// RecordKind implements env.Record.
func (TakenAway) RecordKind() string { return "lock-taken-away" }

// RecordKind implements env.Record.
func (GivenBack) RecordKind() string { return "lock-given-back" }
