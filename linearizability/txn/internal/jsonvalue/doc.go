// Package jsonvalue compares JSON values however they are written, and numbers them. It never
// interprets them.
package jsonvalue
