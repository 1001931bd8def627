package tree

// Limits of the tree, as pmxcfs documents them. The file limit is enforced there too; the other
// two are only reported by pmxcfs, and enforced here.
const (
	// MaxFileBytes is the largest file.
	MaxFileBytes = 1 << 20
	// MaxTreeBytes is the sum of all file contents.
	MaxTreeBytes = 128 << 20
	// MaxEntries is the number of files and directories.
	MaxEntries = 256 << 10
	// MaxNameBytes is the longest name of one file or directory.
	MaxNameBytes = 256
	// MaxPathBytes is the longest path.
	MaxPathBytes = 4096
	// BlockBytes is the block size that statfs reports.
	BlockBytes = 4096
)

// Limits bounds one tree. It is a value so that tests reach the limits with little data; every
// replica of a store must use the same.
type Limits struct {
	FileBytes int
	TreeBytes int64
	Entries   int
}

// DefaultLimits are the limits of a store in service.
func DefaultLimits() Limits {
	return Limits{FileBytes: MaxFileBytes, TreeBytes: MaxTreeBytes, Entries: MaxEntries}
}
