package suite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// find lists the test files below the paths, sorted, and says which policies they are about.
func find(paths, policies []string) (files, about []string, err error) {
	var beside []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case info.IsDir():
			found, err := below(p)
			if err != nil {
				return nil, nil, err
			}
			files, about = append(files, found...), append(about, p)
		case testFile(p):
			files, beside = append(files, p), append(beside, filepath.Dir(p))
		default:
			about = append(about, p)
			found, err := siblings(p)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, found...)
		}
	}
	if about == nil {
		about = beside
	}
	if len(policies) > 0 {
		about = policies
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("no tests: there is no *_test.yaml in %s", strings.Join(paths, ", "))
	}
	slices.Sort(about)
	return files, slices.Compact(about), nil
}

// testFile reports whether a file of that name holds tests: what the loader of policies leaves out.
func testFile(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	ext := filepath.Ext(name)
	return slices.Contains([]string{".yaml", ".yml", ".json"}, ext) && strings.HasSuffix(strings.TrimSuffix(name, ext), "_test")
}

// below lists the test files of a directory tree. Links are not followed: what they lead to can be named.
func below(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != dir && d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.Type().IsRegular() && testFile(p) && !strings.HasPrefix(d.Name(), "."):
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// siblings lists the tests that are named after one policy file: for pay.yaml, pay_test.yaml.
func siblings(path string) ([]string, error) {
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, ext := range []string{".yaml", ".yml", ".json"} {
		if _, err := os.Stat(stem + "_test" + ext); err == nil {
			return []string{stem + "_test" + ext}, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// choose lists the cases to run, in the order of files and of cases within them.
func choose(tests []*test, want *regexp.Regexp) ([]*testCase, error) {
	var cases []*testCase
	for _, t := range tests {
		for _, c := range t.cases {
			if want == nil || want.MatchString(t.file+"/"+c.name) {
				cases = append(cases, c)
			}
		}
	}
	if len(cases) == 0 && want != nil {
		return nil, fmt.Errorf("no case fits --run %s", want)
	}
	return cases, nil
}

// each calls f for 0 to n-1 from several goroutines, each with a number of its own, until one fails or ctx ends.
func each(ctx context.Context, parallel, n int, f func(worker, i int) error) error {
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	errs := make([]error, max(1, min(parallel, n)))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[w] = &Panic{r, debug.Stack()}
				}
			}()
			for ctx.Err() == nil && errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[w] = f(w, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// Panic is a defect of Aegis that a test brought to light.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("internal error: %v\n%s", p.Value, p.Stack) }
