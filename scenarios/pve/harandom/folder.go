package harandom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing/fstest"
)

// Folder is one scenario folder.
type Folder struct {
	// Name is the name of the folder.
	Name string
	// Files holds the content of each file by its name.
	Files map[string]string
}

// FS returns the folder as a file system.
func (f *Folder) FS() fs.FS {
	out := fstest.MapFS{}
	for name, text := range f.Files {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: filePermissions}
	}
	return out
}

const (
	filePermissions = 0o644
	dirPermissions  = 0o755
)

// ErrExists means that a folder to be written exists already.
var ErrExists = errors.New("the folder exists already")

// Write writes the folder below dir. It replaces nothing: an existing folder is [ErrExists].
func (f *Folder) Write(dir string) error {
	path := filepath.Join(dir, f.Name)
	if err := os.MkdirAll(dir, dirPermissions); err != nil {
		return fmt.Errorf("write scenario folder %s: %w", path, err)
	}
	if err := os.Mkdir(path, dirPermissions); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write scenario folder %s: %w; choose another one, or remove it", path, ErrExists)
	} else if err != nil {
		return fmt.Errorf("write scenario folder %s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Files)) {
		data := []byte(f.Files[name])
		if err := os.WriteFile(filepath.Join(path, name), data, filePermissions); err != nil {
			return fmt.Errorf("write scenario folder %s: %w", path, err)
		}
	}
	return nil
}

// setJSON adds a file with a JSON value. Values are made of maps, lists and text only.
func (f *Folder) setJSON(name string, value any) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("harandom: %s: %v", name, err)) // no such value exists
	}
	f.Files[name] = string(data) + "\n"
}
