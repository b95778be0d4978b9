package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/aegisctl/aegis/lint"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/simulate"
)

// lintInputs are what lint looks at beside the policies.
type lintInputs struct {
	schemas, traffic []string
}

func (in *lintInputs) flags(f *pflag.FlagSet) {
	f.StringArrayVar(&in.schemas, "schema", nil, "an MCP tools/list result (JSON) to compare with, or SERVER=FILE; may be repeated")
	f.StringArrayVar(&in.traffic, "traffic", nil, "captured calls (Parquet) to compare with; may be repeated")
}

// fill reads the inputs into the options of a run over the set.
func (in *lintInputs) fill(ctx context.Context, a *app, set *policy.Set, opt *lint.Options) error {
	if err := in.readSchemas(set, opt); err != nil {
		return err
	}
	if len(in.traffic) == 0 {
		return nil
	}
	files, err := expand(in.traffic)
	if err != nil {
		return err
	}
	boundMemory()
	seen := newTrafficSeen(set)
	bar := a.progress()
	rep, err := simulate.Run(ctx, set, simulate.Options{Traffic: files, Progress: bar.update, EachSeq: seen.call})
	bar.done()
	if err != nil {
		return err
	}
	opt.Traffic = seen.summary(rep)
	return nil
}

// readSchemas reads the files that were named, and then those that lie among the policies.
func (in *lintInputs) readSchemas(set *policy.Set, opt *lint.Options) error {
	for _, arg := range in.schemas {
		server, path, named := strings.Cut(arg, "=")
		if _, err := os.Stat(arg); !named || err == nil || strings.ContainsRune(server, filepath.Separator) {
			server, path = "", arg
		}
		text, err := readBounded(path, lint.MaxSchema)
		if err != nil {
			return err
		}
		if opt.Schema == nil {
			opt.Schema = new(lint.Schema)
		}
		if err := opt.Schema.Add(server, text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(set.Schemas) > 0 {
		if opt.Schema == nil {
			opt.Schema = new(lint.Schema)
		}
		return opt.Schema.AddFiles(set)
	}
	return nil
}
