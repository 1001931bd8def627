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

// resourceOptions are the options of a resource.
var resourceOptions = []string{"state", "group", "max_restart", "max_relocate", "failback", "comment"}

// errNoResource means that a resource is not configured.
var errNoResource = errors.New("no such resource")

// completeSID completes a bare number to a sid of the kind, by default a virtual machine's.
func completeSID(word, kind string) (string, error) {
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

// configDigest identifies a version of a configuration, to which a change can be restricted.
func configDigest(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

var errDigest = errors.New("detected modified configuration - file changed by other user? Try again.")

func sameDigest(cmd *cobra.Command, text string) error {
	if want, err := cmd.Flags().GetString("digest"); err == nil && want != "" && want != configDigest(text) {
		return errDigest
	}
	return nil
}

// resourceCommands are the commands that show and change the resources under HA.
type resourceCommands struct{ *tool }

func (t resourceCommands) newConfigCommand() *cobra.Command {
	var kind string
	cmd := &cobra.Command{Use: "config", Short: "list the configured resources", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := t.readFile(cmd.Context(), haproc.ResourcesPath)
			if err != nil {
				return err
			}
			return t.printSections(cmd, text, sectionShape{idKey: "sid", kindKey: "type",
				titleOf:  func(s config.Section) string { return s.Kind + ":" + s.ID },
				idOf:     func(s config.Section) string { return s.Kind + ":" + s.ID },
				includes: func(s config.Section) bool { return kind == "" || s.Kind == kind }})
		}}
	cmd.Flags().StringVar(&kind, "type", "", "only resources of this kind, such as vm or ct")
	return t.withFormatFlag(cmd)
}

// sectionShape is how a file of sections is shown.
type sectionShape struct {
	idKey, kindKey string // the names of id and kind in JSON; no kind where it is always the same
	titleOf, idOf  func(config.Section) string
	includes       func(config.Section) bool
}

// printSections prints each section as a title and its properties below.
func (t *tool) printSections(cmd *cobra.Command, text string, shape sectionShape) error {
	sections, _, err := config.ParseSections(text)
	if err != nil {
		return err
	}
	if shape.includes != nil {
		sections = slices.DeleteFunc(sections, func(s config.Section) bool { return !shape.includes(s) })
	}
	list := make([]map[string]string, 0, len(sections))
	for _, s := range sections {
		item := map[string]string{shape.idKey: shape.idOf(s), "digest": configDigest(text)}
		if shape.kindKey != "" {
			item[shape.kindKey] = s.Kind
		}
		for _, kv := range s.Keys {
			item[kv.Key] = kv.Value
		}
		list = append(list, item)
	}
	return t.printValue(cmd, list, func(w io.Writer) error {
		for i, s := range sections {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, shape.titleOf(s))
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
	withBooleanFlag(cmd, "failback", "1", "go back to a better node when it returns")
	cmd.Flags().String("comment", "", "any `text`")
	return cmd
}

func applyOptions(cmd *cobra.Command, service *ha.ServiceConfig) error {
	for _, name := range resourceOptions {
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
	sid, err := completeSID(word, kind)
	if err != nil {
		return err
	}
	a, err := t.connectAPI()
	if err != nil {
		return err
	}
	if group := cmd.Flags().Lookup("group"); group != nil && group.Changed && group.Value.String() != "" {
		if err := groupsGoneError(cmd, a, "invalid parameter 'group'"); err != nil {
			return err
		}
	}
	return a.editFile(cmd.Context(), haproc.ResourcesPath, func(old string) (string, error) {
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

func (t resourceCommands) newAddCommand() *cobra.Command {
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
					if home, err := nodeWithConfig(cmd, a, sid); err != nil || home == "" {
						return errors.Join(err,
							fmt.Errorf("resource '%s' does not exist: no node has a configuration of it; "+
								"`ha-manager guest create %s --node NODE` makes one", sid, sid))
					}
					service := config.DefaultService(ha.SIDType(sid))
					service.State = ha.WantStarted
					services[sid] = service
					return applyOptions(cmd, service)
				})
		}}
	cmd.Flags().StringVar(&kind, "type", "", "the kind of the resource, such as vm or ct")
	return withProperties(cmd)
}

// nodeWithConfig returns the node that has a resource's configuration, "" when none has.
func nodeWithConfig(cmd *cobra.Command, a *api, sid string) (string, error) {
	present, err := a.listFiles(cmd.Context(), nodesDir)
	return nodeByGuest(present)[sid], err
}

func (t resourceCommands) newSetCommand() *cobra.Command {
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
					return applyOptions(cmd, service)
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
				strings.Join(resourceOptions, ", "))
		}
	}
	return nil
}

func (t resourceCommands) newRemoveCommand() *cobra.Command {
	var cmd *cobra.Command
	cmd = &cobra.Command{Use: "remove SID", Short: "take a resource out of HA; it keeps running",
		Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			sid, err := completeSID(args[0], "")
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
			return t.purgeFromRules(cmd, sid)
		}}
	withBooleanFlag(cmd, "purge", "1", "take the resource out of all rules, too")
	return cmd
}

// purgeFromRules removes a resource from all rules, and removes rules that are left without resources.
func (t resourceCommands) purgeFromRules(cmd *cobra.Command, sid string) error {
	a, err := t.connectAPI()
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
