package disk

import "sync"

// chunkBytes is the size of the pieces that hold a file's bytes. A file grows by whole pieces, so that
// nothing is copied.
const chunkBytes = 16 << 10

// spareChunks are pieces of files that are no longer used, with any bytes. A run uses some hundreds, and new
// ones would have to be filled with zeros first.
var spareChunks = sync.Pool{New: func() any { return new([chunkBytes]byte) }}

// content is what a file holds. Bytes of the last piece beyond the size are unspecified. No piece belongs to
// two contents that are both in use.
type content struct {
	size   int64
	chunks []*[chunkBytes]byte
}

func contentOf(data []byte) content {
	var c content
	c.writeAt(data, 0)
	return c
}

// at returns the bytes from off to the end of their piece, at most length.
func (c *content) at(off, length int64) []byte {
	chunk := c.chunks[off/chunkBytes]
	from := off % chunkBytes
	return chunk[from:min(from+length, chunkBytes)]
}

// readAt fills p from off on, and returns how many bytes there were.
func (c *content) readAt(p []byte, off int64) (count int) {
	end := min(off+int64(len(p)), c.size)
	for off < end {
		n := copy(p[count:], c.at(off, end-off))
		count, off = count+n, off+int64(n)
	}
	return count
}

// writeAt writes p from off on. Bytes between the size and off become zeros.
func (c *content) writeAt(p []byte, off int64) {
	end := off + int64(len(p))
	if off > c.size {
		c.resize(off)
	}
	c.grow(end)
	for len(p) > 0 {
		n := copy(c.at(off, int64(len(p))), p)
		p, off = p[n:], off+int64(n)
	}
}

// grow makes room for a size, with unspecified bytes.
func (c *content) grow(size int64) {
	for int64(len(c.chunks))*chunkBytes < size {
		c.chunks = append(c.chunks, spareChunks.Get().(*[chunkBytes]byte))
	}
	c.size = max(c.size, size)
}

// resize cuts the content off, or adds zeros.
func (c *content) resize(size int64) {
	if size < c.size {
		kept := (size + chunkBytes - 1) / chunkBytes
		release(c.chunks[kept:])
		c.chunks, c.size = c.chunks[:kept], size
		return
	}
	off := c.size
	c.grow(size)
	for off < size {
		zeros := c.at(off, size-off)
		clear(zeros)
		off += int64(len(zeros))
	}
}

// release lets other files use pieces, which nothing may refer to any longer.
func release(chunks []*[chunkBytes]byte) {
	for i, chunk := range chunks {
		spareChunks.Put(chunk)
		chunks[i] = nil
	}
}

// free gives up the content.
func (c *content) free() {
	release(c.chunks)
	*c = content{}
}

// bytes returns a copy of the bytes from off on, at most length.
func (c *content) bytes(off, length int64) []byte {
	p := make([]byte, max(0, min(length, c.size-off)))
	c.readAt(p, off)
	return p
}

func (c *content) clone() content {
	out := content{size: c.size, chunks: make([]*[chunkBytes]byte, len(c.chunks))}
	for i, chunk := range c.chunks {
		copied := *chunk
		out.chunks[i] = &copied
	}
	return out
}
