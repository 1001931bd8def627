// Package strictyaml reads YAML into Go values without forgiving anything: an unknown key, a value
// of the wrong type, a duration without a unit or a key that is given twice is an error that names
// file, line and column and says what to write instead.
//
// It follows the yaml tags of structs. A field whose tag lacks omitempty must be given. Anchors,
// aliases, merge keys, own tags and several documents in one file are refused.
//
// The package never opens a file and never guesses a value.
package strictyaml
