package daemon

import "bytes"

// memo remembers what a file's content came to when it was read last. It is a shortcut for a pure
// function and not a cache of the store: the content is read from the store as often as ever, and
// only the work of parsing the very same bytes again is saved. So nothing that is stale can come
// out of it, whatever happens to locks, rounds, rings or the store's revisions.
//
// The value is shared by all who ask; nobody may change it.
type memo[T any] struct {
	known bool
	data  []byte
	value T
	err   error
}

// of is parse(data). parse must depend on nothing else and keep nothing of data.
func (m *memo[T]) of(data []byte, parse func([]byte) (T, error)) (T, error) {
	if !m.known || !bytes.Equal(m.data, data) {
		m.value, m.err = parse(data)
		m.data = append(m.data[:0], data...)
		m.known = true
	}
	return m.value, m.err
}
