package store

import (
	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/internal/quickjson"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// quickRequest reads a request as Encode writes most; false if it is in any other form, valid or not.
func quickRequest(data []byte) (*Request, bool) {
	q, r := quickjson.New(data), &Request{}
	q.Begin()
	if q.Member("id") {
		r.ID = q.Text()
	}
	if q.Member("op") {
		r.Op = q.Text()
	}
	if q.Member("path") {
		r.Path = q.Text()
	}
	if q.Member("to") {
		r.To = q.Text()
	}
	if q.Member("data") {
		r.Data = q.Bytes()
	}
	if q.Member("expect") {
		r.Expect = q.Uint()
	}
	if q.Member("local") {
		r.Local = q.True()
	}
	if q.Member("retry") {
		r.Retry = q.True()
	}
	if q.Member("since") {
		r.Since = q.Uint()
	}
	q.End()
	return r, q.Done()
}

// quickResponse reads a response to a change or a read as Encode writes most; false if it is in any other
// form, valid or not.
func quickResponse(data []byte) (*Response, bool) {
	q, r := quickjson.New(data), &Response{}
	q.Begin()
	if q.Member("id") {
		r.ID = q.Text()
	}
	if q.Member("ok") {
		r.OK = q.Bool()
	}
	if q.Member("code") {
		r.Code = tree.Code(q.Text())
	}
	if q.Member("message") {
		r.Message = q.Text()
	}
	if q.Member("revision") {
		r.Revision = q.Uint()
	}
	if q.Member("actual") {
		r.Actual = q.Uint()
	}
	if q.Member("remembered") {
		r.Remembered = q.True()
	}
	if q.Member("entry") {
		r.Entry = quickEntry(&q)
	}
	q.End()
	return r, q.Done()
}

func quickEntry(q *quickjson.Reader) *EntryInfo {
	e := &EntryInfo{}
	q.Begin()
	if q.Member("path") {
		e.Path = q.Text()
	}
	if q.Member("kind") {
		e.Kind = q.Text()
	}
	if q.Member("size") {
		e.Size = int(q.Int(32))
	}
	if q.Member("created") {
		e.Created = q.Uint()
	}
	if q.Member("mod") {
		e.Mod = q.Uint()
	}
	if q.Member("writer") {
		e.Writer = ring.NodeID(q.Int(32))
	}
	if q.Member("mtime_ms") {
		e.MtimeMS = q.Int(64)
	}
	if q.Member("data") {
		e.Data = q.Bytes()
	}
	q.End()
	return e
}
