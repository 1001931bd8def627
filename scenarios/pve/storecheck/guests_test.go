package storecheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/store"
)

// change adds a change that every machine has on disk.
func (s *story) change(rev uint64, op, path, to string) *story {
	return s.add(store.Applied{Epoch: first, Revision: rev, Request: string(rune('a' + rev)), Op: op,
		Path: path, To: to, Chain: string(rune('a' + rev))}, 0, 1, 2)
}

func TestOneConfigurationForEachGuest(t *testing.T) {
	const vm, elsewhere, ct = "nodes/n1/qemu-server/102.conf", "nodes/n2/qemu-server/102.conf",
		"nodes/n3/lxc/102.conf"
	begin := func() *story {
		return (&story{}).install(first, everybody, 0, 0, 1, 2).change(1, "create", vm, "")
	}
	v := begin().change(2, "rename", vm, elsewhere).change(3, "write", elsewhere, "").
		change(4, "delete", elsewhere, "").change(5, "cas", ct, "").
		change(6, "create", "nodes/n1/service/web.conf", "").verdict(t, "guests", nil)
	require.Equal(t, valid, v.Validity, v.Summary)
	require.Equal(t, "one configuration for each of 2 guests, at every revision", v.Summary)
	for op, explain := range map[string]string{
		"create": "guest 102 is configured by nodes/n1/qemu-server/102.conf and by nodes/n3/lxc/102.conf",
		"cas":    "and by nodes/n3/lxc/102.conf", "write": "and by nodes/n3/lxc/102.conf"} {
		v := begin().change(2, op, ct, "").verdict(t, "guests", nil)
		require.Equal(t, invalid, v.Validity, op)
		require.Contains(t, v.Summary, explain)
	}
	v = begin().change(2, "create", "nodes/n1/lxc/103.conf", "").
		change(3, "rename", "nodes/n1/lxc/103.conf", vm).verdict(t, "guests", nil)
	require.Equal(t, invalid, v.Validity, "one guest replaces another")
	require.Contains(t, v.Summary, "nodes/n1/lxc/103.conf replaces the configuration "+vm)
	v = begin().change(2, "create", "draft", "").change(3, "rename", "draft", vm).verdict(t, "guests", nil)
	require.Equal(t, valid, v.Validity, "a file is written in one step")
}
