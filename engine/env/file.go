package env

import (
	"errors"
	"fmt"
	"io"
)

// ReadFile reads a whole file of at most limitBytes.
func ReadFile(d Disk, name string, limitBytes int64) ([]byte, error) {
	f, err := d.Open(name, ReadOnly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limitBytes {
		return nil, fmt.Errorf("reading %s: %d bytes is more than the limit of %d", name, size, limitBytes)
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}

// ReplaceFile durably replaces a file's content: after it returns nil, a power cut leaves the new
// content; after an error or a cut in the middle, the old or the new one, never a mixture.
func ReplaceFile(d Disk, name string, data []byte) error {
	temp := name + ".new"
	f, err := d.Open(temp, Create)
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if err := writeSynced(f, data); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if err := d.Rename(temp, name); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if err := d.SyncDir(Dir(name)); err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}

func writeSynced(f File, data []byte) error {
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Dir is the directory part of a disk name, "" for names at the top.
func Dir(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[:i]
		}
	}
	return ""
}
