package main

import (
	"cmp"
	"crypto/sha1" // Proxmox VE's digest of a configuration file; it protects nothing
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast-sim/holdfast/cmd/ha-manager/internal/ids"
	"github.com/holdfast-sim/holdfast/cmd/internal/salvage"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
)

// resourceOptions are the options of a resource.
var resourceOptions = []string{"state", "group", "max_restart", "max_relocate", "failback", "comment"}

func parseResources(text string) (map[string]*ha.ServiceConfig, error) {
	services, problems, err := config.ParseResources(text)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("%w: %s", errDamaged, salvage.Damage{Path: haproc.ResourcesPath, Problems: problems})
	}
	return services, err
}

// errDamaged means that a file is not changed because the part that cannot be read would be lost.
var errDamaged = errors.New("correct the file first")

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
			sections, digest, err := t.readSections(cmd, haproc.ResourcesPath)
			if err != nil {
				return err
			}
			sid := func(s config.Section) string { return s.Kind + ":" + s.ID }
			sections = slices.DeleteFunc(sections,
				func(s config.Section) bool { return kind != "" && s.Kind != kind })
			return t.printSections(cmd, sections, digest, sectionShape{idKey: "sid", kindKey: "type",
				titleOf: sid, idOf: sid})
		}}
	wordVar(cmd, &kind, "type", "only resources of this `kind`: vm or ct", ids.Kinds...)
	return t.withFormatFlag(cmd)
}

// withProperties gives a command the options of a resource.
func withProperties(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("state", "started", "the requested `state`: started, stopped, disabled or ignored")
	completeWords(cmd, "state", "started", "stopped", "disabled", "ignored")
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
		if err := checkOneLine(name, flag.Value.String()); err != nil {
			return err
		}
		if err := config.SetServiceProperty(service, name, flag.Value.String()); err != nil {
			return fmt.Errorf("%w: --%s: %w", errUsage, name, err)
		}
	}
	return nil
}

// resourceChange is a change of the configured resources.
type resourceChange func(services map[string]*ha.ServiceConfig) error

// changeResources edits the resources file. An error about its content begins with what failed.
func (a *api) changeResources(cmd *cobra.Command, what string, change resourceChange) error {
	return a.editFile(cmd.Context(), haproc.ResourcesPath, func(old string) (string, error) {
		services, err := parseResources(old)
		if err == nil {
			err = sameDigest(cmd, old)
		}
		if err == nil {
			err = change(services)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return config.FormatResources(services), nil
	})
}

// checkGroup refuses a group in a cluster that has rules instead.
func checkGroup(cmd *cobra.Command, a *api) error {
	if group := cmd.Flags().Lookup("group"); !group.Changed || group.Value.String() == "" {
		return nil
	}
	return groupsGoneError(cmd, a, "invalid parameter 'group'")
}

func (t resourceCommands) newAddCommand() *cobra.Command {
	var cmd *cobra.Command
	var kind string
	cmd = &cobra.Command{Use: "add SID", Short: "put a resource under HA", Args: exactArgs(1),
		ValidArgsFunction: t.completeUnmanaged,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := ids.CheckSIDForm(args[0]); err != nil {
				return err
			}
			a, v, err := t.writableView(cmd)
			if err != nil {
				return err
			}
			sid, err := a.resolveSID(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case kind != "" && ha.SIDType(sid) != kind:
				return fmt.Errorf("%w: types does not match: %s is not of type %s", errUsage, sid, kind)
			}
			service := config.DefaultService(ha.SIDType(sid))
			service.State = ha.WantStarted
			err = cmp.Or(checkGroup(cmd, a), ids.CheckGuestSID(sid), applyOptions(cmd, service))
			if err != nil {
				return err
			}
			if err := ids.CheckGuestExists(v.configNodes, sid); err != nil {
				return err
			}
			return a.changeResources(cmd, "create resource failed",
				func(services map[string]*ha.ServiceConfig) error {
					if services[sid] != nil {
						return fmt.Errorf("resource ID '%s' already defined", sid)
					}
					services[sid] = service
					return nil
				})
		}}
	cmd.Flags().StringVar(&kind, "type", "", "the `kind` of the resource: vm or ct")
	completeWords(cmd, "type", ids.Kinds...)
	return withProperties(cmd)
}

func (t resourceCommands) newSetCommand() *cobra.Command {
	var cmd *cobra.Command
	var unset []string
	cmd = &cobra.Command{Use: "set SID", Short: "change a resource's options", Args: exactArgs(1),
		ValidArgsFunction: t.completeManaged,
		Long: `Changes a resource's options. What is not given stays as it is.

A resource in state error has to be disabled before anything else: set --state disabled, remove the cause,
set --state started.`,
		RunE: func(_ *cobra.Command, args []string) error {
			a, v, sid, err := t.writableService(cmd, args[0])
			if err != nil {
				return err
			}
			requested := ""
			if state := cmd.Flags().Lookup("state"); state.Changed {
				requested = state.Value.String()
			}
			if err := cmp.Or(checkGroup(cmd, a), v.checkServiceState(sid, requested)); err != nil {
				return err
			}
			return a.changeResources(cmd, "update resources config failed",
				func(services map[string]*ha.ServiceConfig) error {
					service := services[sid]
					if service == nil {
						return fmt.Errorf("no such resource '%s'", sid)
					}
					if err := resetProperties(service, unset); err != nil {
						return err
					}
					return applyOptions(cmd, service)
				})
		}}
	cmd.Flags().StringSliceVar(&unset, "delete", nil,
		"the `options` to set back to their defaults, separated by commas")
	completeWords(cmd, "delete", resourceOptions...)
	cmd.Flags().String("digest", "", "change nothing unless the configuration has this `digest`")
	return withProperties(cmd)
}

// writableService connects to a node with quorum, and resolves a word to a service.
func (t *tool) writableService(cmd *cobra.Command, word string) (*api, *view, string, error) {
	if err := ids.CheckSIDForm(word); err != nil {
		return nil, nil, "", err
	}
	a, v, err := t.writableView(cmd)
	if err != nil {
		return nil, nil, "", err
	}
	sid, err := a.resolveSID(cmd.Context(), word)
	return a, v, sid, err
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
		Args: exactArgs(1), ValidArgsFunction: t.completeManaged,
		RunE: func(_ *cobra.Command, args []string) error {
			a, v, sid, err := t.writableService(cmd, args[0])
			if err != nil {
				return err
			}
			if err := v.damaged.Of(haproc.ResourcesPath); err == nil && v.services[sid] == nil {
				return fmt.Errorf("cannot delete service '%s', not HA managed!", sid)
			}
			err = a.changeResources(cmd, deleteFailed, func(services map[string]*ha.ServiceConfig) error {
				delete(services, sid)
				return nil
			})
			if err != nil || !isOn(cmd, "purge") {
				return err
			}
			return t.purgeFromRules(cmd, v, sid)
		}}
	withBooleanFlag(cmd, "purge", "1", "take the resource out of all rules, too")
	return cmd
}

// deleteFailed begins the errors of a removal.
const deleteFailed = "delete resource failed"

// purgeFromRules removes a resource from all rules, and removes rules that are left without resources.
func (t resourceCommands) purgeFromRules(cmd *cobra.Command, v *view, sid string) error {
	if !slices.ContainsFunc(slices.Collect(maps.Values(v.rules)),
		func(r *config.Rule) bool { return r.Has(sid) }) {
		return nil
	}
	return t.changeSections(cmd, haproc.RulesPath, deleteFailed, checkRules,
		func(sections []config.Section) ([]config.Section, error) {
			var kept []config.Section
			for _, s := range sections {
				if dropResource(&s, sid) {
					kept = append(kept, s)
				}
			}
			return kept, nil
		})
}

// dropResource removes a resource from a rule and reports whether the rule stays.
func dropResource(s *config.Section, sid string) bool {
	for i := range s.Keys {
		if s.Keys[i].Key != "resources" {
			continue
		}
		list := strings.FieldsFunc(s.Keys[i].Value,
			func(r rune) bool { return strings.ContainsRune(",; \t", r) })
		if !slices.Contains(list, sid) {
			return true
		}
		list = slices.DeleteFunc(list, func(x string) bool { return x == sid })
		s.Keys[i].Value = strings.Join(list, ",")
		return len(list) > 0
	}
	return true
}
