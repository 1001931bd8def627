package store

import (
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// query answers a read from the replica as it is.
func (s *Store) query(req *Request) *Response {
	r := &Response{ID: req.ID, OK: true, Revision: s.replica.Revision()}
	if bad := tree.CheckPath(req.Path); bad != nil {
		r.OK, r.Code, r.Message = false, bad.Code, bad.Message
		return r
	}
	switch req.Op {
	case OpRead:
		s.queryEntry(req, r)
	case OpList:
		s.queryList(req, r)
	case OpDigest:
		r.Digest = s.replica.Tree.Digest().String()
		r.Chain = fmt.Sprintf("%x", s.replica.Log.Chain())
	case OpDump:
		s.queryDump(req, r)
	case OpWitness:
		s.queryWitness(req, r)
	}
	return r
}

func (s *Store) queryEntry(req *Request, r *Response) {
	if req.Path == "" {
		r.Entry = &EntryInfo{Kind: KindDirectory}
		return
	}
	e := s.replica.Tree.Get(req.Path)
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

func (s *Store) queryList(req *Request, r *Response) {
	if req.Path != "" {
		e := s.replica.Tree.Get(req.Path)
		if e == nil {
			r.OK, r.Code, r.Message = false, tree.NotFound, "no such directory"
			return
		}
		if e.Kind != tree.Directory {
			r.OK, r.Code, r.Message = false, tree.NotDirectory, "the path is a file"
			return
		}
	}
	room := len(s.replica.Tree.Children(req.Path))
	if req.Deep {
		room = s.replica.Tree.Len()
	}
	if room = min(room, pageLimit(req)); req.Names {
		r.Paths = make([]string, 0, room)
	} else {
		r.Entries = make([]EntryInfo, 0, room)
	}
	s.listBelow(req, req.Path, r)
}

// listBelow adds the entries of a directory, and of those below it if the request is deep, in the
// order in which one walks through them.
func (s *Store) listBelow(req *Request, dir string, r *Response) {
	for _, e := range s.replica.Tree.Children(dir) {
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
			if s.listBelow(req, e.Path, r); r.More {
				return
			}
		}
	}
}

// walkKey compares as one walks: everything below a directory comes right after it.
func walkKey(path string) string { return strings.ReplaceAll(path, "/", "\x00") }

func (s *Store) queryDump(req *Request, r *Response) {
	size := 0
	for _, path := range s.replica.Tree.Paths() {
		if req.After != "" && path <= req.After {
			continue
		}
		if len(r.Entries) == pageLimit(req) || size > maxPageBytes {
			r.More = true
			return
		}
		e := s.replica.Tree.Get(path)
		r.Entries = append(r.Entries, infoOf(e, true))
		size += len(e.Data)
	}
}

func (s *Store) queryWitness(req *Request, r *Response) {
	entries, _ := s.replica.Log.Since(max(req.From, 1) - 1)
	for i := range entries {
		if len(r.Log) == pageLimit(req) {
			r.More = true
			return
		}
		e := &entries[i]
		r.Log = append(r.Log, LogRecord{Revision: e.Revision, Epoch: e.Epoch.String(), Request: e.Request,
			Op: opName(e.Kind), Path: e.Path, To: e.To, Digest: fmt.Sprintf("%x", e.Digest),
			Chain: fmt.Sprintf("%x", e.Chain)})
	}
}

// status tells how this store stands.
func (s *Store) status() *Status {
	st := &Status{Phase: s.phase(), Role: s.role(), Node: s.node(), Ring: s.ring.id.String(),
		Members: s.ring.members, Quorate: s.writable(), Pending: s.ops.live}
	if s.failed != nil {
		st.Reason = s.failed.Error()
	} else if s.ring.refusal != nil && s.ring.decision == nil {
		st.Reason = s.ring.refusal.Error()
	}
	if s.replica == nil {
		return st
	}
	st.Incarnation = s.replica.Incarnation.String()
	st.Epoch, st.Revision = s.replica.Epoch.String(), s.replica.Revision()
	if c := s.replica.Config; c != nil {
		for _, m := range c.Members {
			ms := MemberStatus{Node: m.Node, Votes: m.Votes, Incarnation: m.Incarnation.String()}
			if r := s.ring.reportOf(m.Node); r != nil {
				ms.Present = r.Incarnation.String()
			}
			st.Config = append(st.Config, ms)
		}
	}
	return st
}

func (s *Store) phase() Phase {
	switch {
	case s.failed != nil:
		return PhaseFailed
	case !s.ring.present:
		return PhaseDetached
	case s.ring.installed:
		return PhaseServing
	case s.ring.fetching:
		return PhaseFetching
	}
	return PhaseExchange
}
