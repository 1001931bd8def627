package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-sim/holdfast/engine/ring"
	"github.com/holdfast-sim/holdfast/engine/store/state"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// Operations that a client can ask for beside those of the tree (create, write, cas, delete,
// mkdir, rename).
const (
	// OpRead reads a file or the metadata of a directory.
	OpRead = "read"
	// OpList lists a directory.
	OpList = "list"
	// OpStatus returns the status of this node's store.
	OpStatus = "status"
	// OpDigest identifies this node's tree.
	OpDigest = "digest"
	// OpDump lists this node's whole tree with contents.
	OpDump = "dump"
	// OpWitness lists this node's log.
	OpWitness = "witness"
	// OpWatch waits until something at or below a path changes after the revision Since, or for
	// WatchTimeout.
	OpWatch = "watch"
	// OpReplaceMember gives a node's vote to the store that runs there now.
	OpReplaceMember = "replace_member"
	// OpLeave has this node leave its ring in order: the store accepts nothing more, answers what it has
	// accepted, and has the cluster process leave and end. It is answered when the store has ended its part.
	OpLeave = "leave"
)

// Codes of answers that the tree does not know. Every code but Unknown is definite: the operation
// was not and will not be carried out.
const (
	// CodeReadOnly refuses a change because this node's ring has no quorum (EACCES in the
	// mounted tree).
	CodeReadOnly tree.Code = "read_only"
	// CodeNoQuorum refuses a linearizable read for the same reason; a local read is possible.
	CodeNoQuorum tree.Code = "no_quorum"
	// CodeTryAgain reports that the store was busy, for example forming a new epoch.
	CodeTryAgain tree.Code = "try_again"
	// CodeFailed reports that this node's store stopped serving because its disk failed.
	CodeFailed tree.Code = "failed"
	// CodeUnknown reports that the change may or may not have been carried out, or may still be. A
	// retry with the same id returns which.
	CodeUnknown = state.Unknown
)

const (
	// MaxRequestIDBytes is the longest request id.
	MaxRequestIDBytes = 64
	// MaxRequestBytes is the largest encoded request: a file in base64 and two long paths.
	MaxRequestBytes = (tree.MaxFileBytes+2)/3*4 + 64<<10
	// MaxPageEntries is the most entries of one listing, dump or witness answer.
	MaxPageEntries = 1000
	// chainTextBytes is the length of a chain as text.
	chainTextBytes = 64
	// maxPageBytes is the file content after which a dump ends its page.
	maxPageBytes = 1 << 20
)

// Request is what a client asks for: in JSON the input of an invoked operation, in the compact form a
// local message.
type Request struct {
	// ID names the request. A change that is asked for again under the same id, on any node, is
	// carried out once, as long as not more than the configuration's LogKeep changes lie
	// between. The answer to an attempt that was given up must be ignored.
	ID string `json:"id"`
	Op string `json:"op"`
	// Path, and To for renames, have no leading slash; "" is the root directory.
	Path string `json:"path,omitempty"`
	To   string `json:"to,omitempty"`
	Data []byte `json:"data,omitempty"` // base64 in JSON
	// Expect is the revision that the entry must have: cas (0 = no entry) and delete (0 = any).
	Expect uint64 `json:"expect,omitempty"`
	// Local asks this node alone: for read and list, without asking the others.
	Local bool `json:"local,omitempty"`
	// Deep lists everything below the directory, for list; Names lists the paths alone.
	Deep  bool `json:"deep,omitempty"`
	Names bool `json:"names,omitempty"`
	// Retry marks a change that may have been sent before; Since is a revision that the client knew
	// by then (0 always holds). They let the store distinguish a request that was never carried out from
	// one that was so long ago that it is forgotten. For watch, Since is the revision up to which
	// the client knows everything, and Chain that of the answer that named this revision. A revision is given
	// to another change if the first one is lost before it was confirmed; the chain distinguishes them.
	Retry bool   `json:"retry,omitempty"`
	Since uint64 `json:"since,omitempty"`
	Chain string `json:"chain,omitempty"`
	// After and Limit page through list and dump; From is the first revision of a witness.
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
	From  uint64 `json:"from,omitempty"`
	// Node and Incarnation name the store that replace_member lets vote.
	Node        ring.NodeID `json:"node,omitempty"`
	Incarnation string      `json:"incarnation,omitempty"`
}

// Response is the answer, in the form of the request.
type Response struct {
	ID string `json:"id"`
	OK bool   `json:"ok"`
	// Code and Message are the reason for a refusal.
	Code    tree.Code `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	// Revision is the revision of the change; without a change, the revision at which the store
	// evaluated the request.
	Revision uint64 `json:"revision"`
	// Actual is the entry's revision where Code is revision_mismatch.
	Actual uint64 `json:"actual,omitempty"`
	// Remembered reports that an earlier attempt had carried out the change.
	Remembered bool `json:"remembered,omitempty"`
	// Changed is the answer to a watch: the path may have changed since the requested revision. Chain is then
	// the chain at Revision; watch again from both.
	Changed bool `json:"changed,omitempty"`
	// Entry answers read; Entries list and dump, in the order of paths; Paths a list of names.
	Entry   *EntryInfo  `json:"entry,omitempty"`
	Entries []EntryInfo `json:"entries,omitempty"`
	Paths   []string    `json:"paths,omitempty"`
	// More reports that the answer was cut: ask again with After or From set behind the last one.
	More   bool        `json:"more,omitempty"`
	Status *Status     `json:"status,omitempty"`
	Digest string      `json:"digest,omitempty"`
	Chain  string      `json:"chain,omitempty"`
	Log    []LogRecord `json:"log,omitempty"`
}

// Kinds of entries.
const (
	KindFile      = "file"
	KindDirectory = "directory"
)

// EntryInfo describes a file or directory.
type EntryInfo struct {
	Path    string      `json:"path"`
	Kind    string      `json:"kind"` // KindFile, KindDirectory
	Size    int         `json:"size"`
	Created uint64      `json:"created"` // revision
	Mod     uint64      `json:"mod"`     // revision of the last change
	Writer  ring.NodeID `json:"writer"`
	MtimeMS int64       `json:"mtime_ms"`
	Data    []byte      `json:"data,omitempty"`
}

// LogRecord is one entry of the witness: which request made which revision.
type LogRecord struct {
	Revision uint64 `json:"revision"`
	Epoch    string `json:"epoch"`
	Request  string `json:"request"`
	Op       string `json:"op"`
	Path     string `json:"path"`
	To       string `json:"to,omitempty"`
	Digest   string `json:"digest"`
	Chain    string `json:"chain"`
}

// Status is what a node's store is doing.
type Status struct {
	Phase       Phase          `json:"phase"`
	Reason      string         `json:"reason,omitempty"`
	Role        Role           `json:"role"`
	Node        ring.NodeID    `json:"node"`
	Incarnation string         `json:"incarnation"`
	Ring        string         `json:"ring"`
	Epoch       string         `json:"epoch"`
	Members     []ring.NodeID  `json:"members"`
	Quorate     bool           `json:"quorate"` // the ring can decide and acknowledge
	Revision    uint64         `json:"revision"`
	Config      []MemberStatus `json:"config,omitempty"`
	Pending     int            `json:"pending"`
	// Votes is votequorum's decision on the ring; nil if there is none. It is left out in answers to local
	// processes.
	Votes *VotesStatus `json:"votes,omitempty"`
	// Difference is why the store has no quorum although votequorum has; empty if both agree.
	Difference string `json:"difference,omitempty"`
	// Losses are acknowledged changes that this node had and the cluster has no longer, oldest first.
	Losses []LossStatus `json:"losses,omitempty"`
}

// VotesStatus is votequorum's decision on a ring, by the votes of corosync.conf.
type VotesStatus struct {
	Quorate  bool   `json:"quorate"`
	Votes    uint32 `json:"votes"`    // present
	Expected uint32 `json:"expected"` // of the whole cluster
	Needed   uint32 `json:"needed"`
}

// LossStatus is a part of a node's history that the cluster went on without, although it had acknowledged it:
// a disk was put back to an older state while no node that knew better was there.
type LossStatus struct {
	AtMS int64 `json:"at_ms"` // when this node noticed, in milliseconds since 1970 by its wall clock
	// From is the first revision that is lost and To the last one that was dropped; the first Confirmed of
	// them were acknowledged or could have been.
	From      uint64 `json:"from"`
	To        uint64 `json:"to"`
	Confirmed uint64 `json:"confirmed"`
	// File is where this node keeps them, on its disk; "" if it does not.
	File string `json:"file,omitempty"`
}

// MemberStatus is one node of the store's configuration.
type MemberStatus struct {
	Node        ring.NodeID `json:"node"`
	Name        string      `json:"name,omitempty"` // as the answering node's corosync.conf has it
	Votes       uint32      `json:"votes"`
	Incarnation string      `json:"incarnation"`
	// Present is the incarnation that takes part in the ring, if one does.
	Present string `json:"present,omitempty"`
	// VotelessSinceMS is since when the node's store has no vote, as far as the answering node knows, in
	// milliseconds since 1970: its disk is new or was put back to an older state. 0: it has its vote.
	VotelessSinceMS int64 `json:"voteless_since_ms,omitempty"`
}

// ErrBadRequest is wrapped by every error of [DecodeRequest].
var ErrBadRequest = errors.New("bad store request")

// IsReadOnly reports whether an encoded request changes nothing, for clients that may only read. A request
// that cannot be read is none of them.
func IsReadOnly(input []byte) bool {
	r, err := DecodeRequest(input)
	if err != nil {
		return false
	}
	switch r.Op {
	case OpRead, OpList, OpStatus, OpDigest, OpDump, OpWitness, OpWatch:
		return true
	}
	return false
}

// Encode writes a request.
func (r *Request) Encode() []byte {
	if text := plainRequest(r); text != nil {
		return text
	}
	return mustJSON(r)
}

// Encode writes a response.
func (r *Response) Encode() []byte {
	if text := plainResponse(r); text != nil {
		return text
	}
	return mustJSON(r)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("store: encoding %T: %v", v, err))
	}
	return b
}

// DecodeRequest reads a request strictly: no unknown fields, nothing behind it, everything within
// its bounds. It fails with ErrBadRequest.
func DecodeRequest(data []byte) (*Request, error) {
	if len(data) > MaxRequestBytes {
		return nil, fmt.Errorf("%w: %d bytes is more than %d", ErrBadRequest, len(data), MaxRequestBytes)
	}
	r := readPlainRequest(data)
	if r == nil {
		r = &Request{}
		if err := strictJSON(data, r); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
		}
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	return r, nil
}

// DecodeResponse reads a response.
func DecodeResponse(data []byte) (*Response, error) {
	if r := readPlainResponse(data); r != nil {
		return r, nil
	}
	r := &Response{}
	if err := strictJSON(data, r); err != nil {
		return nil, fmt.Errorf("bad store response: %w", err)
	}
	return r, nil
}

func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the request")
	}
	return nil
}

func (r *Request) check() error {
	switch {
	case r.ID == "" || len(r.ID) > MaxRequestIDBytes:
		return fmt.Errorf("id has %d bytes: want 1 to %d", len(r.ID), MaxRequestIDBytes)
	case r.Limit < 0 || r.Limit > MaxPageEntries:
		return fmt.Errorf("limit %d: want 1 to %d", r.Limit, MaxPageEntries)
	case len(r.Chain) > chainTextBytes:
		return fmt.Errorf("chain has %d bytes: want %d, or none", len(r.Chain), chainTextBytes)
	case len(r.After) > tree.MaxPathBytes:
		return errors.New("after is longer than a path can be")
	}
	if treeKind(r.Op) != 0 {
		return nil
	}
	switch r.Op {
	case OpRead, OpList, OpStatus, OpDigest, OpDump, OpWitness, OpWatch, OpLeave:
		return nil
	case OpReplaceMember:
		_, err := state.ParseIncarnation(r.Incarnation)
		return err
	}
	return fmt.Errorf("unknown operation %q", r.Op)
}

// treeKind is the tree's operation of that name, 0 if there is none.
func treeKind(name string) tree.OpKind {
	for k := tree.Write; k <= tree.CAS; k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}

func opName(k tree.OpKind) string {
	if k == state.ReplaceMember {
		return OpReplaceMember
	}
	return k.String()
}
