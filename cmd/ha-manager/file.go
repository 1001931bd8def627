package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	pathpkg "path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/fencecheck"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// fileCommands are the commands under "ha-manager file".
type fileCommands struct{ *tool }

func (t fileCommands) newFileCommand() *cobra.Command {
	group := commandGroup(&cobra.Command{Use: "file",
		Short: "the files of HA, to look at them and to correct them",
		Long: `All settings of HA are files that the cluster replicates. The other commands change them; these
are for a file that the others cannot read, such as one with a line that a person wrote:

    ha-manager file show ha/resources.cfg > resources.cfg
    ha-manager file digest ha/resources.cfg
    ha-manager file replace ha/resources.cfg resources.cfg --digest DIGEST`})
	group.AddCommand(t.newListCommand(), t.newShowCommand(), t.newDigestCommand(), t.newReplaceCommand())
	return group
}

func (t fileCommands) newListCommand() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "list the files of HA and of the nodes", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := t.newAPIClient()
			if err != nil {
				return err
			}
			paths, err := a.listHAFiles(cmd.Context())
			for _, path := range paths {
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return err
		}}
}

// listHAFiles returns the files of HA and of the nodes.
func (a *api) listHAFiles(ctx context.Context) ([]string, error) {
	var out []string
	_, revision, err := a.readFile(ctx, haproc.DatacenterPath)
	if revision > 0 {
		out = append(out, haproc.DatacenterPath)
	}
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"ha", nodesDir} {
		present, err := a.listFiles(ctx, dir)
		if err != nil {
			return nil, err
		}
		for _, path := range slices.Sorted(maps.Keys(present)) {
			if present[path] {
				out = append(out, path)
			}
		}
	}
	return out, nil
}

// readExisting reads a file that must exist.
func (t fileCommands) readExisting(cmd *cobra.Command, path string) (string, error) {
	a, err := t.newAPIClient()
	if err != nil {
		return "", err
	}
	text, revision, err := a.readFile(cmd.Context(), path)
	if err == nil && revision == 0 {
		err = fmt.Errorf("%s: %w", path, errNotFound)
	}
	return text, err
}

func (t fileCommands) newShowCommand() *cobra.Command {
	return &cobra.Command{Use: "show PATH", Short: "print a file as it is", Args: exactArgs(1),
		ValidArgsFunction: t.completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := t.readExisting(cmd, args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		}}
}

func (t fileCommands) newDigestCommand() *cobra.Command {
	return &cobra.Command{Use: "digest PATH", Short: "print the digest of a file", Args: exactArgs(1),
		ValidArgsFunction: t.completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := t.readExisting(cmd, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), configDigest(text))
			return err
		}}
}

// editable are the files that can be replaced, apart from those of the nodes.
var editable = []string{haproc.ResourcesPath, haproc.RulesPath, haproc.GroupsPath, haproc.FencePath,
	haproc.DatacenterPath, haproc.ManagerStatusPath}

// errNotEditable means that a file is not one that an administrator corrects.
var errNotEditable = errors.New("this file cannot be replaced")

// checkContent returns the problems of a file with this content, by the reader that the engine uses.
func checkContent(path, text string) (problems []config.Problem, err error) {
	switch path {
	case haproc.ResourcesPath:
		_, problems, err = config.ParseResources(text)
	case haproc.RulesPath:
		_, problems, err = config.ParseRules(text)
	case haproc.GroupsPath:
		_, problems, err = config.ParseGroups(text)
	case haproc.FencePath:
		// Without a word of "fence set" about its agent, a device proves nothing.
		_, err = fencecheck.Plan(text, func(string) error { return nil })
	case haproc.DatacenterPath:
		problems = config.DatacenterProblems(text)
	case haproc.ManagerStatusPath:
		_, err = ha.DecodeManagerStatus([]byte(text))
	default:
		_, node, isNode := cutNodeDir(path)
		if !isNode || haproc.LRMStatusPath(node) != pathpkg.Clean(path) {
			return nil, fmt.Errorf("%w: write %s, or the lrm_status of a node", errNotEditable,
				strings.Join(editable, ", "))
		}
		_, err = ha.DecodeLRMStatus([]byte(text))
	}
	return problems, err
}

func (t fileCommands) newReplaceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "replace PATH FILE", Short: "replace a file (FILE -: standard input)",
		Args: exactArgs(2), ValidArgsFunction: completeReplace,
		Long: `Replaces a file of HA. Nothing changes when the new content has a line that cannot be read, or
when --digest is given and the file is another one meanwhile. The files are those of the administrator
(ha/resources.cfg, ha/rules.cfg, ha/groups.cfg, ha/fence.cfg, datacenter.cfg) and, for repairs, those that
the engine writes itself: ha/manager_status and nodes/NODE/lrm_status. These are JSON, and an empty file
stands for nothing known; the master and the LRM then write them anew.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFence(cmd, args[1])
			if err != nil {
				return err
			}
			problems, err := checkContent(args[0], text)
			if err == nil && len(problems) > 0 {
				err = fmt.Errorf("%s", problems[0])
			}
			if err != nil {
				return fmt.Errorf("%s is not replaced: %w", args[0], err)
			}
			a, err := t.newAPIClient()
			if err != nil {
				return err
			}
			return a.editFile(cmd.Context(), args[0], func(old string) (string, error) {
				return text, sameDigest(cmd, old)
			})
		}}
	cmd.Flags().String("digest", "", "change nothing unless the present file has this `digest`")
	return cmd
}

// completeReplace completes the path with those of HA, and leaves the file to the shell.
func completeReplace(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return words(editable...)(cmd, args, word)
	}
	return nil, cobra.ShellCompDirectiveDefault
}
