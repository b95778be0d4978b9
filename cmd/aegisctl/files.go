package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
)

// loadPolicy loads the policy at path; where none is given, policies/ beside the traffic, else ./policies.
func loadPolicy(path, traffic string) (*policy.Set, error) {
	if path == "" {
		path = "policies"
		if traffic != "" {
			if beside := filepath.Join(filepath.Dir(traffic), "policies"); isDir(beside) {
				path = beside
			}
		}
		if !isDir(path) {
			return nil, errors.New("no policy: there is no policies directory beside the traffic nor here; name one with --policy")
		}
	}
	if b, err := openBundle(path); b != nil || err != nil {
		return b, err
	}
	return policy.Load(path)
}

// openBundle loads the policies of a bundle, unsigned as it may be. A file that is no bundle gives nil and no error.
func openBundle(path string) (*policy.Set, error) {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil, nil // policy.Load says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	if magic, err := r.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return nil, nil
	}
	a, err := bundle.Read(r)
	if err == nil {
		var s *policy.Set
		if s, err = bundle.Load(a); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

// notInput refuses to write over a file that is read. flag is what names the file to write.
func notInput(flag, output string, inputs []string) error {
	out, err := os.Stat(output)
	if err != nil {
		return nil
	}
	for _, in := range inputs {
		if st, err := os.Stat(in); err == nil && os.SameFile(st, out) {
			return fmt.Errorf("%s %s is what is read: name another file", flag, output)
		}
	}
	return nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte) error { return writeFileMode(path, data, 0o644) }

// writeFileMode is writeFile for files that not everybody may read. At no moment can more people read it.
func writeFileMode(path string, data []byte, mode os.FileMode) (err error) {
	defer func() {
		// People named that file, and not the one beside it.
		if at := (*os.PathError)(nil); errors.As(err, &at) {
			err = fmt.Errorf("writing %s: %w", path, at.Err)
		} else if at := (*os.LinkError)(nil); errors.As(err, &at) {
			err = fmt.Errorf("writing %s: %w", path, at.Err)
		}
	}()
	if isDir(path) {
		return &os.PathError{Path: path, Err: errors.New("it is a directory")}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".aegisctl-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}

// bar shows progress on a terminal, and nothing elsewhere.
type bar struct {
	w     io.Writer
	shown int
}

func (a *app) progress() *bar {
	if a.quiet || !terminal(a.err) {
		return &bar{}
	}
	return &bar{w: a.err, shown: -1}
}

const barCells = 30

func (b *bar) update(done, total int64) {
	if b.w == nil || total == 0 {
		return
	}
	if pct := int(100 * done / total); pct != b.shown {
		b.shown = pct
		n := barCells * pct / 100
		fmt.Fprintf(b.w, "\r%s%s %3d%%", strings.Repeat("█", n), strings.Repeat("░", barCells-n), pct)
	}
}

func (b *bar) done() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
