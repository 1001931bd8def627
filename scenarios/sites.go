package scenarios

import (
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// SiteJudge is implemented by a [Judge] that knows where processes of its subject take rare paths on request.
type SiteJudge interface {
	// Sites lists the names that the processes give to [env.Buggify] and [env.Limit].
	Sites() []string
}

// SitesOf lists where processes of a subject take rare paths on request, sorted. It is nil for a subject that
// does not state any.
func SitesOf(subject Subject) []string {
	j, is := subject.Judge().(SiteJudge)
	if !is || len(j.Sites()) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(j.Sites()), env.SiteLocalFull))))
}
