package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
)

// guestRaces is how many numbers two administrators give at the same time.
const guestRaces = 61

// TestTwoAdministratorsGiveTheSameNumber: exactly one of two creations at the same instant succeeds, whatever
// the nodes and kinds, and the other one is told who was first.
func TestTwoAdministratorsGiveTheSameNumber(t *testing.T) {
	thorough.Only(t, "a cluster of three daemons works for half a minute")
	c := newCluster(t)
	for number := 300; number < 300+guestRaces; number++ {
		second := "vm"
		if number%3 == 0 {
			second = "ct"
		}
		sids := []string{fmt.Sprintf("vm:%d", number), fmt.Sprintf("%s:%d", second, number)}
		codes, texts := make([]int, 2), make([]string, 2)
		done := make(chan struct{})
		for i := range sids {
			go func() {
				codes[i], _, texts[i] = c.ask(n2+i, "guest", "create", sids[i], "--node",
					fmt.Sprintf("n%d", n2+i+1), "--memory", fmt.Sprint(1024*(1+i)))
				done <- struct{}{}
			}()
		}
		<-done
		<-done
		require.ElementsMatch(t, []int{exitOK, exitFailed}, codes, "%q", texts)
		require.Contains(t, texts[0]+texts[1], "already exists on node 'n")
	}
	var list []struct{ SID, Node string }
	require.NoError(t, json.Unmarshal([]byte(c.must("guest", "list", "--output-format", "json")), &list))
	require.Len(t, list, guestRaces)
	code, _, text := c.ask(n1, "guest", "create", "ct:300", "--node", "n3")
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "unable to create ct:300")
	require.Contains(t, text, "already exists on node")
}
