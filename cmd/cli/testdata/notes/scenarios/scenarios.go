// Package scenarios is this module's library of scenarios.
package scenarios

import "embed"

//go:embed *.yaml
var Files embed.FS
