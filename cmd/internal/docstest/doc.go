// Package docstest holds the documents against the module: links lead somewhere, commands and
// snippets exist, what is pasted as output is what comes out, and every dependency has its reason.
//
// It never judges whether a text is any good. With -update its test writes the outputs and the
// picture that are pasted into documents anew.
package docstest
