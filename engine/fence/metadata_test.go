package fence_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/fence"
)

// agentMetadata is what an agent of a kind prints: power, fabric (cuts a network or disks), cycle (its method
// is cycle unless another is given), blind (cannot report the state), simple (has no method), missing
// (reports
// what it cannot find as off), silent (prints nothing).
func agentMetadata(agent, kind string) []byte {
	if kind == "silent" {
		return []byte("usage: " + agent + " <node>\n")
	}
	automatic, method, missing := "0", "onoff", "0"
	actions := []string{"off", "reboot", "status", "monitor", "metadata"}
	switch kind {
	case "fabric":
		automatic = "1"
		actions = []string{"off", "status", "monitor", "metadata"}
	case "cycle":
		method = "cycle"
	case "blind":
		actions = []string{"off", "reboot", "monitor", "metadata"}
	case "missing":
		missing = "1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "x.py:5: DeprecationWarning: 'pipes' is deprecated\n  from pipes import quote\n<?xml "+
		"version=\"1.0\" ?>\n"+
		"<resource-agent name=%q shortdesc=\"x\" >\n<longdesc>x &amp; y</longdesc>\n<parameters>\n", agent)
	parameter := func(name, mixed, kind, content, attributes string) {
		fmt.Fprintf(&b, "\t<parameter name=%q unique=\"0\" required=\"0\"%s>\n\t\t<getopt mixed=%q />\n"+
			"\t\t<content type=%q %s\t\t<shortdesc lang=\"en\">x</shortdesc>\n\t</parameter>\n",
			name, attributes, mixed, kind, content)
	}
	old := ` deprecated="1"`
	parameter("action", "-o, --action=[action]", "string", `default="reboot" />`, "")
	parameter("ipaddr", "-a, --ip=[ip]", "string", "/>", old)
	parameter("ip", "-a, --ip=[ip]", "string", "/>", ` obsoletes="ipaddr"`)
	parameter("ipport", "-u, --ipport=[port]", "integer", `default="623" />`, "")
	parameter("username", "-l, --username=[name]", "string", "/>", "")
	parameter("login", "-l, --username=[name]", "string", "/>", old)
	parameter("password", "-p, --password=[password]", "string", "/>", "")
	parameter("passwd", "-p, --password=[password]", "string", "/>", old)
	parameter("password_script", "-S, --password-script=[script]", "string", "/>", "")
	parameter("plug", "-n, --plug=[id]", "string", "/>", "")
	parameter("port", "-n, --plug=[id]", "string", "/>", old)
	parameter("lanplus", "-P, --lanplus", "boolean", `default="1" />`, "")
	parameter("secure", "-x, --ssh", "boolean", "/>", old)
	parameter("ssh", "-x, --ssh", "boolean", "/>", "")
	parameter("ssl_insecure", "--ssl-insecure", "boolean", "/>", "")
	parameter("network-fencing", "--network-fencing", "boolean", "/>", "")
	parameter("missing_as_off", "--missing-as-off", "boolean", fmt.Sprintf("default=%q />", missing), "")
	parameter("power_wait", "--power-wait=[seconds]", "second", `default="0" />`, "")
	parameter("mood", "--mood=[mood]", "string", "/>", "")
	parameter("version", "-V, --version", "boolean", "/>", "")
	if kind != "simple" {
		parameter("method", "-m, --method=[method]", "select", fmt.Sprintf(
			`default=%q ><option value="onoff" /><option value="cycle" /></content>`, method), "")
	}
	fmt.Fprintf(&b, "</parameters>\n<actions>\n\t<action name=\"on\" automatic=%q/>\n", automatic)
	for _, a := range actions {
		fmt.Fprintf(&b, "\t<action name=%q />\n", a)
	}
	b.WriteString("</actions>\n</resource-agent>\n")
	return []byte(b.String())
}

func metadataOf(t require.TestingT, agent, kind string) *fence.Metadata {
	if kind == "silent" {
		return &fence.Metadata{Agent: agent}
	}
	m, err := fence.ReadMetadata(env.CommandResult{Output: agentMetadata(agent, kind)})
	require.NoError(t, err)
	return m
}

func arg(key, value string) fence.Arg { return fence.Arg{Key: key, Value: value} }

func bare(key string) fence.Arg { return fence.Arg{Key: key, Bare: true} }

func TestMetadataIsRead(t *testing.T) {
	m := metadataOf(t, "fence_x", "power")
	require.Equal(t, "fence_x", m.Agent)
	require.False(t, m.AutomaticOn)
	require.Equal(t, "actions=off,on,reboot,status automatic=0 method=onoff", m.Fingerprint())
	require.Equal(t, "actions=off,on,status automatic=1 method=onoff", metadataOf(t, "fence_x",
		"fabric").Fingerprint())
	require.Equal(t, "actions=off,on,reboot,status automatic=0 method=-", metadataOf(t, "fence_x",
		"simple").Fingerprint())
	require.Contains(t, m.Parameters, fence.Parameter{Name: "method", Long: "method", Letter: "m",
		Kind:    "select",
		Default: "onoff", Choices: []string{"onoff", "cycle"}})
	require.Contains(t, m.Parameters, fence.Parameter{Name: "secure", Long: "ssh", Letter: "x",
		Kind: "boolean", Deprecated: true})
	for _, r := range []env.CommandResult{
		{Err: env.ErrCommandTimeout},
		{Code: 1, Output: agentMetadata("fence_x", "power")},
		{Output: agentMetadata("fence_x", "silent")},
		{Output: []byte("</resource-agent><resource-agent>")},
		{Output: agentMetadata("fence_x", "power")[:900]},
		{Output: []byte("<resource-agent><actions></resource-agent>")},
	} {
		_, err := fence.ReadMetadata(r)
		require.ErrorIs(t, err, fence.ErrMetadata)
	}
}

// TestArgumentsAreTranslated to what the agents' common library takes on standard input.
func TestArgumentsAreTranslated(t *testing.T) {
	m := metadataOf(t, "fence_x", "power")
	for name, c := range map[string]struct{ given, want []fence.Arg }{
		"as they are": {[]fence.Arg{arg("ip", "10.0.0.1"), arg("plug", "3")},
			[]fence.Arg{arg("ip", "10.0.0.1"), arg("plug", "3")}},
		"letters": {[]fence.Arg{arg("a", "10.0.0.1"), arg("l", "root"), bare("x")},
			[]fence.Arg{arg("ip", "10.0.0.1"), arg("username", "root"), arg("ssh", "1")}},
		"spelling": {[]fence.Arg{arg("power-wait", "2"), arg("ssl_insecure", "yes"),
			arg("network_fencing", "1")}, []fence.Arg{arg("power_wait", "2"), arg("ssl_insecure",
			"1"), arg("network-fencing", "1")}},
		"old names": {[]fence.Arg{arg("ipaddr", "1"), arg("passwd", "s"), arg("secure", "on")},
			[]fence.Arg{arg("ip", "1"), arg("password", "s"), arg("ssh", "1")}},
		"off is left out": {[]fence.Arg{arg("ssh", "0"), arg("x", "false")}, nil},
		"off against on":  {[]fence.Arg{arg("P", "no")}, []fence.Arg{arg("lanplus", "0")}},
		"the later wins": {[]fence.Arg{arg("ip", "1"), arg("plug", "3"), arg("a", "2")},
			[]fence.Arg{arg("plug", "3"), arg("ip", "2")}},
		"switched off again": {[]fence.Arg{bare("ssh"), arg("x", "0")}, []fence.Arg{}},
		"blanks and quotes":  {[]fence.Arg{arg("p", ` a "b" `)}, []fence.Arg{arg("password", ` a "b" `)}},
		"choice":             {[]fence.Arg{arg("method", "ONOFF")}, []fence.Arg{arg("method", "ONOFF")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := m.Translate(&fence.Part{Agent: "fence_x", Args: c.given})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	got, err := m.Translate(&fence.Part{Agent: "fence_x", PasswordFile: "/etc/holdfast/pdu"})
	require.NoError(t, err)
	require.Equal(t, []fence.Arg{arg("password_script", "cat /etc/holdfast/pdu")}, got)
	m.Parameters = nil
	_, err = m.Translate(&fence.Part{Agent: "fence_x", PasswordFile: "/etc/holdfast/pdu"})
	require.ErrorIs(t, err, fence.ErrArgument)
}

func TestArgumentsThatAgentsDoNotTake(t *testing.T) {
	m := metadataOf(t, "fence_x", "power")
	for want, a := range map[string]fence.Arg{
		`fence_x has no option "ipx"`:                        arg("ipx", "1"),
		`fence_x has no option "q"`:                          bare("q"),
		`lanplus: it is a switch: write 0 or 1, not "maybe"`: arg("lanplus", "maybe"),
		`x: it is a switch: write 0 or 1, not ""`:            arg("x", ""),
		`ip: it needs a value`:                               bare("ip"),
		`u: it is a number, not "http"`:                      arg("u", "http"),
		`method: it is one of onoff, cycle, not "off"`:       arg("method", "off"),
		`p: its value contains a control character`:          arg("p", "a\nb"),
	} {
		_, err := m.Vet(&fence.Part{Agent: "fence_x", Args: []fence.Arg{a}})
		require.ErrorIs(t, err, fence.ErrArgument)
		require.EqualError(t, err, "argument that the agent does not take: "+want)
	}
}

func TestWhatProvesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		agent, kind string
		args        []fence.Arg
		want        string // "" if it may prove something
	}{
		"power switch":      {"fence_x", "power", nil, ""},
		"without a method":  {"fence_x", "simple", nil, ""},
		"switch port":       {"fence_x", "fabric", nil, "leaves it running"},
		"cannot be asked":   {"fence_x", "blind", nil, `no action "status"`},
		"cycle by default":  {"fence_x", "cycle", nil, "method=cycle"},
		"told not to cycle": {"fence_x", "cycle", []fence.Arg{arg("method", "onoff")}, ""},
		"told to cycle":     {"fence_x", "power", []fence.Arg{arg("m", "Cycle")}, "method=Cycle"},
		"network of a cloud": {"fence_x", "power", []fence.Arg{bare("network_fencing")},
			"cuts the node off from its network"},
		"prints its version":      {"fence_x", "power", []fence.Arg{bare("V")}, "with version"},
		"ping":                    {"fence_heuristics_ping", "power", nil, "whether other agents are called"},
		"cross cable, whole path": {"/usr/sbin/fence_crosslink", "power", nil, "infers"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := metadataOf(t, c.agent, c.kind).Vet(&fence.Part{Agent: c.agent, Args: c.args})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fence.ErrProvesNothing)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestVerifiedAgentsSurviveTheirFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := fence.AgentFingerprints(rapid.MapOf(rapid.StringMatching(`[a-z/][a-z_/]{0,8}`),
			rapid.StringMatching(`[a-z=,]{1,9}( [a-z]{1,4})?`)).
			Draw(t, "verified"))
		got, err := fence.DecodeFingerprints(v.Encode())
		require.NoError(t, err)
		require.Equal(t, v, got)
	})
	for _, text := range []string{"fence_x\n", " x\n", "a b\na b\n", "a \xff\n"} {
		_, err := fence.DecodeFingerprints(text)
		require.ErrorIs(t, err, fence.ErrUnreadableFingerprints)
	}
}

// FuzzReadMetadata: whatever an agent prints, it is metadata or an error.
func FuzzReadMetadata(f *testing.F) {
	f.Add(agentMetadata("fence_x", "power"))
	f.Add([]byte("<resource-agent><parameters><parameter><getopt " +
		"mixed=\"-\"/></parameter></parameters></resource-agent>"))
	f.Fuzz(func(t *testing.T, output []byte) {
		m, err := fence.ReadMetadata(env.CommandResult{Output: output})
		if err != nil {
			require.ErrorIs(t, err, fence.ErrMetadata)
			return
		}
		require.NotContains(t, m.Fingerprint(), "\n\n")
		_, _ = m.Vet(&fence.Part{Agent: "fence_x", Args: []fence.Arg{arg("a", "b"), bare("m"), arg("", "")}})
	})
}

// FuzzDecodeFingerprints: a file that is read can be written again.
func FuzzDecodeFingerprints(f *testing.F) {
	f.Add("# x\nfence_x actions=off automatic=0 method=-\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := fence.DecodeFingerprints(text)
		if err != nil {
			return
		}
		again, err := fence.DecodeFingerprints(v.Encode())
		require.NoError(t, err)
		require.Equal(t, v, again)
	})
}
