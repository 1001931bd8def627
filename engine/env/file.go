package env

import (
	"errors"
	"fmt"
	"io"
)

// ReadFile returns the content of a file. It fails if the file is longer than limitBytes.
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

// ReplaceFile durably replaces the content of a file. After it returns nil, the new content survives a
// power cut. After an error, or a power cut in the middle, the file has the old or the new content, never
// a mixture.
//
// The order of the steps makes it so: write name.new, Sync it, Rename it to name, SyncDir. Without the
// Sync, the rename could be durable before the bytes; without the SyncDir, the rename could be lost after
// ReplaceFile has returned.
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

// writeSynced replaces the content of an open file, makes it durable and closes it.
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

// Dir returns the directory part of a disk name, "" for a name in the top directory.
func Dir(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[:i]
		}
	}
	return ""
}
