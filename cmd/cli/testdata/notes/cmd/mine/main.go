// Command mine has every command of Holdfast for the notes of this module.
package main

import (
	"example.com/notes/notes"
	"example.com/notes/scenarios"
	"github.com/holdfast-sim/holdfast/cmd/cli"
)

func main() { cli.Main(cli.Config{Subjects: notes.Subjects, Library: scenarios.Files}) }
