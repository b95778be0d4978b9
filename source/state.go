package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aegisctl/aegis/sign"
)

// State is a directory that one server keeps what must survive in. The floor of serials is in it.
type State struct {
	dir  string
	lock *os.File
}

// Names in the directory.
const (
	lockName  = "lock"
	floorName = "floor.json"
)

// marker stands in the lock file once a floor was kept, so that a floor that is deleted alone is missed.
const marker = "a floor is kept\n"

// OpenState opens the directory for this process alone, and makes it where it is not there.
func OpenState(dir string) (*State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s belongs to another server that is running: give each its own", dir)
	}
	return &State{dir, f}, nil
}

// Dir returns the directory.
func (s *State) Dir() string { return s.dir }

// Close lets another server have the directory.
func (s *State) Close() error { return s.lock.Close() }

// floor reads the floor. One that is gone though it was kept is an error, unless a serial is pinned instead.
func (s *State) floor(pinned bool) (sign.Floor, error) {
	text, err := readWithin(filepath.Join(s.dir, floorName), sign.MaxBeside)
	switch {
	case err == nil:
		f, err := sign.ParseFloor(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, floorName), err)
		}
		return f, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	mark := make([]byte, len(marker))
	if n, _ := s.lock.ReadAt(mark, 0); n > 0 && !pinned {
		return nil, &sign.Error{Code: sign.FloorMissing, Text: fmt.Sprintf("%s is gone, which says how old a bundle may be: bring it back, or pin the serial with --min-serial",
			filepath.Join(s.dir, floorName))}
	}
	return sign.Floor{}, nil
}

// keep puts a floor on disk. When it returns, the floor survives a crash.
func (s *State) keep(f sign.Floor) (err error) {
	path := filepath.Join(s.dir, floorName)
	text := f.Encode()
	if old, err := readWithin(path, sign.MaxBeside); err == nil && string(old) == string(text) {
		return nil
	}
	t, err := os.CreateTemp(s.dir, ".floor-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Close(), os.Remove(t.Name()))
		}
	}()
	if _, err = t.Write(text); err != nil {
		return err
	}
	if err = t.Sync(); err != nil {
		return err
	}
	if err = os.Rename(t.Name(), path); err != nil {
		return err
	}
	if _, err := s.lock.WriteAt([]byte(marker), 0); err != nil {
		return err
	}
	return errors.Join(t.Close(), s.lock.Sync(), syncDir(s.dir))
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
