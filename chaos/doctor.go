package chaos

// Capability is one thing that real nodes need or can use, and whether this machine has it.
type Capability struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Required means that nothing works without it.
	Required bool   `json:"required"`
	Detail   string `json:"detail"`
	// Remedy is what to do about it; empty when it is there.
	Remedy string `json:"remedy,omitempty"`
}
