package haproc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
	"github.com/holdfast-sim/holdfast/engine/store/client"
)

// Commands are carried out exactly once, whichever master ends at which point. The master renames the
// file with the commands to a name that was never used, so that its lines are a batch to which
// nothing is added, and carries them out on its status. The status that it writes then names the
// batch. Only after that is the batch removed. A new master finds the batches that earlier masters
// left: one that the status names has been carried out, any other has not.
//
// For example, n1 renames ha/crm_commands to ha/crm_commands.7f and dies:
//   - before it has written the status: the status does not name 7f, so n2 carries 7f out;
//   - after it has written the status: the status names 7f, so n2 only removes it.

// batchPrefix begins the names of batches.
const batchPrefix = CommandsPath + "."

// haDir is the directory of the HA manager's files.
const haDir = "ha"

// commandBatches is what a master knows about batches.
type commandBatches struct {
	takenByStatus  []string        // named by the status, as it was read or written last
	storedBatches  []string        // in the store, as of this round
	readThisRound  bool            // stored is of this round
	takenThisRound []CommandsTaken // carried out by this round
}

// maxBatches bounds the batches that one round takes; more wait for the next round.
const maxBatches = 16

// ReadCRMCommands implements ha.CRMEnv.
func (w *storeEnv) ReadCRMCommands() ([]ha.Command, error) {
	names, err := w.store.NamesBelow(w.task, haDir)
	if err != nil {
		return nil, err
	}
	w.storedBatches = slices.DeleteFunc(slices.Clone(names),
		func(n string) bool { return !strings.HasPrefix(n, batchPrefix) })
	w.takenThisRound, w.readThisRound = nil, true
	if slices.Contains(names, CommandsPath) && len(w.storedBatches) < maxBatches {
		if err := w.takeCommands(); err != nil {
			return nil, err
		}
	}
	var commands []ha.Command
	for _, name := range w.storedBatches {
		data, _, err := w.store.Read(w.task, name)
		if err != nil {
			return nil, err
		}
		batch := config.SplitCommands(string(data))
		if slices.Contains(w.takenByStatus, name) {
			// The master that wrote that status may have ended before it could emit this.
			w.env.Emit(CommandsTaken{Batch: name, Lines: batch, Before: true})
			continue
		}
		commands = append(commands, parseBatch(name, batch)...)
		w.takenThisRound = append(w.takenThisRound, CommandsTaken{Batch: name, Lines: batch})
	}
	return commands, nil
}

// parseBatch reads the lines of a batch. The name of a batch is never used again, so it and the
// number of the line identify a command.
func parseBatch(name string, lines []string) []ha.Command {
	commands := make([]ha.Command, len(lines))
	for i, line := range lines {
		commands[i], _ = config.ParseCommand(line) // the manager refuses a line that is not a command
		commands[i].UID = fmt.Sprintf("%s/%d", strings.TrimPrefix(name, batchPrefix), i)
	}
	return commands
}

// takeCommands makes a batch of the commands that are waiting.
func (w *storeEnv) takeCommands() error {
	f, err := w.readFile(CommandsPath)
	if err != nil || len(config.SplitCommands(string(f.data))) == 0 {
		return err
	}
	name := batchPrefix + w.NewUID()
	delete(w.filesRead, CommandsPath)
	if err := w.store.Rename(w.task, CommandsPath, name); err != nil {
		if errors.Is(err, client.ErrNotFound) {
			return nil // another master was faster
		}
		return fmt.Errorf("taking the commands: %w", err)
	}
	w.storedBatches = append(w.storedBatches, name)
	return nil
}

// batchesInStatus returns the batches that a status written now contains.
func (w *storeEnv) batchesInStatus() []string {
	if w.readThisRound {
		return w.storedBatches // removed batches need not be named
	}
	return w.takenByStatus
}

// removeTakenBatches removes the batches that the status contains. One that stays is removed later.
func (w *storeEnv) removeTakenBatches() {
	w.takenByStatus, w.readThisRound = w.batchesInStatus(), false
	for _, f := range w.takenThisRound {
		w.env.Emit(f)
	}
	w.takenThisRound = nil
	for _, name := range w.storedBatches {
		if err := w.store.Delete(w.task, name, 0); err != nil && !errors.Is(err, client.ErrNotFound) {
			w.Log(ha.LevelInfo, "removing commands that were carried out: "+err.Error())
		}
	}
	w.storedBatches = nil
}

// CRMCommandsPending implements ha.CRMEnv.
func (w *storeEnv) CRMCommandsPending() bool {
	f, err := w.readFile(CommandsPath)
	if err == nil && len(config.SplitCommands(string(f.data))) > 0 {
		return true
	}
	names, err := w.store.NamesBelow(w.task, haDir)
	return err == nil && slices.ContainsFunc(names,
		func(n string) bool { return strings.HasPrefix(n, batchPrefix) })
}

// CommandDecided implements ha.CRMEnv.
func (w *storeEnv) CommandDecided(d ha.CommandDecision) {
	if d.Refused == "" {
		w.env.Emit(CommandAccepted{Command: d.Command})
		return
	}
	w.env.Emit(CommandRefused{Command: d.Command, Reason: d.Refused})
}
