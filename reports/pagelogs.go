package reports

import "time"

// logAround is how long before and after the operations of a violation log lines are shown first.
const logAround = 2 * time.Second

// violationTimes are the times around the operations that violations speak of.
func (v pageBuilder) violationTimes() (out [][2]time.Duration) {
	for i := range v.run.Verdicts {
		for j := range firstOf(v.run.Verdicts[i].Violations, maxPageViolations) {
			for k := range firstOf(v.run.Verdicts[i].Violations[j].Ops, maxPageOps) {
				op := &v.run.Verdicts[i].Violations[j].Ops[k]
				out = append(out, [2]time.Duration{time.Duration(op.Call) - logAround, v.endOfOp(op) +
					logAround})
			}
		}
	}
	return out
}
