package operator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/store"
	"github.com/holdfast-sim/holdfast/engine/store/tree"
)

// RefusedError is an answer of the store that is not a success.
type RefusedError struct {
	Code    tree.Code
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string {
	if e.Message == "" {
		return "the store refused: " + string(e.Code)
	}
	return fmt.Sprintf("the store refused: %s: %s", e.Code, e.Message)
}

// RefusedAs reports whether an error is an answer of the store with one of these codes.
func RefusedAs(err error, codes ...tree.Code) bool {
	var r *RefusedError
	return errors.As(err, &r) && slices.Contains(codes, r.Code)
}

// ignoreExists drops the error of a file's creation if the file exists already.
func ignoreExists(err error) error {
	if RefusedAs(err, tree.Exists, tree.RevisionMismatch) {
		return nil
	}
	return err
}

// requestStore makes a request of the store; an answer that is not a success is an error.
func (s *script) requestStore(r store.Request) (*store.Response, error) {
	answer, err := s.callStore(r)
	if answer != nil && !answer.OK {
		err = &RefusedError{Code: answer.Code, Message: answer.Message}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Op, r.Path, err)
	}
	return answer, nil
}

// readStoreFile reads a file as this machine's store has it, with its revision.
func (s *script) readStoreFile(path string) (text string, revision uint64, err error) {
	answer, err := s.requestStore(store.Request{Op: store.OpRead, Path: path, Local: true})
	if err != nil {
		return "", 0, err
	}
	if answer.Entry == nil || answer.Entry.Kind != store.KindFile {
		return "", 0, fmt.Errorf("%s %s: not a file", store.OpRead, path)
	}
	return string(answer.Entry.Data), answer.Entry.Mod, nil
}

// create makes a file and the directories above it.
func (s *script) create(path, text string) error {
	if err := s.mkdir(env.Dir(path)); err != nil {
		return err
	}
	return s.compareAndSwap(path, text, 0)
}

// edit changes a file, or makes it if there is none; the change gets "" then.
func (s *script) edit(path string, change textEdit) error {
	old, revision, err := s.readStoreFile(path)
	if err != nil && !RefusedAs(err, tree.NotFound) {
		return err
	}
	if revision == 0 {
		if err := s.mkdir(env.Dir(path)); err != nil {
			return err
		}
	}
	text, err := change(old)
	if err != nil {
		return err
	}
	return s.compareAndSwap(path, text, revision)
}

// compareAndSwap replaces a file that is at the expected revision; 0 expects that there is none.
func (s *script) compareAndSwap(path, text string, expect uint64) error {
	_, err := s.requestStore(store.Request{Op: tree.CAS.String(), Path: path, Data: []byte(text),
		Expect: expect})
	return err
}

// mkdir makes a directory and those above it, as far as they are missing.
func (s *script) mkdir(path string) error {
	if path == "" {
		return nil
	}
	missing := store.Request{Op: tree.Mkdir.String(), Path: path}
	_, err := s.requestStore(missing)
	if RefusedAs(err, tree.NotFound) {
		if err := s.mkdir(env.Dir(path)); err != nil {
			return err
		}
		_, err = s.requestStore(missing)
	}
	return ignoreExists(err)
}
