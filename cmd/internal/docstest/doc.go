// Package docstest compares the documents with the module: the targets of links, commands and snippets
// exist, pasted outputs are those of the commands, and every dependency has its reason.
//
// It never judges whether a text is good. With -update its test writes the outputs and the
// picture that are pasted into documents anew.
package docstest
