package emitted

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/holdfast-sim/holdfast/reports/internal/words"
	"github.com/holdfast-sim/holdfast/scenarios"
)

// Limits of what is looked at and kept unless a [Run] has others.
const (
	maxRecords  = 100_000
	maxMessages = 20_000
)

// Lines calls do with every line of a records file.
type Lines func(do func(line []byte) error) error

// Run is what a run knows beside its records.
type Run struct {
	Machines []string
	End      time.Duration
	// Focus is the time that a reader asks about first.
	Focus time.Duration
	// MaxRecords and MaxMessages are how many records are searched for messages, and how many messages are
	// kept: those that are nearest to the focus. 0 stands for defaults.
	MaxRecords, MaxMessages int
	// WithLanes asks for lanes.
	WithLanes bool
	// Name returns a machine's name, also of one that is not in Machines.
	Name func(machine int) string
}

// View is what the records of a run show.
type View struct {
	Messages []Message
	// More is how many messages are left out, ToSelf how many machines sent to themselves, Cut how many
	// records were not searched for messages.
	More, ToSelf, Cut int
	Lanes             []scenarios.Lane
	// Events are the kinds of records without a lane.
	Events []string
}

// ReadRecords reads the records of a run, in the order of time.
func ReadRecords(lines Lines, run *Run) (*View, error) {
	within, err := windowOf(lines, run)
	if err != nil {
		return nil, err
	}
	v, lanes, messages := &View{}, &Lanes{}, NewMessages(run.Machines)
	err = lines(func(line []byte) error {
		at, err := At(line)
		near := at >= within[0] && at <= within[1]
		if !near {
			v.Cut++
		}
		if err != nil || !near && !run.WithLanes {
			return err
		}
		r, err := Decode(line)
		if err != nil {
			return err
		}
		if run.WithLanes {
			lanes.Add(&r)
		}
		if near {
			messages.Add(&r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.Lanes, v.Events = lanes.Finish(run.End, run.Name)
	v.ToSelf = messages.ToSelf
	v.keep(messages.List(), run.Focus, cmp.Or(run.MaxMessages, maxMessages))
	return v, nil
}

// windowOf returns the longest time around the focus that has no more records than are looked at.
func windowOf(lines Lines, run *Run) (within [2]time.Duration, err error) {
	const buckets = 4096
	var counts [buckets]int
	size := run.End/buckets + 1
	err = lines(func(line []byte) error {
		at, err := At(line)
		counts[min(max(0, int(at/size)), buckets-1)]++
		return err
	})
	low := min(max(0, int(run.Focus/size)), buckets-1)
	high, sum := low, counts[low]
	for low > 0 || high < buckets-1 {
		before, after := max(0, low-1), min(buckets-1, high+1)
		if before < low {
			sum += counts[before]
		}
		if after > high {
			sum += counts[after]
		}
		if sum > cmp.Or(run.MaxRecords, maxRecords) {
			return [2]time.Duration{time.Duration(low) * size, time.Duration(high+1)*size - 1}, err
		}
		low, high = before, after
	}
	return [2]time.Duration{-1 << 62, 1 << 62}, err
}

// keep keeps the messages that are nearest to the focus.
func (v *View) keep(all []Message, focus time.Duration, most int) {
	from, to := 0, len(all)
	for to-from > most {
		if focus-all[from].At() > all[to-1].At()-focus {
			from++
		} else {
			to--
		}
	}
	v.Messages, v.More = slices.Clone(all[from:to]), len(all)-(to-from)
}

// columns are messages for the script of a page: one column for each property, and lists of the texts that
// repeat.
type columns struct {
	Machines  []string        `json:"machines"`
	Processes texts           `json:"processes"`
	Kinds     texts           `json:"kinds"`
	Texts     texts           `json:"texts"`
	From      []int           `json:"from"`
	To        []int           `json:"to"`
	Process   []int           `json:"process"`
	Kind      []int           `json:"kind"`
	Text      []int           `json:"text"`
	Sent      []time.Duration `json:"sent"` // ns; -1 for unknown
	Received  []time.Duration `json:"received"`
	Focus     time.Duration   `json:"focus"`
}

// texts is a list without repetition.
type texts struct {
	list  []string
	index map[string]int
}

// MarshalJSON implements json.Marshaler.
func (t texts) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, t.list...)) }

func (t *texts) place(text string) int {
	at, known := t.index[text]
	if !known {
		if t.index == nil {
			t.index = map[string]int{}
		}
		at = len(t.list)
		t.index[text], t.list = at, append(t.list, text)
	}
	return at
}

// JSON returns the messages for the script of a page.
func (v *View) JSON(run *Run) ([]byte, error) {
	n := len(v.Messages)
	c := columns{From: make([]int, n), To: make([]int, n), Process: make([]int, n), Kind: make([]int, n),
		Text: make([]int, n), Sent: make([]time.Duration, n), Received: make([]time.Duration, n),
		Focus: run.Focus}
	short := func(text string) string { return words.Shorten(words.Clean(text), words.MaxValueChars) }
	for i := range run.Machines {
		c.Machines = append(c.Machines, words.Clean(run.Machines[i]))
	}
	for i := range v.Messages {
		m := &v.Messages[i]
		c.From[i], c.To[i], c.Sent[i], c.Received[i] = m.From, m.To, m.Sent, m.Received
		c.Process[i], c.Kind[i] = c.Processes.place(short(m.Process)), c.Kinds.place(short(m.Kind))
		c.Text[i] = c.Texts.place(m.Text)
	}
	return json.Marshal(c)
}
