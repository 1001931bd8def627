package reports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-sim/holdfast/scenarios"
	"github.com/holdfast-sim/holdfast/scenarios/futures"
)

// The files of a run folder.
const (
	ScenarioFile = "scenario.yaml" // the scenario as resolved
	HistoryFile  = "history.jsonl" // what the clients asked and got
	HistoryText  = "history.txt"   // the same for reading
	RecordsFile  = "records.jsonl" // what the system reported about itself
	FinalsFile   = "finals.json"   // what every machine answered after quiescence
	VerdictsFile = "verdicts.json"
	FaultsFile   = "faults.json" // as they were really applied
	LogsFile     = "logs.txt"
	LogsJSON     = "logs.jsonl"
	DigestFile   = "digest.txt"
	ReplayFile   = "replay.json"
	StoryFile    = "story.json" // lanes, policy and notes of the subject
	StoryText    = "story.txt"  // the lanes for reading
	SummaryFile  = "summary.json"
	PageFile     = "report.html"
	PictureFile  = "violation-1.html" // the search picture of a failed check, where there is one
	// LikelihoodFile holds the share of futures that fail, once it was measured.
	LikelihoodFile = "likelihood.json"
)

// LatestLink is the name of the symbolic link, beside the run folders of a scenario, to the newest.
const LatestLink = "latest"

// ErrNotRunFolder means that a folder was not written by a run.
var ErrNotRunFolder = errors.New("not a run folder")

// Paths says where the parts of a written run are.
type Paths struct {
	Dir      string `json:"dir"`
	Page     string `json:"page"`
	Scenario string `json:"scenario"`
	History  string `json:"history"`
	Replay   string `json:"replay"`
	Summary  string `json:"summary"`
	// Latest is the link to Dir; empty where links cannot be made.
	Latest string `json:"latest,omitempty"`
}

// Options are the parts of a report that come from elsewhere. The zero value is ready to use.
type Options struct {
	// Scenario writes the resolved scenario; by default [scenarios.Marshal] does.
	Scenario func(*scenarios.Scenario) ([]byte, error)
	// Timeline replaces the timeline of the run's subject; a run without its subject needs it.
	Timeline *scenarios.Timeline
	// Picture draws the search of a failed check as an HTML document of its own, instead of what
	// Run.Picture draws; nil, or an empty
	// document, when there is nothing to draw.
	Picture func(*scenarios.Run) ([]byte, error)
	// Replay is written beside the run. Seed, scenario and backend are filled in.
	Replay Replay
	// Extra are further files for the folder, by plain name, such as a trace.
	Extra map[string][]byte
	// Records has written the records while the run was made; nil, or one that got none, when they
	// are all in Run.Records.
	Records *Recorder
	// Likelihood is the share of futures of the run that fail; nil if it was not measured.
	Likelihood *futures.Result

	// recordsFile is the file with all records, once it is written; "" if they are in Run.Records.
	recordsFile string
	// against is another run beside which this one is shown.
	against *against
}

// WriteRun writes the folder of a run and moves the link "latest" beside it. The folder appears
// whole or not at all, and takes the place of an earlier one of the same seed. The caller chooses
// dir as <runs>/<scenario>/<seed>.
func WriteRun(dir string, run *scenarios.Run) (Paths, error) { return Options{}.WriteRun(dir, run) }

// WriteRun is the function [WriteRun] with options.
func (o Options) WriteRun(dir string, run *scenarios.Run) (Paths, error) {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return Paths{}, fmt.Errorf("making the folder for runs: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".writing-*")
	if err != nil {
		return Paths{}, fmt.Errorf("making a run folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone already unless something failed
	if err := o.writeFiles(temp, run); err != nil {
		return Paths{}, fmt.Errorf("writing the folder of %s, seed %d: %w", scenarioName(run), run.Seed, err)
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return Paths{}, fmt.Errorf("opening the run folder for reading: %w", err)
	}
	if err := replaceFolder(temp, dir); err != nil {
		return Paths{}, err
	}
	p := pathsOf(dir)
	p.Latest = linkLatest(parent, filepath.Base(dir))
	return p, nil
}

func pathsOf(dir string) Paths {
	at := func(file string) string { return filepath.Join(dir, file) }
	return Paths{Dir: dir, Page: at(PageFile), Scenario: at(ScenarioFile), History: at(HistoryFile),
		Replay: at(ReplayFile), Summary: at(SummaryFile)}
}

// writeFiles fills a new folder. The summary comes last: it marks a folder as complete.
func (o Options) writeFiles(dir string, run *scenarios.Run) error {
	if err := o.writeRecords(filepath.Join(dir, RecordsFile), run); err != nil {
		return fmt.Errorf("%s: %w", RecordsFile, err)
	}
	o.recordsFile = filepath.Join(dir, RecordsFile)
	v := newDrawnView(o, run)
	f := runFiles{v}
	var err error
	if v.scenarioYAML, err = o.scenarioYAML(run); err != nil {
		return err
	}
	if v.picture, err = o.picture(run); err != nil {
		v.pictureProblem = err.Error()
	}
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{ScenarioFile, writeBytes(v.scenarioYAML)},
		{HistoryFile, f.writeHistory},
		{HistoryText, f.writeHistoryText},
		{FinalsFile, f.writeFinals},
		{VerdictsFile, f.writeVerdicts},
		{FaultsFile, f.writeFaults},
		{LogsFile, f.writeLogsText},
		{LogsJSON, f.writeLogsJSON},
		{DigestFile, writeBytes([]byte(run.Digest + "\n"))},
		{ReplayFile, f.writeReplay},
		{StoryFile, f.writeStory},
		{StoryText, f.writeStoryText},
		{PageFile, pageBuilder{v}.writePage},
		{SummaryFile, f.writeSummary},
	}
	if o.Likelihood != nil {
		err := writeFile(dir, LikelihoodFile, func(w io.Writer) error { return writeJSON(w, o.Likelihood) })
		if err != nil {
			return err
		}
	}
	if len(v.picture) > 0 {
		if err := writeFile(dir, PictureFile, writeBytes(v.picture)); err != nil {
			return err
		}
	}
	for _, extra := range sortedKeys(o.Extra) {
		if filepath.Base(extra) != extra {
			return fmt.Errorf("extra file %q: give a plain name without folders", extra)
		}
		if err := writeFile(dir, extra, writeBytes(o.Extra[extra])); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := writeFile(dir, f.name, f.write); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) picture(run *scenarios.Run) ([]byte, error) {
	if o.Picture == nil && run.Picture != nil {
		var b bytes.Buffer
		err := run.Picture(&b)
		return b.Bytes(), err
	}
	if o.Picture == nil {
		return nil, nil
	}
	return o.Picture(run)
}

func writeBytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// writeFile writes a file of a folder. It holds no more of it than a buffer: the history of a long run is as
// large as all that the run keeps in memory.
func writeFile(dir, file string, write func(io.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, recorderBuffer)
	if err = errors.Join(write(buffered), buffered.Flush(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// replaceFolder moves temp to dir. What is there already must be an earlier run.
func replaceFolder(temp, dir string) error {
	err := os.Rename(temp, dir)
	if err == nil {
		return nil
	}
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		return fmt.Errorf("putting the run folder in place: %w", err)
	}
	if _, statErr := os.Stat(filepath.Join(dir, SummaryFile)); statErr != nil && len(entries) > 0 {
		return fmt.Errorf("replacing %s: %w; move it away or choose another folder for runs", dir,
			ErrNotRunFolder)
	}
	old, err := os.MkdirTemp(filepath.Dir(dir), ".replaced-*")
	if err != nil {
		return fmt.Errorf("moving the earlier run away: %w", err)
	}
	defer func() { _ = os.RemoveAll(old) }()
	earlier := filepath.Join(old, "run")
	if err := os.Rename(dir, earlier); err != nil {
		return fmt.Errorf("moving the earlier run away: %w", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return fmt.Errorf("putting the run folder in place: %w", errors.Join(err, os.Rename(earlier, dir)))
	}
	return nil
}

// linkLatest points the link at the newest run, by one rename so that it is never missing. Where
// the system has no symbolic links for us (Windows without the right), or something else has the
// name, there is no link.
func linkLatest(parent, target string) string {
	link := filepath.Join(parent, LatestLink)
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 || target == LatestLink {
		return ""
	}
	temp, err := os.MkdirTemp(parent, ".link-*")
	if err != nil {
		return ""
	}
	defer func() { _ = os.RemoveAll(temp) }()
	fresh := filepath.Join(temp, LatestLink)
	if os.Symlink(target, fresh) != nil || os.Rename(fresh, link) != nil {
		return ""
	}
	return link
}
