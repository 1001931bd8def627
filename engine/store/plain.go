package store

import (
	"math"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/internal/plainjson"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Requests, and answers about the tree, are read and written without encoding/json if they are plain. What
// they mean, and every byte that is written, is the same.

// readPlainRequest reads a request that is in the form of [Request.Encode]; nil if it is in another one.
func readPlainRequest(data []byte) *Request {
	d, r := plainjson.NewReader(data), &Request{}
	d.Must('{')
	readString(d, "id", &r.ID)
	readString(d, "op", &r.Op)
	readString(d, "path", &r.Path)
	readString(d, "to", &r.To)
	readBytes(d, "data", &r.Data)
	readUint(d, "expect", &r.Expect)
	readBool(d, "local", &r.Local)
	readBool(d, "deep", &r.Deep)
	readBool(d, "names", &r.Names)
	readBool(d, "retry", &r.Retry)
	readUint(d, "since", &r.Since)
	readString(d, "chain", &r.Chain)
	readString(d, "after", &r.After)
	if d.Has("limit") {
		r.Limit = int(d.Uint(math.MaxInt32))
	}
	readUint(d, "from", &r.From)
	if d.Has("node") {
		r.Node = ring.NodeID(d.Uint(math.MaxUint32))
	}
	readString(d, "incarnation", &r.Incarnation)
	d.Must('}')
	if !d.IsPlain() {
		return nil
	}
	return r
}

// plainRequest writes a request; nil if it needs encoding/json.
func plainRequest(r *Request) []byte {
	if r.Limit < 0 {
		return nil
	}
	w := &plainjson.Writer{Text: make([]byte, 0, 128+len(r.Path)+len(r.To)+2*len(r.Data))}
	w.Text = append(w.Text, '{')
	w.Name("id")
	w.String(r.ID)
	w.Name("op")
	w.String(r.Op)
	w.StringUnlessEmpty("path", r.Path)
	w.StringUnlessEmpty("to", r.To)
	w.BytesUnlessEmpty("data", r.Data)
	w.UintUnlessZero("expect", r.Expect)
	w.TrueOnly("local", r.Local)
	w.TrueOnly("deep", r.Deep)
	w.TrueOnly("names", r.Names)
	w.TrueOnly("retry", r.Retry)
	w.UintUnlessZero("since", r.Since)
	w.StringUnlessEmpty("chain", r.Chain)
	w.StringUnlessEmpty("after", r.After)
	w.UintUnlessZero("limit", uint64(r.Limit))
	w.UintUnlessZero("from", r.From)
	w.UintUnlessZero("node", uint64(r.Node))
	w.StringUnlessEmpty("incarnation", r.Incarnation)
	return closePlainObject(w)
}

// readPlainResponse reads an answer about the tree in the form of [Response.Encode]; nil if it is in another
// one, or about something else.
func readPlainResponse(data []byte) *Response {
	d, r := plainjson.NewReader(data), &Response{}
	d.Must('{')
	readString(d, "id", &r.ID)
	readBool(d, "ok", &r.OK)
	if d.Has("code") {
		r.Code = tree.Code(d.String())
	}
	readString(d, "message", &r.Message)
	readUint(d, "revision", &r.Revision)
	readUint(d, "actual", &r.Actual)
	readBool(d, "remembered", &r.Remembered)
	readBool(d, "changed", &r.Changed)
	if d.Has("entry") {
		r.Entry = &EntryInfo{}
		readEntry(d, r.Entry)
	}
	if d.Has("entries") {
		r.Entries = readEntries(d)
	}
	readBool(d, "more", &r.More)
	readString(d, "digest", &r.Digest)
	readString(d, "chain", &r.Chain)
	d.Must('}')
	if !d.IsPlain() {
		return nil
	}
	return r
}

// readEntries reads a list of at least one entry.
func readEntries(d *plainjson.Reader) (list []EntryInfo) {
	d.Must('[')
	for {
		var e EntryInfo
		readEntry(d, &e)
		list = append(list, e)
		if !d.Is(',') {
			d.Must(']')
			return list
		}
	}
}

func readEntry(d *plainjson.Reader, e *EntryInfo) {
	d.Must('{')
	readString(d, "path", &e.Path)
	readString(d, "kind", &e.Kind)
	if d.Has("size") {
		e.Size = int(d.Uint(math.MaxInt32))
	}
	readUint(d, "created", &e.Created)
	readUint(d, "mod", &e.Mod)
	if d.Has("writer") {
		e.Writer = ring.NodeID(d.Uint(math.MaxUint32))
	}
	if d.Has("mtime_ms") {
		e.MtimeMS = int64(d.Uint(math.MaxInt64))
	}
	readBytes(d, "data", &e.Data)
	d.Must('}')
}

// plainResponse writes an answer about the tree; nil if it needs encoding/json.
func plainResponse(r *Response) []byte {
	if r.Status != nil || len(r.Log) > 0 || len(r.Paths) > 0 {
		return nil
	}
	w := &plainjson.Writer{Text: make([]byte, 0, 2*r.sizeHint())}
	w.Text = append(w.Text, '{')
	w.Name("id")
	w.String(r.ID)
	w.Name("ok")
	w.Bool(r.OK)
	w.StringUnlessEmpty("code", string(r.Code))
	w.StringUnlessEmpty("message", r.Message)
	w.Name("revision")
	w.Uint(r.Revision)
	w.UintUnlessZero("actual", r.Actual)
	w.TrueOnly("remembered", r.Remembered)
	w.TrueOnly("changed", r.Changed)
	if r.Entry != nil {
		w.Name("entry")
		writeEntry(w, r.Entry)
	}
	if len(r.Entries) > 0 {
		w.Name("entries")
		separator := byte('[')
		for i := range r.Entries {
			w.Text = append(w.Text, separator)
			writeEntry(w, &r.Entries[i])
			separator = ','
		}
		w.Text = append(w.Text, ']')
	}
	w.TrueOnly("more", r.More)
	w.StringUnlessEmpty("digest", r.Digest)
	w.StringUnlessEmpty("chain", r.Chain)
	return closePlainObject(w)
}

func writeEntry(w *plainjson.Writer, e *EntryInfo) {
	w.Text = append(w.Text, '{')
	w.Name("path")
	w.String(e.Path)
	w.Name("kind")
	w.String(e.Kind)
	w.Name("size")
	w.Int(int64(e.Size))
	w.Name("created")
	w.Uint(e.Created)
	w.Name("mod")
	w.Uint(e.Mod)
	w.Name("writer")
	w.Uint(uint64(e.Writer))
	w.Name("mtime_ms")
	w.Int(e.MtimeMS)
	w.BytesUnlessEmpty("data", e.Data)
	w.Text = append(w.Text, '}')
}

// closePlainObject ends an object; nil if something in it is not plain.
func closePlainObject(w *plainjson.Writer) []byte {
	if !w.IsPlain() {
		return nil
	}
	return append(w.Text, '}')
}

func readString(d *plainjson.Reader, name string, to *string) {
	if d.Has(name) {
		*to = d.String()
	}
}

func readBytes(d *plainjson.Reader, name string, to *[]byte) {
	if d.Has(name) {
		*to = d.Bytes()
	}
}

func readUint(d *plainjson.Reader, name string, to *uint64) {
	if d.Has(name) {
		*to = d.Uint(math.MaxUint64)
	}
}

func readBool(d *plainjson.Reader, name string, to *bool) {
	if d.Has(name) {
		*to = d.Bool()
	}
}
