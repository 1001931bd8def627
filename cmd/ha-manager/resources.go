package main

import (
	"crypto/sha1" // Proxmox VE's digest of a configuration file; it protects nothing
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// properties are the options of a resource.
var properties = []string{"state", "group", "max_restart", "max_relocate", "failback", "comment"}

// errNoResource means that a resource is not configured.
var errNoResource = errors.New("no such resource")

// sidOf completes a bare number to a sid of the kind, by default a virtual machine's.
func sidOf(word, kind string) (string, error) {
	if kind == "" {
		kind = "vm"
	}
	if _, err := strconv.Atoi(word); err == nil {
		word = kind + ":" + word
	}
	if _, _, err := ha.SplitSID(word); err != nil {
		return "", fmt.Errorf("%w: %w", errUsage, err)
	}
	return word, nil
}

func parseResources(text string) (map[string]*ha.ServiceConfig, error) {
	services, problems, err := config.ParseResources(text)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%s: %s; correct the file first", haproc.ResourcesPath, problems[0])
	}
	return services, err
}

// digest identifies a version of a configuration, to which a change can be restricted.
func digest(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

var errDigest = errors.New("detected modified configuration - file changed by other user? Try again.")

func sameDigest(cmd *cobra.Command, text string) error {
	if want, err := cmd.Flags().GetString("digest"); err == nil && want != "" && want != digest(text) {
		return errDigest
	}
	return nil
}

// resourceCommands are the commands that show and change the resources under HA.
type resourceCommands struct{ *tool }

func (t resourceCommands) config() *cobra.Command {
	var kind string
	cmd := &cobra.Command{Use: "config", Short: "list the configured resources", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := t.readFile(cmd.Context(), haproc.ResourcesPath)
			if err != nil {
				return err
			}
			return t.printSections(cmd, text, sectionShape{key: "sid", kind: "type",
				title: func(s config.Section) string { return s.Kind + ":" + s.ID },
				id:    func(s config.Section) string { return s.Kind + ":" + s.ID },
				keep:  func(s config.Section) bool { return kind == "" || s.Kind == kind }})
		}}
	cmd.Flags().StringVar(&kind, "type", "", "only resources of this kind, such as vm or ct")
	return t.printing(cmd)
}

// sectionShape is how a file of sections is shown.
type sectionShape struct {
	key, kind string // the names of id and kind in JSON; no kind where it is always the same
	title, id func(config.Section) string
	keep      func(config.Section) bool
}

// printSections prints each section as a title and its properties below.
func (t *tool) printSections(cmd *cobra.Command, text string, shape sectionShape) error {
	sections, _, err := config.ParseSections(text)
	if err != nil {
		return err
	}
	if shape.keep != nil {
		sections = slices.DeleteFunc(sections, func(s config.Section) bool { return !shape.keep(s) })
	}
	list := make([]map[string]string, 0, len(sections))
	for _, s := range sections {
		item := map[string]string{shape.key: shape.id(s), "digest": digest(text)}
		if shape.kind != "" {
			item[shape.kind] = s.Kind
		}
		for _, kv := range s.Keys {
			item[kv.Key] = kv.Value
		}
		list = append(list, item)
	}
	return t.print(cmd, list, func(w io.Writer) error {
		for i, s := range sections {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, shape.title(s))
			for _, kv := range s.Keys {
				fmt.Fprintf(w, "\t%s %s\n", kv.Key, kv.Value)
			}
		}
		return nil
	})
}

// withProperties gives a command the options of a resource.
func withProperties(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("state", "started", "the requested `state`: started, stopped, disabled or ignored")
	cmd.Flags().String("group", "", "the HA `group` (groups are gone once they are migrated: use rules)")
	cmd.Flags().Int("max_restart", ha.DefaultMaxRestart,
		"how often a failed start is repeated on the same node")
	cmd.Flags().Int("max_relocate", ha.DefaultMaxRelocate, "how many other nodes are tried after that")
	withSwitch(cmd, "failback", "1", "go back to a better node when it returns")
	cmd.Flags().String("comment", "", "any `text`")
	return cmd
}

func apply(cmd *cobra.Command, service *ha.ServiceConfig) error {
	for _, name := range properties {
		flag := cmd.Flags().Lookup(name)
		if !flag.Changed {
			continue
		}
		if err := config.SetServiceProperty(service, name, flag.Value.String()); err != nil {
			return fmt.Errorf("%w: --%s: %w", errUsage, name, err)
		}
	}
	return nil
}

// resourceChange is a change of the configured resources.
type resourceChange func(a *api, sid string, services map[string]*ha.ServiceConfig) error

// changeResource edits one entry of the resources file.
func (t resourceCommands) changeResource(cmd *cobra.Command, word, kind string, change resourceChange) error {
	sid, err := sidOf(word, kind)
	if err != nil {
		return err
	}
	a, err := t.connect()
	if err != nil {
		return err
	}
	if group := cmd.Flags().Lookup("group"); group != nil && group.Changed && group.Value.String() != "" {
		if err := noGroups(cmd, a, "invalid parameter 'group'"); err != nil {
			return err
		}
	}
	return a.edit(cmd.Context(), haproc.ResourcesPath, func(old string) (string, error) {
		if err := sameDigest(cmd, old); err != nil {
			return "", err
		}
		services, err := parseResources(old)
		if err != nil {
			return "", err
		}
		if err := change(a, sid, services); err != nil {
			return "", err
		}
		return config.FormatResources(services), nil
	})
}

func (t resourceCommands) add() *cobra.Command {
	var cmd *cobra.Command
	var kind string
	cmd = &cobra.Command{Use: "add SID", Short: "put a resource under HA", Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeResource(cmd, args[0], kind,
				func(a *api, sid string, services map[string]*ha.ServiceConfig) error {
					if services[sid] != nil {
						return fmt.Errorf("resource ID '%s' already defined", sid)
					}
					if kind != "" && ha.SIDType(sid) != kind {
						return fmt.Errorf("%w: %s is no resource of type %s", errUsage, sid, kind)
					}
					if home, err := homeOf(cmd, a, sid); err != nil || home == "" {
						return errors.Join(err,
							fmt.Errorf("resource '%s' does not exist: no node has a configuration of it; "+
								"`ha-manager guest create %s --node NODE` makes one", sid, sid))
					}
					service := config.DefaultService(ha.SIDType(sid))
					service.State = ha.WantStarted
					services[sid] = service
					return apply(cmd, service)
				})
		}}
	cmd.Flags().StringVar(&kind, "type", "", "the kind of the resource, such as vm or ct")
	return withProperties(cmd)
}

// homeOf returns the node that has a resource's configuration, "" when none has.
func homeOf(cmd *cobra.Command, a *api, sid string) (string, error) {
	present, err := a.list(cmd.Context(), nodesDir)
	return homes(present)[sid], err
}

func (t resourceCommands) set() *cobra.Command {
	var cmd *cobra.Command
	var unset []string
	cmd = &cobra.Command{Use: "set SID", Short: "change a resource's options", Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return t.changeResource(cmd, args[0], "",
				func(_ *api, sid string, services map[string]*ha.ServiceConfig) error {
					service := services[sid]
					if service == nil {
						return fmt.Errorf("%w '%s'", errNoResource, sid)
					}
					if err := resetProperties(service, unset); err != nil {
						return err
					}
					return apply(cmd, service)
				})
		}}
	cmd.Flags().StringSliceVar(&unset, "delete", nil,
		"the `options` to set back to their defaults, separated by commas")
	cmd.Flags().String("digest", "", "change nothing unless the configuration has this `digest`")
	return withProperties(cmd)
}

// resetProperties sets options back to their defaults.
func resetProperties(service *ha.ServiceConfig, names []string) error {
	fresh := config.DefaultService(service.Type)
	fresh.State = ha.WantStarted
	for _, name := range names {
		switch name {
		case "state":
			service.State = fresh.State
		case "group":
			service.Group = ""
		case "comment":
			service.Comment = ""
		case "failback":
			service.Failback = fresh.Failback
		case "max_restart":
			service.MaxRestart = fresh.MaxRestart
		case "max_relocate":
			service.MaxRelocate = fresh.MaxRelocate
		default:
			return fmt.Errorf("%w: --delete: there is no option %q, only %s", errUsage, name,
				strings.Join(properties, ", "))
		}
	}
	return nil
}

func (t resourceCommands) remove() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "remove SID", Short: "take a resource out of HA; it keeps running",
		Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sid, err := sidOf(args[0], "")
			if err != nil {
				return err
			}
			err = t.changeResource(cmd, sid, "",
				func(_ *api, sid string, services map[string]*ha.ServiceConfig) error {
					if services[sid] == nil {
						return fmt.Errorf("%w '%s'", errNoResource, sid)
					}
					delete(services, sid)
					return nil
				})
			if err != nil || cmd.Flags().Lookup("purge").Value.String() != "1" {
				return err
			}
			return t.purge(cmd, sid)
		}}
	withSwitch(cmd, "purge", "1", "take the resource out of all rules, too")
	return cmd
}

// purge removes a resource from all rules, and removes rules that are left without resources.
func (t resourceCommands) purge(cmd *cobra.Command, sid string) error {
	a, err := t.connect()
	if err != nil {
		return err
	}
	all, err := readRules(cmd.Context(), a)
	if err != nil || !slices.ContainsFunc(slices.Collect(maps.Values(all)),
		func(r *config.Rule) bool { return r.Has(sid) }) {
		return err
	}
	return t.changeSections(cmd, haproc.RulesPath, checkRules,
		func(sections []config.Section) ([]config.Section, error) {
			var kept []config.Section
			for _, s := range sections {
				if rule := all[s.ID]; rule == nil || !rule.Has(sid) || dropResource(&s, sid) {
					kept = append(kept, s)
				}
			}
			return kept, nil
		})
}

// dropResource removes a resource from a rule and reports whether any is left.
func dropResource(s *config.Section, sid string) bool {
	for i := range s.Keys {
		if s.Keys[i].Key != "resources" {
			continue
		}
		list := slices.DeleteFunc(strings.FieldsFunc(s.Keys[i].Value,
			func(r rune) bool { return strings.ContainsRune(",; ", r) }),
			func(x string) bool { return x == sid })
		s.Keys[i].Value = strings.Join(list, ",")
		return len(list) > 0
	}
	return true
}
