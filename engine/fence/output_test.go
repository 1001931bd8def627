package fence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheLineThatExplainsAFailure is found in what agents of fence-agents 4.12.1 print.
func TestTheLineThatExplainsAFailure(t *testing.T) {
	for _, c := range []struct{ want, output string }{
		{"", ""},
		{"Parse error: option --power_wait not recognized",
			"fence_x:5: DeprecationWarning: 'pipes' is deprecated\n  from pipes import quote\n" +
				"ERROR:root:Parse error: option --power_wait not recognized\n\n" +
				"ERROR:root:Please use '-h' for usage\n"},
		{"Failed: Unable to obtain correct plug status or plug is not available",
			"2026-11-30 05:55:51,808 ERROR: Failed: Unable to obtain correct plug status or plug is not " +
				"available\n\n\n"},
		{"At least one of a or b must be supplied",
			"WARNING:root:Parse error: Ignoring unknown option 'bogus=1'\n\n" +
				"ERROR:root:At least one of a or b must be supplied\n\n" +
				"2026-11-30 05:56:03,577 ERROR: At least one of a or b must be supplied\n\n" +
				"ERROR:root:Please use '-h' for usage\n"},
		{"Returned 1: Created directory: /x; No community name specified.; USAGE: snmpget",
			"2026-11-30 05:56:03,208 ERROR: Returned 1: Created directory: /x\n" +
				"No community name specified.\nUSAGE: snmpget\n\nmore\n"},
		{"pexpect.exceptions.ExceptionPexpect: The command was not found",
			"Traceback (most recent call last):\n  File \"/usr/sbin/fence_apc\", line 263, in <module>\n" +
				"    main()\n    ^^^^^^\npexpect.exceptions.ExceptionPexpect: The command was not found\n"},
		{"Unable to connect/login to fencing device",
			"[debug]: off\nUnable to connect/login to fencing device\n"},
		{"last", "first\nlast\r\n"},
		{"ab[31m", "a\x00b\x1b[31m\xff"},
	} {
		require.Equal(t, c.want, decisiveLine([]byte(c.output)), "%q", c.output)
	}
}

func TestSecretsAreNotQuoted(t *testing.T) {
	args := []Arg{{Key: "password", Value: "hush-hush"}, {Key: "plug", Value: "hush"}, {Key: "passwd",
		Value: "on"}}
	require.Equal(t, "ipmitool -P *** is on", redact("ipmitool -P hush-hush is on", args))
}

func TestValuesSurviveTheAgentsInput(t *testing.T) {
	for value, want := range map[string]string{
		"two words": "k=two words\n", " at the ends ": "k=\" at the ends \"\n",
		`"quoted"`: "k=\"\"quoted\"\"\n", `"`: "k=\"\n",
		"": "k=\n", "a=b": "k=a=b\n",
	} {
		require.Equal(t, want, Arg{Key: "k", Value: value}.inputLine())
	}
}
