// Package pagestyle is what all pages have in common: their style sheet, what a browser must forbid them, and
// the sign of a verdict.
//
// Package pagestyle knows nothing of runs or campaigns.
package pagestyle

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"

	"github.com/holdfast-sim/holdfast/linearizability"
	"github.com/holdfast-sim/holdfast/reports/svg"
)

//go:embed page.css
var pageCSS string

// CSS is the style sheet of a page with charts, for light, dark and paper.
var CSS = template.CSS(svg.Style + pageCSS) //nolint:gosec // both are files of this module

// Policies forbids a page to load anything, and to run any script but its own. A picture from elsewhere is
// shut into a sandboxed frame, which however obeys the same rules, so that with one inline scripts must be
// allowed.
func Policies(script string, picture bool) template.HTMLAttr {
	sum := sha256.Sum256([]byte(script))
	allowed := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if picture {
		allowed = "'unsafe-inline'"
	}
	return template.HTMLAttr(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; ` +
		`script-src ` + allowed + `; base-uri 'none'; form-action 'none'"`)
}

var marks = [...]string{linearizability.Unknown: "?", linearizability.Valid: "✓",
	linearizability.Invalid: "✗"}

// Mark is the sign of a verdict.
func Mark(v linearizability.Validity) string {
	if int(v) >= len(marks) {
		return "?"
	}
	return marks[v]
}
