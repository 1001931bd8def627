package haproc

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// Version is the version of the HA manager that a node publishes, in Proxmox VE's numbering. This
// version understands rules instead of groups.
const Version = "9.1.0"

// WriteManagerStatus implements ha.CRMEnv. It replaces only the status that this master last read or
// wrote, so that a master that was replaced without noticing changes nothing.
func (w *storeEnv) WriteManagerStatus(status *ha.ManagerStatus) error {
	out := *status
	out.Timestamp = w.toWallSeconds(status.Timestamp)
	out.Taken = w.batchesInStatus()
	data, err := out.Encode()
	if err != nil {
		return err
	}
	revision, err := w.writeFile(ManagerStatusPath, data, w.managerStatusRevision)
	if err != nil {
		return err
	}
	w.managerStatusRevision = revision
	w.removeTakenBatches()
	return nil
}

// WriteLRMStatus implements ha.LRMEnv.
func (w *storeEnv) WriteLRMStatus(status *ha.LRMStatus) error {
	out := *status
	out.Timestamp = w.toWallSeconds(status.Timestamp)
	data, err := out.Encode()
	if err != nil {
		return err
	}
	if err := w.replaceOwnFile(LRMStatusPath(w.opts.Node), data); err != nil {
		return err
	}
	if w.versionPublished {
		return nil
	}
	self := w.opts.Self
	self.Version = w.opts.installedVersion(w.env)
	info, err := json.Marshal(self)
	if err != nil {
		return fmt.Errorf("encoding the version: %w", err)
	}
	err = w.replaceOwnFile(VersionPath(w.opts.Node), info)
	w.versionPublished = err == nil
	return err
}

// replaceOwnFile writes a file of which this process is the only writer.
func (w *storeEnv) replaceOwnFile(path string, data []byte) error {
	delete(w.filesRead, path)
	_, err := w.store.Write(w.task, path, data)
	if errors.Is(err, client.ErrNotFound) {
		if err := w.store.Mkdir(w.task, env.Dir(path)); err != nil {
			return err
		}
		_, err = w.store.Write(w.task, path, data)
	}
	return err
}

// UpdateServiceState implements ha.CRMEnv.
func (w *storeEnv) UpdateServiceState(sid string, requested ha.RequestedState) error {
	return w.editServices(func(services map[string]*ha.ServiceConfig) error {
		cd := services[sid]
		if cd == nil {
			return fmt.Errorf("setting the state of %s: no such service", sid)
		}
		cd.State = requested
		return nil
	})
}

// UpdateServiceConfig implements ha.CRMEnv.
func (w *storeEnv) UpdateServiceConfig(changed map[string]*ha.ServiceConfig) error {
	return w.editServices(func(services map[string]*ha.ServiceConfig) error {
		for sid, cd := range changed {
			if services[sid] != nil {
				services[sid] = cd.Clone()
			}
		}
		return nil
	})
}

func (w *storeEnv) editServices(change func(map[string]*ha.ServiceConfig) error) error {
	defer func() { w.generation++ }()
	return w.editFile(ResourcesPath, func(old []byte) ([]byte, error) {
		services, problems, err := config.ParseResources(string(old))
		if err != nil {
			return nil, err
		}
		if len(problems) > 0 {
			// Writing it back would drop what could not be read.
			return nil, fmt.Errorf("changing %s: %s; correct the file first", ResourcesPath, problems[0])
		}
		if err := change(services); err != nil {
			return nil, err
		}
		return []byte(config.FormatResources(services)), nil
	})
}

// StealService implements ha.CRMEnv. The configuration moves in one step, after which the resource
// belongs to the new node.
func (w *storeEnv) StealService(sid, from, to string) error {
	return w.moveGuest(sid, from, to)
}

// moveGuest moves a configuration. An error that is client.ErrUnknown means that it may have moved.
func (w *storeEnv) moveGuest(sid, from, to string) error {
	w.dropCache()
	source, target := GuestPath(sid, from), GuestPath(sid, to)
	if err := w.store.Mkdir(w.task, env.Dir(target)); err != nil {
		return err
	}
	err := w.store.Rename(w.task, source, target)
	if !errors.Is(err, client.ErrNotFound) {
		return err
	}
	switch _, _, missing := w.store.Read(w.task, target); {
	case missing == nil:
		return nil // moved by an attempt whose answer was lost
	case !errors.Is(missing, client.ErrNotFound):
		return fmt.Errorf("asking whether %s was moved: %w: %w", source, client.ErrUnknown, missing)
	}
	return err
}

// RemoveServiceLock implements ha.CRMEnv.
func (w *storeEnv) RemoveServiceLock(sid string) (string, error) {
	services, err := w.ReadServiceConfig()
	if err != nil || services[sid] == nil {
		return "", err
	}
	name := ""
	err = w.editFile(GuestPath(sid, services[sid].Node), func(old []byte) ([]byte, error) {
		var without []byte
		without, name = withoutLock(old)
		return without, nil
	})
	return name, err
}

// WriteRules implements ha.CRMEnv.
func (w *storeEnv) WriteRules(text string) error {
	f, err := w.readFile(RulesPath)
	if err != nil {
		return err
	}
	_, err = w.writeFile(RulesPath, []byte(text), f.revision)
	return err
}

// DeleteGroups implements ha.CRMEnv.
func (w *storeEnv) DeleteGroups() error {
	f, err := w.readFile(GroupsPath)
	if err != nil || f.revision == 0 {
		return err
	}
	delete(w.filesRead, GroupsPath)
	return w.store.Delete(w.task, GroupsPath, f.revision)
}
