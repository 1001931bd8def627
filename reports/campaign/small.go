package campaign

import (
	"cmp"
	"fmt"
)

// Small is what is left of a failed run, once it was made small.
type Small struct {
	// File is the smaller scenario, Seed the one with which it fails.
	File       string `json:"file"`
	Seed       uint64 `json:"seed"`
	Faults     int    `json:"faults"`
	Operations int    `json:"operations"`
	Machines   int    `json:"machines"`
	Reproduce  string `json:"reproduce,omitempty"`
}

// String is the size in words.
func (s *Small) String() string {
	return fmt.Sprintf("%s, %s, %s", counted(s.Faults, "fault"), counted(s.Operations, "operation"),
		counted(s.Machines, "machine"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// addSmall notes that a failed run was made small. Of several ones of a group the smallest is kept.
func (s *Summary) addSmall(o *Outcome) {
	key := o.Group()
	if have := s.smallOf[key]; have == nil || compareSmall(o.Small, have) < 0 {
		s.smallOf[key] = o.Small
	}
}

func compareSmall(a, b *Small) int {
	return cmp.Or(cmp.Compare(a.Faults+a.Operations+a.Machines, b.Faults+b.Operations+b.Machines),
		cmp.Compare(a.File, b.File), cmp.Compare(a.Seed, b.Seed))
}
