package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/examples"
)

func (a *app) initCmd() *cobra.Command {
	var name string
	var traffic bool
	c := &cobra.Command{
		Use:   "init [DIR] --template NAME",
		Short: "Start a project: policies, their tests, and checks for CI",
		Long: `Init writes a policy pack into DIR (default: here): policies/ with tests, a README, a pre-commit hook and a CI workflow.
It never overwrites: where one of its files is there already, it lists them and writes nothing.

Templates:
` + templateList(),
		Example: "  aegisctl init agents --template fintech --with-traffic\n  cd agents && aegisctl test policies && aegisctl simulate traffic.parquet",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("init takes one directory, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := templateOf(name)
			if err != nil {
				return err
			}
			return a.init(cmd.Context(), append(args, ".")[0], t, traffic)
		},
	}
	c.Flags().StringVar(&name, "template", "", "what to start from (see above)")
	c.Flags().BoolVar(&traffic, "with-traffic", false, "write traffic.parquet as well: invented calls to simulate")
	return c
}

func templateList() string {
	var b strings.Builder
	for _, t := range examples.Templates() {
		fmt.Fprintf(&b, "  %-11s %s\n", t.Name, t.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func templateOf(name string) (examples.Template, error) {
	ts := examples.Templates()
	i := slices.IndexFunc(ts, func(t examples.Template) bool { return t.Name == name })
	switch {
	case i >= 0:
		return ts[i], nil
	case name == "":
		return examples.Template{}, errors.New("init needs a template: aegisctl init --template NAME, one of\n" + templateList())
	}
	return examples.Template{}, fmt.Errorf("--template %q is none of\n%s", name, templateList())
}

// init writes a template's files below dir, all or none.
func (a *app) init(ctx context.Context, dir string, t examples.Template, traffic bool) error {
	files, err := t.Files(traffic)
	if err != nil {
		return internal(err)
	}
	if err := scaffold(ctx, dir, files); err != nil {
		return err
	}
	for _, f := range files {
		a.note("wrote %s", filepath.Join(dir, filepath.FromSlash(f.Path)))
	}
	a.note("next: aegisctl lint %[1]s && aegisctl test %[1]s", filepath.Join(dir, "policies"))
	return nil
}

// scaffold writes files below a directory, which it makes where there is none. Nothing is overwritten, no link leads out
// of the directory, and after an error what was written is removed again.
func scaffold(ctx context.Context, dir string, files []examples.File) (err error) {
	made, err := makeDirs(dir)
	defer func() {
		if err != nil {
			for _, d := range slices.Backward(made) {
				os.Remove(d) // only if it is empty
			}
		}
	}()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if there := conflicts(root, files); len(there) > 0 {
		return fmt.Errorf("nothing was written, because %s has already: %s", dir, strings.Join(there, ", "))
	}
	var undo []string
	defer func() {
		if err != nil {
			for _, p := range slices.Backward(undo) {
				root.Remove(p)
			}
		}
	}()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeNew(root, f, &undo); err != nil {
			return fmt.Errorf("nothing was written: %w", err)
		}
	}
	return nil
}

// makeDirs makes a directory and those above it, and returns the ones that were not there.
func makeDirs(dir string) (made []string, err error) {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		missing = append(missing, d)
	}
	for _, d := range slices.Backward(missing) {
		if err := os.Mkdir(d, 0o755); err != nil {
			return made, err
		}
		made = append(made, d)
	}
	return made, nil
}

// conflicts returns the files that are there already. A link counts, wherever it leads.
func conflicts(root *os.Root, files []examples.File) (there []string) {
	for _, f := range files {
		if _, err := root.Lstat(f.Path); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, f.Path)
		}
	}
	return there
}

// writeNew writes a file that must not exist. undo gets what it made.
func writeNew(root *os.Root, f examples.File, undo *[]string) error {
	for i := range f.Path {
		if f.Path[i] != '/' {
			continue
		}
		switch err := root.Mkdir(f.Path[:i], 0o755); {
		case err == nil:
			*undo = append(*undo, f.Path[:i])
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	w, err := root.OpenFile(path.Clean(f.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	*undo = append(*undo, f.Path)
	_, err = w.Write(f.Data)
	return errors.Join(err, w.Close())
}
