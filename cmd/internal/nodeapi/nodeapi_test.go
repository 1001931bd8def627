package nodeapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestANodeThatRefuses is quoted in its own words, without the form in which it sent them.
func TestANodeThatRefuses(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"operation refused by store: local process is down","outcome":"refused"}`: "the node answers 503 Service Unavailable: " +
			"operation refused by store: local process is down",
		"plain \x1b text\n": "503 Service Unavailable: plain \ufffd text",
	} {
		require.ErrorContains(t, answerError("503 Service Unavailable", []byte(body)), want)
	}
}
