// Command make writes the traffic of the five example use cases: examples/NAME/traffic.parquet.
//
// It promises the same bytes on every run and every machine: the dates are fixed, the randomness is seeded, and no clock
// is read. The traffic is invented, but shaped like the real kind: most calls are ordinary work, a few are honest
// mistakes, fewer still are attacks. Each row says which by its label class (benign, risky, attack), and by its label story
// what is going on in the session.
//
//	go run ./examples/make
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/aegisctl/aegis/capture"
)

// packs are the use cases, by the names of their directories.
var packs = map[string]func() []capture.Row{
	"payments":     payments,
	"phi":          phi,
	"saas-budgets": budgets,
	"deploys":      deploys,
	"multi-tenant": tenants,
}

func main() {
	dir := flag.String("dir", "examples", "the directory that holds the packs")
	flag.Parse()
	for name, rows := range packs {
		if err := write(filepath.Join(*dir, name, "traffic.parquet"), rows()); err != nil {
			fmt.Fprintln(os.Stderr, "make:", err)
			os.Exit(1)
		}
	}
}

// write puts the rows into one file, in the order in which a recorder at the tools would have seen them.
func write(path string, rows []capture.Row) error {
	slices.SortFunc(rows, func(a, b capture.Row) int {
		return cmp.Or(cmp.Compare(a.TimeMicros, b.TimeMicros), cmp.Compare(a.Tenant, b.Tenant),
			cmp.Compare(a.Session, b.Session), cmp.Compare(a.Seq, b.Seq))
	})
	w, err := capture.Create(path)
	if err != nil {
		return err
	}
	if err := w.Write(rows...); err != nil {
		w.Abort()
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := w.Close(); err != nil {
		return errors.Join(fmt.Errorf("%s: not written", path), err)
	}
	return nil
}
