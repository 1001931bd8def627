package main

import (
	"bytes"
	"context"
	"errors"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/corosync"
	"github.com/holdfast-sim/holdfast/engine/host"
)

// names are what a lookup finds.
type names map[string][]string

func (n names) find(_ context.Context, name string) ([]netip.Addr, error) {
	if name == "slow" {
		return nil, errors.New("i/o timeout")
	}
	list, ok := n[name]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// lookedUp returns the addresses of the two nodes of goodConf when they have these names.
func lookedUp(t *testing.T, known names, version, one, two string) (string, []string, error) {
	t.Helper()
	text := strings.NewReplacer("ring0_addr: 127.0.0.1", "ring0_addr: "+one,
		"ring0_addr: 127.0.0.2", "ring0_addr: "+two).Replace(goodConf)
	if version != "" {
		text = strings.Replace(text, "totem {", "totem {\n  ip_version: "+version, 1)
	}
	conf, _, err := corosync.Parse("corosync.conf", []byte(text))
	require.NoError(t, err)
	var file host.MachineFile
	found, err := linksOf(&file, conf, known.find)
	if err != nil {
		return "", nil, err
	}
	var out []string
	for _, a := range file.Links[0].Addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, " "), found, nil
}

func TestHostNamesAsAddresses(t *testing.T) {
	known := names{"a.lab": {"fe80::1", "192.0.2.1", "2001:db8::1"}, "b.lab": {"2001:db8::2", "192.0.2.2"},
		"four": {"192.0.2.4"}, "own": {"127.0.1.1"}, "mapped": {"::ffff:192.0.2.9"}, "link": {"fe80::7"}}
	for _, c := range []struct{ version, one, two, want string }{
		{"", "a.lab", "b.lab", "2001:db8::1 2001:db8::2"},
		{"ipv6-4", "four", "192.0.2.1", "192.0.2.4 192.0.2.1"},
		{"ipv4", "a.lab", "b.lab", "192.0.2.1 192.0.2.2"},
		{"ipv4-6", "a.lab", "four", "192.0.2.1 192.0.2.4"},
		{"ipv6", "a.lab", "2001:db8::9", "2001:db8::1 2001:db8::9"},
		{"", "mapped", "four", "192.0.2.9 192.0.2.4"},
	} {
		got, found, err := lookedUp(t, known, c.version, c.one, c.two)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
		require.NotEmpty(t, found)
	}
	_, found, err := lookedUp(t, known, "ipv4", "a.lab", "192.0.2.2")
	require.NoError(t, err)
	require.Equal(t, []string{"corosync.conf: ring0_addr a.lab of node n1 is 192.0.2.1"}, found)
	for _, c := range []struct{ version, one, two, want string }{
		{"", "unknown", "four", "the name is unknown here; add it to /etc/hosts"},
		{"", "slow", "four", "looking up the name: i/o timeout"},
		{"ipv6", "four", "a.lab", `none that totem.ip_version "ipv6" allows`},
		{"", "link", "a.lab", "and none that"},
		{"", "a.lab", "four", "use one IP version"},
		{"ipv4", "a.lab", "192.0.2.1", "are both 192.0.2.1"},
		{"", "own", "four", "no other node reaches: give the name its address of this network in /etc/hosts"},
	} {
		_, _, err := lookedUp(t, known, c.version, c.one, c.two)
		require.ErrorContains(t, err, c.want)
	}
}

// TestCheckPrintsWhatIsNotCarriedOut: also what --check accepts is not silent.
func TestCheckPrintsWhatIsNotCarriedOut(t *testing.T) {
	var printed bytes.Buffer
	log.SetOutput(&printed)
	defer log.SetOutput(os.Stderr)
	conf := strings.Replace(goodConf, "provider:", "two_node: 1\n  provider:", 1)
	conf = strings.Replace(conf, "totem {", "totem {\n  ip_version: ipv4", 1)
	conf = strings.Replace(conf, "ring0_addr: 127.0.0.1", "ring0_addr: localhost", 1)
	code, said := check(t, `{"machine": 1}`, conf, goodKey, 0o600)
	require.Equal(t, nodemain.ExitOK, code, said)
	require.Contains(t, printed.String(), "quorum.two_node (line 22) is not carried out: both nodes")
	require.Contains(t, printed.String(), "ring0_addr localhost of node n1 is 127.0.0.1\n")
}
