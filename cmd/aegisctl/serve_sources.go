package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
	"github.com/aegisctl/aegis/sign"
)

// load reads the sources. Nothing is served of one that is not verified, unless that was asked for.
func (in *serveConfig) load(ctx context.Context) ([]serve.Source, error) {
	if len(in.bundles) == 0 {
		return nil, errors.New("serve needs policies: --bundle b.tar.gz --key k.pub")
	}
	if len(in.keys) == 0 && !in.insecure {
		return nil, errors.New("serve needs the key that bundles are signed with: --key k.pub (or --insecure-unsigned)")
	}
	keys, err := publicKeys(ctx, in.keys)
	if err != nil {
		return nil, err
	}
	var out []serve.Source
	for _, path := range in.bundles {
		src := serve.Source{Name: path}
		if in.insecure && len(keys) == 0 {
			src.Set, err = loadPolicy(path, "")
		} else {
			src.Set, src.Serial, err = verified(path, sign.Options{Keys: keys, MinSerial: in.minSerial})
			src.Signed = true
		}
		if err != nil {
			return nil, err
		}
		out = append(out, src)
	}
	return out, nil
}

// verified reads a bundle once, judges what it read, and loads that.
func verified(path string, o sign.Options) (*policy.Set, int64, error) {
	archive, err := readBundle(path)
	if err != nil {
		return nil, 0, err
	}
	if o.Detached, err = beside("", detachedPath(path, 0)); err != nil {
		return nil, 0, err
	}
	v, err := sign.Verify(archive, o)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	set, err := bundle.Load(v.Bundle)
	return set, v.Serial, err
}
