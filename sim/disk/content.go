package disk

// chunkBytes is the size of the pieces that hold a file's bytes. A file grows by whole pieces, so that
// nothing is copied.
const chunkBytes = 16 << 10

// content is what a file holds. Bytes of the last piece beyond the size are unspecified.
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
		c.chunks = append(c.chunks, new([chunkBytes]byte))
	}
	c.size = max(c.size, size)
}

// resize cuts the content off, or adds zeros.
func (c *content) resize(size int64) {
	if size < c.size {
		c.chunks = c.chunks[:(size+chunkBytes-1)/chunkBytes]
		c.size = size
		return
	}
	for off, had := c.size, int64(len(c.chunks))*chunkBytes; off < min(size, had); {
		zeros := c.at(off, min(size, had)-off)
		clear(zeros)
		off += int64(len(zeros))
	}
	c.grow(size)
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
