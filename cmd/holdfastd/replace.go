package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/internal/nodeapi"
	"github.com/holdfast-sim/holdfast/cmd/internal/nodemain"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// replaceArg is the argument that makes the program give a node its vote back.
const replaceArg = "replace-member"

const replaceHelp = `replace-member gives a node its vote in the store back, after its disk was replaced,
wiped or put back to an older state. Such a node takes part without a vote, because its disk has forgotten
what it had confirmed; ha-manager status shows it.

Run it on any node of the cluster, while the node itself runs and the cluster has quorum. Where only its vote
is missing for quorum, as in a cluster of two, the others must have everything that was acknowledged, or it is
refused. Never start the old disk again afterwards: it would vote for what it remembers.

NODE is the node's name or its id in corosync.conf.`

// replaceTimes bound how often and for how long the store is asked while it is busy with a new membership.
const (
	replaceTries = 20
	replacePause = 500 * time.Millisecond
)

var errReplace = errors.New("cannot replace the member")

// replaceMain runs the command and returns its exit code.
func replaceMain(args []string, stdout, stderr io.Writer) int {
	var api string
	code := nodemain.ExitUsage
	cmd := &cobra.Command{Use: "holdfastd " + replaceArg + " NODE", Long: replaceHelp,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("it takes one node, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ask, err := storeClient(api)
			if err != nil {
				return err
			}
			code = nodemain.ExitInternal
			text, err := replaceMember(cmd.Context(), ask, args[0])
			if err != nil {
				return err
			}
			code = nodemain.ExitOK
			fmt.Fprintln(stdout, text)
			return nil
		}}
	cmd.Flags().StringVar(&api, "api", os.Getenv(nodeapi.AddressVariable),
		"the API `socket` of a node of the cluster, or https://HOST:PORT (default: "+
			nodeapi.AddressVariable+")")
	cmd.SetOut(stderr)
	cmd.SetErr(stderr)
	cmd.SetArgs(args)
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(stderr, "%s\n\n%s", cmd.Long, cmd.UsageString())
		code = nodemain.ExitOK
	})
	if err := cmd.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintf(stderr, "holdfastd %s: %v\n", replaceArg, err)
		if code == nodemain.ExitUsage {
			fmt.Fprintf(stderr, "\n%s", cmd.UsageString())
		}
	}
	return code
}

// storeRequester asks the store of a node.
type storeRequester func(ctx context.Context, r store.Request) (*store.Response, error)

// storeClient asks the store of the node at an address.
func storeClient(address string) (storeRequester, error) {
	client, err := nodeapi.NewClient(address)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r store.Request) (*store.Response, error) {
		answer, err := client.Call(ctx, http.MethodPost, hostapi.PathOp+store.Process, r.Encode())
		if err != nil {
			return nil, err
		}
		return store.DecodeResponse(answer)
	}, nil
}

// replaceMember gives a node its vote back and returns what was done.
func replaceMember(ctx context.Context, ask storeRequester, node string) (string, error) {
	id := strings.ToLower("replace/" + rand.Text()[:16])
	asked := "" // the store that was to get the vote in an earlier try, whose outcome is unknown
	for try := range replaceTries {
		if try > 0 {
			time.Sleep(replacePause)
		}
		answer, err := ask(ctx, store.Request{ID: id + "/status", Op: store.OpStatus})
		if err != nil {
			return "", err
		}
		if answer.Status == nil {
			return "", fmt.Errorf("%w: the node's store has no status: %s", errReplace, answer.Message)
		}
		if i := slices.IndexFunc(answer.Status.Config, func(m store.MemberStatus) bool {
			return isNamed(&m, node) && asked != "" && m.Incarnation == asked
		}); i >= 0 {
			return doneText(&answer.Status.Config[i]), nil
		}
		m, err := findVoteless(answer.Status, node)
		if err != nil {
			return "", err
		}
		asked = m.Present
		answer, err = ask(ctx, store.Request{ID: id, Op: store.OpReplaceMember, Retry: try > 0, Node: m.Node,
			Incarnation: m.Present})
		switch {
		case err != nil:
			return "", err
		case answer.OK:
			return doneText(m), nil
		case answer.Code == store.CodeReadOnly:
			return "", fmt.Errorf("%w: the cluster has no quorum without it, and the nodes that are here "+
				"may not give it alone (%s): bring more of the other nodes back first", errReplace,
				reasonOf(answer))
		case answer.Code != store.CodeTryAgain && answer.Code != store.CodeUnknown:
			return "", fmt.Errorf("%w: %s", errReplace, reasonOf(answer))
		}
	}
	return "", fmt.Errorf("%w: the store was busy for %v: try again", errReplace, replaceTries*replacePause)
}

// doneText is the message about a member that was replaced.
func doneText(m *store.MemberStatus) string {
	return fmt.Sprintf("node %s has its vote back, with the store %s; never start its old disk again",
		nameOf(m), m.Present)
}

// isNamed reports whether an operator means this member.
func isNamed(m *store.MemberStatus, node string) bool {
	return node == m.Name || node == strconv.FormatUint(uint64(m.Node), 10)
}

func reasonOf(r *store.Response) string { return fmt.Sprintf("%s: %s", r.Code, r.Message) }

// nameOf returns how a message names a member.
func nameOf(m *store.MemberStatus) string {
	if m.Name == "" {
		return strconv.FormatUint(uint64(m.Node), 10)
	}
	return m.Name
}

// findVoteless finds a node that runs a store without a vote.
func findVoteless(s *store.Status, node string) (*store.MemberStatus, error) {
	var names []string
	for i := range s.Config {
		m := &s.Config[i]
		names = append(names, nameOf(m))
		if !isNamed(m, node) {
			continue
		}
		switch {
		case m.Present == "":
			return nil, fmt.Errorf("%w: node %s does not take part at present: start it with its new disk "+
				"first", errReplace, node)
		case m.Present == m.Incarnation && m.VotelessSinceMS != 0:
			return nil, fmt.Errorf("%w: node %s is about to join with a new identity: try again", errReplace,
				node)
		case m.Present == m.Incarnation:
			return nil, fmt.Errorf("%w: node %s has its vote: nothing is to be replaced", errReplace, node)
		}
		return m, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: the store of the node that was asked is in no cluster: ask another node",
			errReplace)
	}
	return nil, fmt.Errorf("%w: there is no node %q in the store's configuration; it has %s", errReplace,
		node, strings.Join(names, ", "))
}
