// Package ha holds what the parts of the HA manager share: the environment interface (Env), commands,
// states, and the status files. The decisions live below it: package manager
// (cluster resource manager, one master per cluster), package lrm (local resource manager, one per
// node), package rules, package sched, package config.
//
// The package never reads a clock, a file or a socket; everything comes in through Env, and nothing
// here keeps state of its own.
package ha
