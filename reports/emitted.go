package reports

import (
	"bufio"
	"bytes"
	"fmt"
	"html/template"
	"os"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/emitted"
	"github.com/holdfast-sim/holdfast/reports/internal/words"
)

// eachRecord calls do with every record as a line of a records file.
func (v *view) eachRecord(do func(line []byte) error) error {
	if v.opts.recordsFile == "" {
		var line []byte
		for i := range v.run.Records {
			var err error
			if line, err = appendRecord(line[:0], &v.run.Records[i]); err != nil {
				return err
			}
			if err = do(line); err != nil {
				return err
			}
		}
		return nil
	}
	file, err := os.Open(v.opts.recordsFile)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := do(line); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// readEmitted makes messages of the records, and lanes for a subject that gives none itself. Records that
// cannot be read are mentioned; the rest of the page is shown all the same.
func (v *view) readEmitted() {
	run := v.emittedRun()
	found, err := emitted.ReadRecords(v.eachRecord, run)
	if err != nil {
		v.emittedProblem = "the records cannot be read: " + words.Clean(err.Error())
		return
	}
	v.emitted = found
	if !run.WithLanes {
		return
	}
	v.subjectTimeline.Lanes = found.Lanes
	for i := range found.Lanes {
		if lane := &found.Lanes[i]; lane.Name == MembershipLane {
			lane.Name += " records" // a summary counts the changes of the subject's own lane alone
		}
	}
}

func (v *view) emittedRun() *emitted.Run {
	run := &emitted.Run{End: v.endTime, Focus: v.focus(), WithLanes: len(v.subjectTimeline.Lanes) == 0,
		Name: func(machine int) string { return machineName(v.run, int32(machine)) }}
	if v.run.Scenario != nil {
		run.Machines = v.run.Scenario.Machines
	}
	return run
}

// focus is the time that a reader asks about first: that of the first violation, else of the first fault.
func (v *view) focus() time.Duration {
	if _, violation := firstViolation(v.run.Verdicts); violation != nil && len(violation.Ops) > 0 {
		return time.Duration(violation.Ops[0].Call)
	}
	focus := time.Duration(0)
	for i := range v.run.Applied {
		if at := v.run.Applied[i].Begun[0]; i == 0 || at < focus {
			focus = at
		}
	}
	return focus
}

// noteEmitted mentions the records that the timeline does not show.
func (t *timeline) noteEmitted(v *view) {
	if v.emittedProblem != "" {
		t.noteOmitted("%s", v.emittedProblem)
	}
	if len(v.emitted.Events) > 0 && len(v.emitted.Lanes) > 0 {
		t.noteOmitted("records without a lane, because their values change often: %s",
			words.Shorten(words.Clean(strings.Join(v.emitted.Events, ", ")), maxTextChars))
	}
}

// pageMessages are the messages for the page's script, and remarks on what is left out.
func (v pageBuilder) pageMessages() (data template.JS, remarks []string, err error) {
	run, e := v.emittedRun(), v.emitted
	if len(run.Machines) == 0 || len(e.Messages)+len(v.ops) == 0 {
		return "", nil, nil
	}
	if len(e.Messages)+e.More == 0 {
		remarks = append(remarks, "No record shows a message between machines, as one does whose member "+
			"from or to names a machine; only calls of clients are drawn.")
	}
	if e.More > 0 && len(e.Messages) > 0 {
		remarks = append(remarks, fmt.Sprintf("%s messages from %s to %s, and %s more in %s",
			words.GroupDigits(len(e.Messages)), words.Instant(e.Messages[0].At()),
			words.Instant(e.Messages[len(e.Messages)-1].At()), words.GroupDigits(e.More), RecordsFile))
	}
	if e.Cut > 0 {
		remarks = append(remarks, words.GroupDigits(e.Cut)+" records far from the first violation or fault "+
			"were not searched for messages")
	}
	if e.ToSelf > 0 {
		remarks = append(remarks, words.GroupDigits(e.ToSelf)+
			" messages of machines to themselves are not drawn")
	}
	text, err := e.JSON(run)
	return template.JS(text), remarks, err //nolint:gosec // the JSON escapes what ends a script
}
