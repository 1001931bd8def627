// Package shrink makes a failing scenario small: fewer faults, machines, clients and operations, shorter
// times, less of the subject's own part. A smaller scenario counts only if the same check finds a violation
// in it.
//
// The search is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
// 2002) over the parts of a scenario. What is left out changes everything that happens afterwards, so each
// smaller scenario is tried with a few seeds, and the first that fails is kept.
//
// Package shrink never runs a scenario itself: a [Trier] does. For a given Trier its result depends on the
// scenario and the options alone, not on how many attempts are under way at a time.
package shrink
