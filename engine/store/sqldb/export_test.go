package sqldb

import "github.com/ncruces/go-sqlite3"

// execForTest runs any statement.
func (d *DB) execForTest(sql string) error {
	return d.db.Run(func(c *sqlite3.Conn) error { return c.Exec(sql) })
}
