package hacheck

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/check"
	"github.com/holdfast-sim/holdfast/scenarios/pve/haspec"
)

// request is what a client requested of a service, and what became of it.
type request struct {
	haspec.Request
	id             string
	check.Span     // from call to answer; To is Forever without one
	outcome        history.Type
	changeRevision uint64
}

// requestsOf returns the requests in a history in the order in which the store applied them. Requests that
// failed or whose outcome is unknown are placed by the time of their call.
func requestsOf(events []history.Event) []request {
	var list []request
	open := map[int]int{}
	for i := range events {
		e := &events[i]
		if !haspec.IsRequest(e.F) {
			continue
		}
		if e.Type == history.Invoke {
			open[e.Process] = len(list)
			list = append(list, request{Request: haspec.Request{Kind: e.F, SID: e.Key, Node: eventText(e)},
				id:      e.ID,
				outcome: history.Info, Span: check.Span{From: time.Duration(e.Time), To: check.Forever}})
			continue
		}
		r := &list[open[e.Process]]
		r.outcome, r.changeRevision = e.Type, e.Rev
		if e.Type != history.Info {
			r.To = time.Duration(e.Time)
		}
	}
	return inRevisionOrder(list)
}

// inRevisionOrder sorts requests by their revisions, and puts those without one where they were made.
func inRevisionOrder(list []request) []request {
	var done, rest []request
	for _, r := range list {
		if r.outcome == history.OK {
			done = append(done, r)
		} else {
			rest = append(rest, r)
		}
	}
	slices.SortStableFunc(done, func(a,
		b request) int {
		return int(int64(a.changeRevision) - int64(b.changeRevision))
	})
	out := make([]request, 0, len(list))
	for _, r := range done {
		for len(rest) > 0 && rest[0].From <= r.From {
			out, rest = append(out, rest[0]), rest[1:]
		}
		out = append(out, r)
	}
	return append(out, rest...)
}

// eventText is the text that an event carries.
func eventText(e *history.Event) string { return strings.Trim(string(e.Value), `"`) }
