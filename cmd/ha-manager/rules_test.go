package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/rulebook"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// ruleNode is a node of a cluster of two with four services and a rule.
func ruleNode(t *testing.T) *node {
	n := newNode(t)
	t.Setenv("LC_ALL", "C")
	n.nodes("n1", "n2")
	n.services("vm:11", "vm:12", "vm:13", "ct:14")
	n.must("rules", "add", "node-affinity", "home", "--resources", "vm:11", "--nodes", "n1:2,n2", "--strict")
	return n
}

// TestRulesThatAreRefused: a rule that could not be in force changes nothing.
func TestRulesThatAreRefused(t *testing.T) {
	n := ruleNode(t)
	n.must("rules", "set", "node-affinity", "home", "--comment", "where the sun shines", "--delete", "strict")
	before := n.file(haproc.RulesPath)
	require.Equal(t, "node-affinity: home\n\tresources vm:11\n\tnodes n1:2,n2\n"+
		"\tcomment where the sun shines\n\n", before)
	const create, update = "create ha rule failed: ", "update HA rules failed: "
	for _, c := range []struct{ command, want string }{
		{"add node-affinity keep --resources vm:77,ct:14,vm:78 --nodes n1", create +
			"cannot use unmanaged resource(s) vm:77, vm:78."},
		{"add node-affinity keep --resources vm:12 --nodes n77:1,n1", create +
			"cannot use non-existent node(s) n77."},
		{"add node-affinity home --resources vm:12 --nodes n1", create + "HA rule 'home' already defined"},
		{"add node-affinity keep --resources vm:11 --nodes n1",
			create + "Rule 'keep' is invalid.\n" +
				"resources: resource 'vm:11' is already used in another node affinity rule\n"},
		{"add resource-affinity keep --resources vm:12 --affinity negative",
			create + "Rule 'keep' is invalid.\n" +
				"resources: rule is ineffective as there are less than two resources\n"},
		{"add resource-affinity keep --resources vm:12,vm:13,ct:14 --affinity negative",
			create +
				"Rule 'keep' is invalid.\nresources: rule defines more resources than available nodes\n"},
		{"add resource-affinity keep --resources vm:11,vm:12 --affinity positive",
			create + "Rule 'keep' is invalid.\n" +
				"resources: resources are in node affinity rules with multiple priorities\n"},
		{"add resource-affinity keep --resources vm:12,vm:13 --affinity maybe",
			`"maybe" is neither positive nor negative`},
		{"add node-affinity k --resources vm:12 --nodes n1", "invalid configuration ID 'k'"},
		{"add node-affinity keep --resources vm:12 --nodes n1 --comment a\nb",
			"--comment: write one line of text"},
		{"add somewhere keep --resources vm:12", "a rule is of type node-affinity or resource-affinity"},
		{"add node-affinity keep --resources vm:12", create + "rule keep: property nodes is missing"},
		{"add node-affinity keep", "--resources is missing"},
		{"set node-affinity keep --resources vm:12", update + "HA rule 'keep' does not exist"},
		{"set resource-affinity home --resources vm:12", update + "HA rule 'home' is of type node-affinity"},
		{"set node-affinity home --resources vm:77", update + "cannot use unmanaged resource(s) vm:77."},
		{"set node-affinity home --nodes n77", update + "cannot use non-existent node(s) n77."},
		{"set node-affinity home --delete nodes", "property nodes is missing"},
		{"set node-affinity home --delete memory", "there is no option"},
		{"set node-affinity home --strict=perhaps", "write 0 or 1"},
		{"remove keep", "delete ha rule failed: HA rule 'keep' does not exist"},
		{"fly", "there is no fly? write add, config, list, remove, set"},
	} {
		code, _, errs := n.run(append([]string{"rules"}, strings.Split(c.command, " ")...)...)
		require.Equal(t, 255, code, c.command)
		require.Contains(t, errs, c.want, c.command)
		require.Equal(t, before, n.file(haproc.RulesPath), "%s changes nothing", c.command)
	}
	n.must("rules", "remove", "home")
	require.Empty(t, n.file(haproc.RulesPath))
}

// TestWordsThatDoNotExist: as in Proxmox VE's command, a type that does not exist and a missing command are
// errors.
func TestWordsThatDoNotExist(t *testing.T) {
	n := ruleNode(t)
	for command, want := range map[string]string{
		"rules config --type home": "write node-affinity, resource-affinity",
		"rules list --type x":      "write node-affinity, resource-affinity",
		"config --type qemu":       "write vm, ct",
		"":                         "no command",
	} {
		code, out, errs := n.run(strings.Fields(command)...)
		require.Equal(t, 255, code, command)
		require.Contains(t, errs, want, command)
		require.Empty(t, out, command)
	}
	require.Contains(t, n.must("config", "--type", "vm"), "vm:11")
	require.NotContains(t, n.must("config", "--type", "vm"), "ct:14")
}

// TestARuleWithALostResourceCanBeChanged: only what the command names is checked.
func TestARuleWithALostResourceCanBeChanged(t *testing.T) {
	n := ruleNode(t)
	n.must("remove", "vm:11", "--purge", "0")
	n.must("rules", "set", "node-affinity", "home", "--comment", "x")
	code, _, _ := n.run("rules", "set", "node-affinity", "home", "--resources", "vm:11,vm:12")
	require.Equal(t, 255, code)
}

// TestARuleThatEndsAnother is accepted where Proxmox VE accepts it, with a warning.
func TestARuleThatEndsAnother(t *testing.T) {
	n := ruleNode(t)
	n.must("rules", "set", "node-affinity", "home", "--disable", "1")
	n.must("rules", "add", "resource-affinity", "pair", "--resources", "vm:11,vm:12",
		"--affinity", "positive")
	code, _, errs := n.run("rules", "set", "node-affinity", "home", "--disable", "0")
	require.Equal(t, 255, code)
	require.Contains(t, errs, "Rule 'home' is invalid.\n"+
		"resources: resources are in a resource affinity rule and cannot be")

	// A disabled rule is in force nowhere, so that it is accepted.
	n.must("rules", "add", "node-affinity", "away", "--resources", "vm:11", "--nodes", "n1:2,n2",
		"--disable", "1")
}

// rulesInConflict are rules that a person wrote into the file.
const rulesInConflict = `node-affinity: home
	resources vm:11
	nodes n1:2,n2
	strict 1

node-affinity: away
	resources vm:11
	nodes n2
	comment why

resource-affinity: pair
	resources vm:12,vm:13
	affinity negative
	disable 1

`

// TestRulesAreShown: the tables of both commands, and their formats.
func TestRulesAreShown(t *testing.T) {
	n := ruleNode(t)
	n.put(haproc.RulesPath, rulesInConflict)
	require.Equal(t, `+---------+---------------------+------+-------------------+-------------+---------+
| enabled | state               | rule | type              | resources   | comment |
+=========+=====================+======+===================+=============+=========+
| 0       | in use              | pair | resource-affinity | vm:12,vm:13 |         |
+---------+---------------------+------+-------------------+-------------+---------+
| 1       | ignored (conflicts) | home | node-affinity     | vm:11       |         |
+---------+---------------------+------+-------------------+-------------+---------+
| 1       | ignored (conflicts) | away | node-affinity     | vm:11       | why     |
+---------+---------------------+------+-------------------+-------------+---------+
`, n.must("rules", "config"))
	require.Equal(t, "rule enabled state               type              resources   affinity     comment "+
		"conflicts\n"+
		"away 1       ignored (conflicts) node-affinity     vm:11       n2           why     "+
		"resource 'vm:11' is already used in another node affinity rule\n"+
		"home 1       ignored (conflicts) node-affinity     vm:11       n1:2,n2 only         "+
		"resource 'vm:11' is already used in another node affinity rule\n"+
		"pair 0       in use              resource-affinity vm:12,vm:13 negative             \n",
		n.must("rules", "list", "--noborder"))
	require.Equal(t, "0       in use pair resource-affinity vm:12,vm:13 \n",
		n.must("rules", "config", "--noborder", "1", "--noheader", "--resource", "vm:12",
			"--human-readable", "0"))
	require.NotContains(t, n.must("rules", "list", "--type", "node-affinity"), "pair")
	require.Empty(t, n.must("rules", "list", "--quiet"))
	require.Empty(t, n.must("rules", "config", "--resource", "vm:999"), "a table without rows is not printed")
	t.Setenv("LC_ALL", "C.UTF-8")
	require.True(t, strings.HasPrefix(n.must("rules", "config"), "┌─────────┬──"))

	require.Equal(t, "---\n- affinity: negative\n  digest: "+configDigest(rulesInConflict)+
		"\n  disable: 1\n  enabled: 0\n  order: 3\n  resources: vm:12,vm:13\n  rule: pair\n  state: in use\n"+
		"  type: resource-affinity\n", n.must("rules", "config", "--resource", "vm:13",
		"--output-format", "yaml"))
	var list []rulebook.Row
	require.NoError(t, json.Unmarshal([]byte(n.must("rules", "list", "--output-format", "json")), &list))
	require.Equal(t, map[string][]string{
		"resources": {"resource 'vm:11' is already used in another node affinity rule"}},
		list[0].Errors)
	require.Equal(t, "n1:2,n2", list[1].Nodes)

	n.put(haproc.RulesPath, rulesInConflict+"garbage\n")
	code, out, errs := n.run("rules", "config")
	require.Zero(t, code)
	require.Contains(t, out, "pair")
	require.Contains(t, errs, "warning: ha/rules.cfg: line 16: section header expected: garbage; ")
	code, _, errs = n.run("rules", "remove", "pair")
	require.Equal(t, 255, code)
	require.Contains(t, errs, "delete ha rule failed: correct the file first: ha/rules.cfg: line 16: ")
}

// TestNodesThatAreNotKnownYet: before any LRM has written its status, every node is accepted.
func TestNodesThatAreNotKnownYet(t *testing.T) {
	n := newNode(t)
	n.services("vm:11", "vm:12")
	n.must("rules", "add", "node-affinity", "home", "--resources", "vm:11", "--nodes", "n1")
	n.must("rules", "add", "resource-affinity", "pair", "--resources", "vm:11,vm:12",
		"--affinity", "negative")
}

// TestConfiguredNodes: a node exists before its LRM has written anything.
func TestConfiguredNodes(t *testing.T) {
	n := newNode(t)
	n.configured = []string{"n2", "n1", "n3"}
	n.nodes("n2")
	n.must("guest", "create", "vm:11", "--node", "n1")
	n.must("add", "vm:11")
	n.must("rules", "add", "node-affinity", "home", "--resources", "vm:11", "--nodes", "n1,n3")
	code, _, errs := n.run("migrate", "vm:11", "n4")
	require.Equal(t, 255, code)
	require.Contains(t, errs, "no such cluster node 'n4': there are n1, n2, n3")
	require.NotContains(t, n.must("status"), "lrm n1")
}
