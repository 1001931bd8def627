// Package strictyaml reads YAML into Go values strictly: an unknown key, a value of the wrong type,
// a duration without a unit or a repeated key is an error that names file, line and column and what
// to write instead.
//
// It follows the yaml tags of structs. A field whose tag lacks omitempty is required. Anchors,
// aliases, merge keys, custom tags and several documents in one file are refused.
//
// The package never opens a file and never guesses a value.
package strictyaml
