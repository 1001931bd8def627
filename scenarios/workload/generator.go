package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-sim/holdfast/linearizability/history"
	"github.com/holdfast-sim/holdfast/scenarios/draw"
)

// The operations that generators know how to fill in. A subject offers some of them.
const (
	Read      = "read"       // linearizable
	ReadLocal = "read_local" // what one machine has
	Write     = "write"      // create or replace
	CAS       = "cas"        // replace if the revision is as expected; 0 expects nothing there
	Delete    = "delete"
	Mkdir     = "mkdir"
	Rename    = "rename"
	List      = "list"
	Watch     = "watch" // wait until something at or below a path changes after a revision
)

// generator draws one client's operations.
type generator struct {
	client        int
	spec          Spec
	weights       []Weight
	totalWeight   int
	kindDraws     draw.Chooser
	keyDraws      draw.Chooser
	otherKeyDraws draw.Chooser
	writeCount    int
	watchDraws    draw.Chooser
	seenRevisions map[string]uint64 // key -> revision last seen by this client
	answeredAt    map[string]place  // path -> place of the last answer about it
	lastAnswer    place             // of the last answer about any path
}

// place is a place in the history of the system.
type place struct {
	revision uint64
	chain    string
}

func newGenerator(client int, spec Spec, codec Codec, w ClientEnv) *generator {
	g := &generator{client: client, spec: spec, seenRevisions: map[string]uint64{},
		answeredAt: map[string]place{}, kindDraws: w.Choices("function"), keyDraws: w.Choices("key"),
		otherKeyDraws: w.Choices("other"), watchDraws: w.Choices("watch")}
	for _, f := range codec.Functions() {
		if len(spec.Mix) > 0 {
			f.Weight = spec.Mix[f.F]
		}
		if f.Weight > 0 {
			g.weights = append(g.weights, f)
			g.totalWeight += f.Weight
		}
	}
	return g
}

// CheckMix reports an operation in the mix that a subject does not offer.
func (s *Spec) CheckMix(codec Codec) error {
	var offered []string
	for _, f := range codec.Functions() {
		offered = append(offered, f.F)
	}
	total := 0
	for _, f := range slices.Sorted(maps.Keys(s.Mix)) {
		if !slices.Contains(offered, f) {
			return fmt.Errorf("no operation is called %q; write some of %s",
				f, strings.Join(offered, ", "))
		}
		total += s.Mix[f]
	}
	if len(s.Mix) > 0 && total <= 0 {
		return fmt.Errorf("all weights are 0; give at least one of %s a weight",
			strings.Join(offered, ", "))
	}
	return nil
}

func (g *generator) nextOp() Op {
	draw := int(g.kindDraws.Choose(uint64(g.totalWeight)))
	f := g.weights[0].F
	for _, m := range g.weights {
		if draw < m.Weight {
			f = m.F
			break
		}
		draw -= m.Weight
	}
	key := g.drawKey(g.keyDraws)
	op := Op{F: f, Key: key}
	switch f {
	case Write:
		op.Value = g.uniqueValue()
	case CAS:
		op.Value, op.Expect = g.uniqueValue(), g.seenRevisions[key]
	case Mkdir:
		op.Key = keyDirectory(key)
	case Rename:
		op.To = g.drawKey(g.otherKeyDraws)
	case List:
		op.Key = keyDirectory(key)
	case Watch:
		if g.watchDraws.Choose(watchesDirectoryOneIn) == watchesDirectoryOneIn-1 {
			op.Key = keyDirectory(key)
		}
		at := g.knownPlace(op.Key)
		op.Since, op.Chain = at.revision, at.chain
	}
	return op
}

// watchesDirectoryOneIn is how rarely a client watches the directory of a key instead of the key.
const watchesDirectoryOneIn = 3

// knownPlace returns the place up to which the client knows a path: that of the last answer about it, or
// about any path if there was none.
func (g *generator) knownPlace(path string) place {
	if at, known := g.answeredAt[path]; known {
		return at
	}
	return g.lastAnswer
}

// keysPerDir spreads the keys over directories, so that mkdir, list and rename have work.
const keysPerDir = 4

func (g *generator) drawKey(c draw.Chooser) string {
	return KeyName(int(c.Choose(uint64(g.spec.Keys))))
}

// KeyName is the name of the i-th key: the first few at the top, the rest in directories.
func KeyName(i int) string {
	if i < keysPerDir {
		return fmt.Sprintf("k%d", i)
	}
	return fmt.Sprintf("d%d/k%d", i/keysPerDir, i)
}

// keyDirectory is the directory of a key, or one of its own for keys at the top.
func keyDirectory(key string) string {
	if dir, _, ok := strings.Cut(key, "/"); ok {
		return dir
	}
	return "dir-" + key
}

// uniqueValue is unique to the run, so that a reader's value names its writer.
func (g *generator) uniqueValue() string {
	g.writeCount++
	v := fmt.Sprintf("c%d.%d.", g.client, g.writeCount)
	if pad := g.spec.ValueBytes - len(v); pad > 0 {
		v += strings.Repeat("x", pad)
	}
	return v
}

func (g *generator) learnFromAnswer(op Op, r Result) {
	if r.Type == history.OK && r.Rev != 0 {
		g.lastAnswer = place{r.Rev, r.Chain}
		g.answeredAt[op.Key] = g.lastAnswer
	}
	switch {
	case r.Type == history.OK && r.Mod != 0:
		g.seenRevisions[op.Key] = r.Mod
	case r.Type == history.OK && (op.F == Delete || op.F == Read):
		delete(g.seenRevisions, op.Key)
	case r.Type == history.Fail && op.F == CAS && r.Mod != 0:
		g.seenRevisions[op.Key] = r.Mod
	}
}
