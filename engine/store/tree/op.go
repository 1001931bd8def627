package tree

import (
	"crypto/sha256"
	"encoding/binary"
)

// OpKind is what an operation does. The values are written to disk and to the network.
type OpKind uint8

const (
	// Write replaces a file's content, or creates the file.
	Write OpKind = 1
	// Mkdir makes a directory.
	Mkdir OpKind = 2
	// Delete removes a file or an empty directory; with Expect > 0 only at that revision.
	Delete OpKind = 3
	// Rename moves a file, also over another file, or an empty directory to a free name. A guest's
	// configuration never replaces another one.
	Rename OpKind = 4
	// Create makes a file that must not exist.
	Create OpKind = 5
	// CAS writes a file if its revision is Expect; Expect = 0 demands that nothing exists there.
	CAS OpKind = 6
)

// String is the name by which clients ask for the operation.
func (k OpKind) String() string {
	switch k {
	case Write:
		return "write"
	case Mkdir:
		return "mkdir"
	case Delete:
		return "delete"
	case Rename:
		return "rename"
	case Create:
		return "create"
	case CAS:
		return "cas"
	}
	return "unknown"
}

// Op is one change that a client asks for.
type Op struct {
	Kind   OpKind
	Path   string
	To     string // Rename only
	Data   []byte // Write, Create, CAS
	Expect uint64 // CAS and Delete: the revision that the entry must have
	// Writer is the node id of the node that took the request, MtimeMS its wall clock at that
	// moment in milliseconds since 1970: both are only recorded.
	Writer  uint32
	MtimeMS int64
}

// Code is the reason for which an operation was refused.
type Code string

// Codes of refusals that the tree itself decides.
const (
	NotFound         Code = "not_found"         // ENOENT
	Exists           Code = "exists"            // EEXIST
	RevisionMismatch Code = "revision_mismatch" // the entry's revision is not the expected one
	NotDirectory     Code = "not_directory"     // ENOTDIR
	IsDirectory      Code = "is_directory"      // EISDIR
	NotEmpty         Code = "not_empty"         // ENOTEMPTY
	TooLarge         Code = "too_large"         // EFBIG
	NameTooLong      Code = "name_too_long"     // ENAMETOOLONG
	NoSpace          Code = "no_space"          // ENOSPC: the tree is full
	Invalid          Code = "invalid"           // EINVAL
	// GuestExists refuses a second configuration of a guest: EEXIST, as [Exists], but for another
	// path than the requested one.
	GuestExists Code = "guest_exists"
)

// Refusal is a definite no: the operation changed nothing.
type Refusal struct {
	Code    Code
	Message string
	// Actual is the entry's revision where Code is RevisionMismatch; 0 when there is no entry.
	Actual uint64
}

func refuse(code Code, message string) *Refusal { return &Refusal{Code: code, Message: message} }

// Digest identifies what is asked for: the same for a retry through another node at another time.
func (op *Op) Digest() [32]byte {
	data := sha256.Sum256(op.Data)
	b := make([]byte, 0, 128+len(op.Path)+len(op.To))
	b = append(b, byte(op.Kind))
	b = appendString(appendString(b, op.Path), op.To)
	b = append(b, data[:]...)
	b = binary.LittleEndian.AppendUint64(b, op.Expect)
	return sha256.Sum256(b)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}
