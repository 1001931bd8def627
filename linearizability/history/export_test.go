package history

// DecodeFast gives tests the fast decoder.
func DecodeFast(line []byte) (Event, bool) {
	var d fastDecoder
	var e Event
	ok := d.decode(line, &e)
	return e, ok
}
