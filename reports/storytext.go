package reports

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// writeStoryText writes the subject's lanes, one after the other: what was so from when to when,
// and in between what happened at an instant.
func (v runFiles) writeStoryText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, n := range v.subjectTimeline.NotCarriedOut {
		if _, err := fmt.Fprintf(out, "%s\n", words.Clean(n.String())); err != nil {
			return err
		}
	}
	for i := range v.subjectTimeline.Lanes {
		lane := &v.subjectTimeline.Lanes[i]
		if len(lane.Spans) == 0 && len(lane.Marks) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s of %s\n", words.Clean(lane.Name),
			words.Clean(lane.Machine)); err != nil {
			return err
		}
		if err := writeLane(out, lane); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeLane(out io.Writer, lane *scenarios.Lane) error {
	marks := slices.Clone(lane.Marks)
	mark := func() error {
		_, err := fmt.Fprintf(out, "%s  %12s  ! %s\n", logTime(marks[0].At), "", words.Clean(marks[0].Text))
		marks = marks[1:]
		return err
	}
	for _, s := range lane.Spans {
		for len(marks) > 0 && marks[0].At < s.From {
			if err := mark(); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(out, "%s %s  %s\n", logTime(s.From), logTime(s.To),
			words.Clean(s.Text)); err != nil {
			return err
		}
	}
	for len(marks) > 0 {
		if err := mark(); err != nil {
			return err
		}
	}
	return nil
}
