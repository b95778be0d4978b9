package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/sign"
)

// place is where policies lie.
type place interface {
	// name is how people know it; it holds no secrets.
	name() string

	// fetch returns what is there and what the place calls it. Where that is still tag, it returns errUnchanged.
	fetch(ctx context.Context, tag string) ([]item, string, error)
}

var errUnchanged = errors.New("unchanged")

// newPlace reads where policies lie.
func newPlace(text string, o *Options) (place, error) {
	scheme, _, is := strings.Cut(text, "://")
	if !is {
		return &disk{path: text, unsigned: o.Unsigned}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("the address of a bundle, beginning with %s://, cannot be read", scheme)
	case u.User != nil:
		return nil, fmt.Errorf("%s://%s…: leave user and password out of the address; give a file with --source-token %s=FILE", scheme, u.Host, u.Host)
	case scheme == "https" || scheme == "http":
		return newWeb(u, o)
	case scheme == "oci":
		return newRegistry(text, u, o)
	}
	return nil, fmt.Errorf("%s: a bundle comes from a path, https:// or oci://, not %s://", withoutQuery(u), scheme)
}

// withoutQuery is an address without what may be a signature.
func withoutQuery(u *url.URL) string {
	c := *u
	c.User, c.RawQuery, c.Fragment = nil, "", ""
	return c.String()
}

// disk is a file or a directory.
type disk struct {
	path     string
	unsigned bool
}

func (d *disk) name() string { return d.path }

// fetch lists what is there. Reading is cheap beside what it may cost to miss a change that kept the time of a file, so that
// content alone counts.
func (d *disk) fetch(context.Context, string) ([]item, string, error) {
	st, err := os.Stat(d.path)
	if err != nil {
		return nil, "", err
	}
	if !st.IsDir() {
		return []item{d.file(d.path)}, "", nil
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, "", err
	}
	var items []item
	for _, e := range entries {
		// Names with a dot in front are files that are still being written.
		if name := e.Name(); strings.HasSuffix(name, ".tar.gz") && name[0] != '.' {
			items = append(items, d.file(filepath.Join(d.path, name)))
		}
	}
	switch {
	case len(items) > 0:
		return items, "", nil
	case d.unsigned:
		return []item{{d.path, func() (*payload, error) {
			sum, err := treeSum(d.path)
			return &payload{policies: d.path, sum: sum}, err
		}}}, "", nil
	}
	return nil, "", fmt.Errorf("%s holds no bundle (*.tar.gz)", d.path)
}

func (d *disk) file(path string) item {
	return item{path, func() (*payload, error) {
		archive, err := readWithin(path, bundle.MaxPacked)
		if err != nil {
			return nil, err
		}
		if d.unsigned && !isGzip(archive) {
			return &payload{policies: path, sum: sha256.Sum256(archive)}, nil
		}
		detached, err := readWithin(path+".sigstore.json", sign.MaxBeside)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return packed(archive, detached), nil
	}}
}

func isGzip(b []byte) bool { return len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b }

// readWithin reads a regular file, and at most one byte past the bound, which whoever judges it refuses.
func readWithin(path string, bound int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, bound+1))
}

// maxTree bounds a directory of policies, in bytes.
const maxTree = 256 << 20

// treeSum sums up what lies in a directory.
func treeSum(dir string) (sum [32]byte, err error) {
	h := sha256.New()
	total := int64(0)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		hidden := path != dir && strings.HasPrefix(e.Name(), ".")
		switch {
		case err != nil:
			return err
		case e.IsDir() && hidden:
			return fs.SkipDir
		case e.IsDir() || hidden:
			return nil
		}
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			return err
		}
		text, err := readWithin(path, maxTree)
		if err != nil {
			return err
		}
		if total += int64(len(text)); total > maxTree {
			return fmt.Errorf("%s holds more than %d bytes", dir, maxTree)
		}
		fmt.Fprintf(h, "%q %d\n", path, len(text))
		h.Write(text)
		return nil
	})
	h.Sum(sum[:0])
	return sum, err
}
