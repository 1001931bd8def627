package fullstack

import "github.com/holdfast-sim/holdfast/engine/ha/conformance"

// Rule is a difference that a real cluster may show on T1.
type Rule struct {
	Name string `json:"name"`
	// Why says what may differ and for what reason.
	Why string `json:"why"`
	// apply takes what may differ out of transitions, on both sides alike.
	apply func(conformance.Transitions) conformance.Transitions
}

// Rules are applied in this order, as long as differences remain.
var Rules = []Rule{}
