// Package svg draws what happened during a run as one picture: rows of spans, bars and points over a
// common time axis, with shaded windows across all of them.
//
// The picture stands alone as a file, or inside a page whose script moves its parts when the reader
// zooms. Package svg knows nothing of runs, escapes every text that it is given, and computes with
// whole numbers only, so that equal charts are equal bytes everywhere.
package svg

import (
	"strings"
	"time"
)

// Chart is a picture. Times are since the run began.
type Chart struct {
	// Name distinguishes the charts of one page: letters, digits and dashes; "" for one of them.
	Name        string
	Title       string
	Description string
	From, To    time.Duration
	Width       int // in pixels; 0 for DefaultWidth
	Windows     []Window
	Marks       []Mark
	Groups      []Group
}

// Limits of a chart, in pixels.
const (
	DefaultWidth = 1160
	MinWidth     = 320
	MaxWidth     = 10_000
)

// Window is a time that is shaded across all rows.
type Window struct {
	From, To time.Duration
	Tip      string
}

// Mark is an instant that is drawn across all rows.
type Mark struct {
	At    time.Duration
	Label string
	Class Class
}

// Group is a block of rows under a heading.
type Group struct {
	Title string
	Rows  []Row
}

// Row is one line of the picture.
type Row struct {
	// ID names the row within the chart, for a script that draws it anew: letters, digits and dashes.
	ID     string
	Label  string
	Tip    string
	Height int // in pixels; 0 for DefaultRowHeight
	Ticks  []Tick
	Items  []Item
}

// DefaultRowHeight is the height of a row in pixels.
const DefaultRowHeight = 18

// Tick is a labelled height in a row.
type Tick struct {
	Level int // of Full
	Label string
}

// Full is the height of a row in the unit of levels.
const Full = 1000

// Shape is how an item is drawn.
type Shape uint8

const (
	// Block fills the time from From to To and shows its text where it fits.
	Block Shape = iota
	// Bar is a block without text that stays visible however short it is.
	Bar
	// Point is a dot at From and the height Low.
	Point
)

// Item is something with a place in time.
type Item struct {
	From, To time.Duration
	Shape    Shape
	Class    Class
	// Low and High are the vertical extent in levels; both 0 means the whole row.
	Low, High int
	Text      string
	// Tip is what a reader sees when pointing at the item; lines are separated by line ends.
	Tip string
	// ID names the item within the chart so that others can refer to it: letters, digits and
	// dashes. A point with the ID of a bar shows that bar's tip.
	ID string
	// Spill lets the text of a block that is too short for it stand after the block, if there is
	// room before the next item of the row. Items of such a row are in order of time.
	Spill bool
	// Alert draws attention to the item.
	Alert bool
}

// Class is the meaning of a colour.
type Class string

// The classes.
const (
	OK      Class = "ok"
	Fail    Class = "fail"
	Info    Class = "info"
	Good    Class = "good"
	Bad     Class = "bad"
	Warn    Class = "warn"
	Idle    Class = "idle"
	Fault   Class = "fault"
	Problem Class = "problem"
	Phase   Class = "phase"
	Alert   Class = "alert"
)

// tonePrefix begins the classes of values without a meaning of their own: tone-0 to tone-5.
const tonePrefix = "tone-"

// orIdle returns the class, or Idle when there is none of this name: classes may come from
// elsewhere.
func (c Class) orIdle() Class {
	switch c {
	case OK, Fail, Info, Good, Bad, Warn, Idle, Fault, Problem, Phase, Alert:
		return c
	}
	tone, ok := strings.CutPrefix(string(c), tonePrefix)
	if ok && len(tone) == 1 && tone >= "0" && tone <= "5" {
		return c
	}
	return Idle
}
