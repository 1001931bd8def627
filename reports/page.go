package reports

import (
	"io"
)

func (v *view) writePage(w io.Writer) error {
	_, err := io.WriteString(w, "<!doctype html>\n")
	return err
}
