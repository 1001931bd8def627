package store

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// answerQuery answers a read from a replica as it is.
func answerQuery(replica *state.Replica, req *Request) *Response {
	r := &Response{ID: req.ID, OK: true, Revision: replica.Revision()}
	if bad := tree.CheckPath(req.Path); bad != nil {
		r.OK, r.Code, r.Message = false, bad.Code, bad.Message
		return r
	}
	switch req.Op {
	case OpRead:
		queryEntry(replica, req, r)
	case OpList:
		queryList(replica, req, r)
	case OpDigest:
		r.Digest = replica.Tree.Digest().String()
		r.Chain = fmt.Sprintf("%x", replica.Log.Chain())
	case OpDump:
		queryDump(replica, req, r)
	case OpWitness:
		queryWitness(replica, req, r)
	}
	return r
}

func queryEntry(replica *state.Replica, req *Request, r *Response) {
	if req.Path == "" {
		r.Entry = &EntryInfo{Kind: KindDirectory}
		return
	}
	e := replica.Tree.Get(req.Path)
	if e == nil {
		r.OK, r.Code, r.Message = false, tree.NotFound, "no such file or directory"
		return
	}
	info := infoOf(e, true)
	r.Entry = &info
}

func infoOf(e *tree.Entry, withData bool) EntryInfo {
	info := EntryInfo{Path: e.Path, Kind: KindFile, Size: len(e.Data), Created: e.Inode, Mod: e.Mod,
		Writer: ring.NodeID(e.Writer), MtimeMS: e.MtimeMS}
	if e.Kind == tree.Directory {
		info.Kind = KindDirectory
	}
	if withData {
		info.Data = e.Data
	}
	return info
}

func pageLimit(req *Request) int {
	if req.Limit == 0 {
		return MaxPageEntries
	}
	return req.Limit
}

func queryList(replica *state.Replica, req *Request, r *Response) {
	if req.Path != "" {
		e := replica.Tree.Get(req.Path)
		if e == nil {
			r.OK, r.Code, r.Message = false, tree.NotFound, "no such directory"
			return
		}
		if e.Kind != tree.Directory {
			r.OK, r.Code, r.Message = false, tree.NotDirectory, "the path is a file"
			return
		}
	}
	room := len(replica.Tree.Children(req.Path))
	if req.Deep {
		room = replica.Tree.Len()
	}
	if room = min(room, pageLimit(req)); req.Names {
		r.Paths = make([]string, 0, room)
	} else {
		r.Entries = make([]EntryInfo, 0, room)
	}
	listBelow(replica.Tree, req, req.Path, r)
}

// listBelow adds the entries of a directory, and of those below it if the request is deep, in the
// order in which one walks through them.
func listBelow(t *tree.Tree, req *Request, dir string, r *Response) {
	for _, e := range t.Children(dir) {
		if req.After == "" || strings.Compare(walkKey(e.Path), walkKey(req.After)) > 0 {
			if len(r.Entries)+len(r.Paths) == pageLimit(req) {
				r.More = true
				return
			}
			if req.Names {
				r.Paths = append(r.Paths, e.Path)
			} else {
				r.Entries = append(r.Entries, infoOf(e, false))
			}
		}
		if req.Deep && e.Kind == tree.Directory {
			if listBelow(t, req, e.Path, r); r.More {
				return
			}
		}
	}
}

// walkKey compares as one walks: everything below a directory comes right after it.
func walkKey(path string) string { return strings.ReplaceAll(path, "/", "\x00") }

func queryDump(replica *state.Replica, req *Request, r *Response) {
	size := 0
	for _, path := range replica.Tree.Paths() {
		if req.After != "" && path <= req.After {
			continue
		}
		if len(r.Entries) == pageLimit(req) || size > maxPageBytes {
			r.More = true
			return
		}
		e := replica.Tree.Get(path)
		r.Entries = append(r.Entries, infoOf(e, true))
		size += len(e.Data)
	}
}

func queryWitness(replica *state.Replica, req *Request, r *Response) {
	entries, _ := replica.Log.Since(max(req.From, 1) - 1)
	for i := range entries {
		if len(r.Log) == pageLimit(req) {
			r.More = true
			return
		}
		r.Log = append(r.Log, logRecordOf(&entries[i]))
	}
}

func logRecordOf(e *state.LogEntry) LogRecord {
	return LogRecord{Revision: e.Revision, Epoch: e.Epoch.String(), Request: e.Request,
		Op: opName(e.Kind), Path: e.Path, To: e.To, Digest: fmt.Sprintf("%x", e.Digest),
		Chain: fmt.Sprintf("%x", e.Chain)}
}
