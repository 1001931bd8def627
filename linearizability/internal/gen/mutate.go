package gen

import (
	"encoding/json"
	"sort"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
)

func (w *world) mutate(op *history.Operation) {
	f, exists := w.files[op.Key]
	code := ""
	switch {
	case op.F == "cas" && (!exists || f.dir) && op.Expect != 0, op.F == "cas" && exists && f.mod != op.Expect:
		code = "revision_mismatch"
	case op.F == "create" && exists, op.F == "mkdir" && exists:
		code = "exists"
	case (op.F == "delete" || op.F == "rename") && !exists:
		code = "not_found"
	case op.F == "delete" && len(w.below(op.Key)) > 0:
		code = "not_empty"
	case (op.F == "write" || op.F == "cas") && f.dir:
		code = "is_directory"
	case !exists:
		code = w.parentProblem(op.Key)
	}
	to := ""
	if op.F == "rename" && code == "" {
		_ = json.Unmarshal(op.Input, &to)
		code = w.renameProblem(op.Key, to, f)
	}
	if code != "" {
		w.refuse(op, code)
		return
	}
	w.rev++
	w.change(op, to, f)
	entry := history.WitnessEntry{Rev: w.rev, F: op.F, Key: op.Key, To: to, ID: op.ID, Node: "n1"}
	if to == "" {
		entry.Value = op.Input
	}
	w.out.Witness = append(w.out.Witness, entry)
	if op.Outcome == history.OK {
		op.Rev, op.Mod = w.rev, w.rev
	}
}

func (w *world) refuse(op *history.Operation, code string) {
	if op.Outcome == history.Info {
		return
	}
	op.Outcome, op.Error, op.Rev = history.Fail, code, w.rev
}

func (w *world) parentProblem(path string) string {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return ""
	}
	parent, ok := w.files[path[:i]]
	switch {
	case !ok:
		return "not_found"
	case !parent.dir:
		return "not_directory"
	}
	return ""
}

func (w *world) renameProblem(from, to string, f fileState) string {
	target, exists := w.files[to]
	switch {
	case f.dir && (to == from || strings.HasPrefix(to, from+"/")):
		return "invalid"
	case exists && to != from && target.dir != f.dir:
		return "exists"
	case exists && len(w.below(to)) > 0:
		return "not_empty"
	case !exists:
		return w.parentProblem(to)
	}
	return ""
}

func (w *world) change(op *history.Operation, to string, f fileState) {
	switch op.F {
	case "delete":
		w.set(op.Key, fileState{}, false)
	case "mkdir":
		w.set(op.Key, fileState{dir: true, mod: w.rev}, true)
	case "rename":
		for _, path := range w.allBelow(op.Key) {
			child, moved := w.files[path], to+strings.TrimPrefix(path, op.Key)
			w.set(path, fileState{}, false)
			w.files[moved] = child
			w.past[moved] = append(w.past[moved], child)
		}
		w.set(op.Key, fileState{}, false)
		f.mod = w.rev
		w.set(to, f, true)
	default:
		w.set(op.Key, fileState{value: string(op.Input), mod: w.rev}, true)
	}
}

func (w *world) set(path string, f fileState, exists bool) {
	if exists {
		w.files[path] = f
	} else {
		delete(w.files, path)
	}
	w.past[path] = append(w.past[path], fileState{value: f.value, mod: w.rev, dir: f.dir || !exists})
}

// allBelow lists every path below a directory, however deep, sorted.
func (w *world) allBelow(dir string) (paths []string) {
	for path := range w.files {
		if strings.HasPrefix(path, dir+"/") {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	return paths
}
