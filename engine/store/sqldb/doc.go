// Package sqldb keeps a replica of the store in an SQLite database: one row an entry, one row a log
// entry, and one row for the identity, the configuration and the installed epoch.
//
// Package sqldb decides nothing about the protocol and never answers a client.
package sqldb
