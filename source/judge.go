package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aegisctl/aegis/bundle"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/sign"
)

// item is one thing that was fetched.
type item struct {
	name string
	read func() (*payload, error)
}

// payload is the bytes of an item, read once: what is judged is what is loaded.
type payload struct {
	archive, detached []byte
	policies          string   // where it is no archive: the file or directory of unsigned policies
	sum               [32]byte // of them
}

func packed(archive, detached []byte) *payload {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(archive))
	h.Write(archive)
	h.Write(detached)
	c := &payload{archive: archive, detached: detached}
	h.Sum(c.sum[:0])
	return c
}

// fetch looks at one source. What it returns is nil where nothing changed. An error beside a result says that a part was
// refused, and the result then holds what stays in force of it.
func (k *Keeper) fetch(ctx context.Context, s *kept, force bool) ([]*Loaded, string, error) {
	tag := s.tag
	if force {
		tag = ""
	}
	items, next, err := s.place.fetch(ctx, tag)
	if errors.Is(err, errUnchanged) {
		return nil, s.tag, nil
	}
	if err != nil {
		return nil, "", &refusal{Unreachable, err}
	}
	var out []*Loaded
	var errs []error
	for _, it := range items {
		i := slices.IndexFunc(s.live, func(l *Loaded) bool { return l.Name == it.name })
		var old *Loaded
		if i >= 0 {
			old = s.live[i]
		}
		l, err := k.judge(it, old, force)
		if err != nil {
			if len(items) > 1 {
				err = fmt.Errorf("%s: %w", it.name, err)
			}
			errs = append(errs, err)
			l = old
		}
		if l != nil {
			out = append(out, l)
		}
	}
	if len(errs) > 0 && len(items) == 1 {
		out = nil
	}
	return out, next, errors.Join(errs...)
}

// judge verifies and loads one item. What is the same as before is not loaded again.
func (k *Keeper) judge(it item, old *Loaded, force bool) (*Loaded, error) {
	c, err := it.read()
	if err != nil {
		return nil, &refusal{Unreachable, err}
	}
	unchanged := old != nil && old.sum == c.sum
	if unchanged && !force {
		return old, nil
	}
	l := &Loaded{Name: it.name, sum: c.sum}
	if k.opt.Unsigned {
		if unchanged && c.policies == "" {
			return old, nil
		}
		return l, k.loadUnsigned(l, c)
	}
	if c.policies != "" {
		return nil, &sign.Error{Code: sign.Unsigned, Text: "policies that are no bundle have no signature: compile and sign them, or say --insecure-unsigned"}
	}
	v, err := sign.Verify(c.archive, sign.Options{Keys: k.trusted, Revoked: k.revoked, At: k.opt.Now(), MinSerial: k.opt.MinSerial,
		Floor: k.floor, Detached: c.detached})
	if err != nil {
		return nil, err
	}
	if err := k.checkTenants(v, old); err != nil {
		return nil, err
	}
	l.Serial, l.Signed, l.tenants, l.proof, l.FreshUntil = v.Serial, true, v.Tenants, v, v.Expires
	if k.opt.MaxAge > 0 {
		if at := v.SignedAt.Add(k.opt.MaxAge); l.FreshUntil.IsZero() || at.Before(l.FreshUntil) {
			l.FreshUntil = at
		}
	}
	if unchanged {
		l.Set = old.Set
	} else if l.Set, err = bundle.Load(v.Bundle); err != nil {
		return nil, &refusal{Unloadable, err}
	}
	v.Bundle = nil // it was loaded, and is large
	return l, nil
}

// checkTenants refuses a bundle of other tenants in the place of what is in force: a valid one, put where it does not
// belong.
func (k *Keeper) checkTenants(v *sign.Verified, old *Loaded) error {
	if t := k.opt.Tenant; t != "" && !slices.Contains(v.Tenants, t) {
		return &sign.Error{Code: sign.WrongTenant, Text: fmt.Sprintf("the bundle is of tenant %s, and holds nothing of %s", strings.Join(v.Tenants, ", "), t)}
	}
	if old != nil && len(old.tenants) > 0 && !slices.ContainsFunc(v.Tenants, func(t string) bool { return slices.Contains(old.tenants, t) }) {
		return &sign.Error{Code: sign.WrongTenant, Text: fmt.Sprintf("the bundle is of tenant %s, and the one in force here of %s: restart the server if that is meant",
			strings.Join(v.Tenants, ", "), strings.Join(old.tenants, ", "))}
	}
	return nil
}

func (k *Keeper) loadUnsigned(l *Loaded, c *payload) (err error) {
	if c.policies != "" {
		l.Set, err = policy.Load(c.policies)
		return unloadable(err)
	}
	a, err := bundle.Read(bytes.NewReader(c.archive))
	if err != nil {
		return unloadable(err)
	}
	m, err := a.Manifest()
	if err != nil {
		return unloadable(err)
	}
	l.Serial, l.tenants = m.Metadata.Serial, m.Metadata.Tenants
	if l.FreshUntil, err = m.Metadata.ExpiresAt(); err != nil {
		return unloadable(err)
	}
	if !l.FreshUntil.IsZero() && !k.opt.Now().Before(l.FreshUntil) {
		return &sign.Error{Code: sign.Expired, Text: "the bundle expired at " + l.FreshUntil.Format(time.RFC3339)}
	}
	l.Set, err = bundle.Load(a)
	return unloadable(err)
}

func unloadable(err error) error {
	if err == nil {
		return nil
	}
	return &refusal{Unloadable, err}
}
