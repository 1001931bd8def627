package history

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Kinds of [WitnessEntry].
const (
	// WitnessApply is a mutation that the node made durable: the zero value, left out in files.
	WitnessApply = ""
	// WitnessInstall means that the node replaced its state by another one at revision Rev. Of what it
	// reported before, only revisions up to Keep still hold: the last common revision when it caught
	// up by log, 0 when it took a full copy.
	WitnessInstall = "install"
	// WitnessTree is a digest (Tree) of the node's whole tree at revision Rev.
	WitnessTree = "tree"
)

// WitnessEntry is one record of what a node did to its state, in the order in which it did it.
//
// The entries of a node with kind [WitnessApply] have rising revisions. A revision that the node already
// reported replaces that one and everything after it.
type WitnessEntry struct {
	Kind string `json:"kind,omitempty"`
	// Rev is the revision that the mutation created (apply), or at which the state stands.
	Rev uint64 `json:"rev"`
	// Keep: see [WitnessInstall].
	Keep uint64 `json:"keep,omitempty"`
	// Epoch orders rival logs: where two nodes differ at a revision in different epochs, the higher epoch
	// wins and the other branch was never acknowledged. 0 when the system has none.
	// In one epoch, a difference is split brain.
	Epoch uint64 `json:"epoch,omitempty"`
	// Writer is the node that ordered the mutation, in systems where one node does so per epoch.
	Writer string `json:"writer,omitempty"`
	// F and Key are what was done: create, write, delete, mkdir, rename. To is the new path of a rename.
	F   string `json:"f,omitempty"`
	Key string `json:"k,omitempty"`
	To  string `json:"to,omitempty"`
	// Value is what was written; Digest stands for it where the log keeps only digests (see [DigestOf]).
	Value  json.RawMessage `json:"v,omitempty"`
	Digest string          `json:"digest,omitempty"`
	// ID is the request id of the client operation that caused the mutation.
	ID string `json:"id,omitempty"`
	// Internal marks a mutation that the system made for itself, so that no client call owns it.
	Internal bool `json:"internal,omitempty"`
	// Chain is a hash over this entry and all before it; equal chains mean equal logs.
	Chain string `json:"chain,omitempty"`
	// Tree is the digest of the whole tree after Rev, where the node computed it.
	Tree string `json:"tree,omitempty"`
	Node string `json:"node,omitempty"`
	// Time is when the node did it, on the clock of the harness, in nanoseconds. Checkers never use it to
	// judge; it serves explanations.
	Time int64 `json:"t,omitempty"`
}

// DigestOf returns the digest of a value as witness entries carry it: SHA-256 in lower-case hex, of the
// content of a JSON string, or of the compact JSON of anything else. No value has the digest of no bytes.
func DigestOf(value json.RawMessage) string {
	var content string
	if len(value) > 0 && json.Unmarshal(value, &content) == nil {
		return DigestBytes([]byte(content))
	}
	return DigestBytes(value)
}

// DigestBytes returns SHA-256 of the bytes in lower-case hex.
func DigestBytes(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
