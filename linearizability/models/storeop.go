package models

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

// Functions of the store model, as they appear in the member f of a history.
const (
	FCreate    = "create"
	FWrite     = "write"
	FCAS       = "cas"
	FDelete    = "delete"
	FMkdir     = "mkdir"
	FRename    = "rename"
	FRead      = "read"
	FReadLocal = "read_local"
	FList      = "list"
	FListLocal = "list_local"
	// FWatch waits for a change and answers from one machine's state: there is nothing to judge by a model.
	FWatch = "watch"
)

// Error codes of a failed store operation that say something about the state. Any other code (read_only,
// invalid, too_large, ...) says only that nothing happened.
const (
	CodeNotFound         = "not_found"
	CodeExists           = "exists"
	CodeRevisionMismatch = "revision_mismatch"
	CodeNotDirectory     = "not_directory"
	CodeIsDirectory      = "is_directory"
	CodeNotEmpty         = "not_empty"
)

// storeF numbers the functions, so that steps compare no strings.
type storeF uint8

const (
	fOther storeF = iota
	fCreate
	fWrite
	fCAS
	fDelete
	fMkdir
	fRename
	fRead
	fList
)

func storeFunction(f string) (fn storeF, local bool) {
	switch f {
	case FRead:
		return fRead, false
	case FWrite:
		return fWrite, false
	case FCAS:
		return fCAS, false
	case FCreate:
		return fCreate, false
	case FDelete:
		return fDelete, false
	case FMkdir:
		return fMkdir, false
	case FRename:
		return fRename, false
	case FList:
		return fList, false
	case FReadLocal:
		return fRead, true
	case FListLocal:
		return fList, true
	}
	return fOther, false
}

// refusal numbers the codes that speak about the state.
type refusal uint8

const (
	refusedOther refusal = iota
	refusedNotFound
	refusedExists
	refusedMismatch
	refusedNotDirectory
	refusedIsDirectory
	refusedNotEmpty
)

func refusalOf(code string) refusal {
	switch code {
	case CodeNotFound:
		return refusedNotFound
	case CodeExists:
		return refusedExists
	case CodeRevisionMismatch:
		return refusedMismatch
	case CodeNotDirectory:
		return refusedNotDirectory
	case CodeIsDirectory:
		return refusedIsDirectory
	case CodeNotEmpty:
		return refusedNotEmpty
	}
	return refusedOther
}

// StoreCall is a decoded store operation.
type StoreCall struct {
	fn      storeF
	outcome history.Type
	refused refusal
	key, to string
	value   digest // written, or returned by a read
	content json.RawMessage
	sum     string // digest of the witness, where the content is not known
	expect  uint64
	rev     uint64
	mod     uint64
	names   []string // returned by a list

	malformed bool   // the answer of a list is no list
	f, code   string // for descriptions
}

// cleanPath drops a leading and a trailing slash: "/a/b/" and "a/b" are one path, and "" is the root.
func cleanPath(path string) string {
	if path == "" || (path[0] != '/' && path[len(path)-1] != '/') {
		return path
	}
	return strings.Trim(path, "/")
}

// parentOf splits "a/b/c" into "a/b" and "c".
func parentOf(path string) (parent, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// under reports whether path lies below dir.
func under(path, dir string) bool {
	return dir == "" || (len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir)
}

func storeRole(op *history.Operation) Role {
	fn, local := storeFunction(op.F)
	switch {
	case fn == fOther:
		return Ignored
	case op.Outcome == history.Fail:
		if refusalOf(op.Error) == refusedOther {
			return Ignored
		}
		if local {
			return LocalObservation
		}
		return Observation
	case fn == fRead || fn == fList:
		if op.Outcome == history.Info {
			return Ignored
		}
		if local {
			return LocalObservation
		}
		return Observation
	}
	return Mutation
}

func decodeStore(op *history.Operation, reuse Call) (Call, error) {
	call, ok := reuse.(*StoreCall)
	if !ok {
		call = &StoreCall{}
	}
	fn, _ := storeFunction(op.F)
	call.fn, call.outcome, call.refused, call.key, call.to = fn, op.Outcome, refusedOther,
		cleanPath(op.Key), ""
	call.expect, call.rev, call.mod, call.f, call.code = op.Expect, op.Rev, op.Mod, op.F, op.Error
	call.value, call.content, call.sum, call.malformed = digest{}, nil, "", false
	call.names = call.names[:0]
	switch op.Outcome {
	case history.Info:
		call.rev, call.mod = 0, 0 // no answer, so no revision is known
	case history.Fail:
		call.refused = refusalOf(op.Error)
	}
	switch fn {
	case fCreate, fWrite, fCAS:
		call.value, call.content = valueDigest(op.Input), op.Input
	case fRename:
		call.to = cleanPath(textOf(op.Input))
	case fRead:
		call.value, call.content = valueDigest(op.Output), op.Output
	case fList:
		call.decodeNames(op)
	}
	return call, nil
}

// decodeNames accepts ["a","b/"] and [{"name":"a"},...]. Any other answer is one that no state explains.
func (c *StoreCall) decodeNames(op *history.Operation) {
	if len(op.Output) == 0 || op.Outcome != history.OK {
		return
	}
	if err := json.Unmarshal(op.Output, &c.names); err == nil {
		return
	}
	c.names = c.names[:0]
	var entries []struct {
		Name *string `json:"name"`
	}
	if err := json.Unmarshal(op.Output, &entries); err != nil {
		c.malformed = true
		return
	}
	for _, e := range entries {
		if e.Name == nil {
			c.malformed = true
			return
		}
		c.names = append(c.names, *e.Name)
	}
}

func storeEntry(entry *history.WitnessEntry) (Call, error) {
	fn, _ := storeFunction(entry.F)
	if fn == fOther && entry.Internal {
		// The system's own change of something that is no file: it only takes a revision.
		return &StoreCall{fn: fOther, outcome: history.OK, rev: entry.Rev, f: entry.F}, nil
	}
	if fn == fOther || fn == fRead || fn == fList {
		return nil, fmt.Errorf("%w: the witness has %q at revision %d", ErrOperation, entry.F, entry.Rev)
	}
	if fn == fCAS {
		fn = fWrite // the log does not keep the condition
	}
	call := &StoreCall{fn: fn, outcome: history.OK, key: cleanPath(entry.Key), to: cleanPath(entry.To),
		rev: entry.Rev, f: entry.F, content: entry.Value, value: valueDigest(entry.Value)}
	if len(entry.Value) == 0 {
		call.sum = entry.Digest
	}
	return call, nil
}
