// Package survivors looks for machines that together can continue: they have enough votes, and all reach each
// other.
//
// Package survivors never decides what a fault does to a machine.
package survivors

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// maxBranches limits the search. Real schedules need a handful of branches.
const maxBranches = 1 << 14

// Exist reports whether some of the machines have the needed votes and all reach each other in both
// directions. votes are those of each machine. It returns false when the search takes too many steps.
func Exist(machines []env.MachineID, votes []uint32, needed uint32,
	reaches func(from, to env.MachineID) bool) bool {
	s := search{votes: votes, neededVotes: needed, reaches: reaches, branchesLeft: maxBranches}
	return s.among(machines)
}

// search is one search under way.
type search struct {
	votes        []uint32
	neededVotes  uint32
	reaches      func(from, to env.MachineID) bool
	branchesLeft int
}

// among looks among these: of two that do not reach each other, one must go.
func (s *search) among(machines []env.MachineID) bool {
	var votes uint32
	for _, m := range machines {
		votes += s.votes[m]
	}
	if votes < s.neededVotes || s.branchesLeft == 0 {
		return false
	}
	s.branchesLeft--
	for i, a := range machines {
		for j, b := range machines[:i] {
			if s.reaches(a, b) && s.reaches(b, a) {
				continue
			}
			return s.among(slices.Delete(slices.Clone(machines), i, i+1)) ||
				s.among(slices.Delete(slices.Clone(machines), j, j+1))
		}
	}
	return true
}
