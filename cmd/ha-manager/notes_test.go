package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEachNoteIsAnEntryOfTheStatus, with a number of its own.
func TestEachNoteIsAnEntryOfTheStatus(t *testing.T) {
	v := &view{askedNode: "n1", notes: []string{"a", "b"}, managerStatus: nil}
	entries := v.noteEntries()
	require.Equal(t, "note:2", entries[1].ID)
	require.Equal(t, "b", entries[1].Status)
}
