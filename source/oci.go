package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/aegisctl/aegis/bundle"
)

// registry is a bundle in an OCI registry: an image manifest whose one layer is the archive, as opa and oras push it.
type registry struct {
	text string
	repo *remote.Repository
}

// maxManifest bounds a manifest, in bytes.
const maxManifest = 1 << 20

func newRegistry(text string, u *url.URL, o *Options) (place, error) {
	repo, err := remote.NewRepository(strings.TrimPrefix(text, "oci://"))
	if err != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%s: write oci://host/repository:tag, or …@sha256:digest", withoutQuery(u))
	}
	if repo.Reference.Reference == "" {
		return nil, fmt.Errorf("%s: name a tag or a digest, as in %s:stable", text, text)
	}
	repo.PlainHTTP = loopback(u.Host)
	repo.MaxMetadataBytes = maxManifest
	file := o.Tokens[u.Host]
	repo.Client = &auth.Client{Client: newClient(o), Cache: auth.NewCache(), Credential: func(_ context.Context, host string) (auth.Credential, error) {
		if file == "" || host != repo.Reference.Host() {
			return auth.EmptyCredential, nil
		}
		token, err := readToken(file)
		if err != nil {
			return auth.EmptyCredential, err
		}
		if user, password, basic := strings.Cut(token, ":"); basic {
			return auth.Credential{Username: user, Password: password}, nil
		}
		return auth.Credential{AccessToken: token}, nil
	}}
	return &registry{text: text, repo: repo}, nil
}

func (r *registry) name() string { return r.text }

// fetch asks what the tag means now, and gets the archive where that changed. Whatever comes has the digest that it was
// asked for by.
func (r *registry) fetch(ctx context.Context, tag string) ([]item, string, error) {
	desc, err := r.repo.Resolve(ctx, r.repo.Reference.Reference)
	if err != nil {
		return nil, "", hideURL(err)
	}
	if tag == string(desc.Digest) {
		return nil, "", errUnchanged
	}
	if desc.MediaType != ocispec.MediaTypeImageManifest && desc.MediaType != "application/vnd.docker.distribution.manifest.v2+json" {
		return nil, "", fmt.Errorf("%s is of type %q, and not an image manifest", r.repo.Reference.Reference, desc.MediaType)
	}
	text, err := blob(ctx, r.repo.Manifests(), desc, maxManifest)
	if err != nil {
		return nil, "", err
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, "", errors.New("the manifest is no JSON of a manifest")
	}
	if len(m.Layers) != 1 {
		return nil, "", fmt.Errorf("the manifest has %d layers, and a bundle is exactly one", len(m.Layers))
	}
	archive, err := blob(ctx, r.repo.Blobs(), m.Layers[0], bundle.MaxPacked)
	if err != nil {
		return nil, "", err
	}
	c := packed(archive, nil)
	return []item{{r.text, func() (*payload, error) { return c, nil }}}, string(desc.Digest), nil
}

// blob gets the bytes that a descriptor names, and checks size and digest.
func blob(ctx context.Context, from content.Fetcher, desc ocispec.Descriptor, bound int64) ([]byte, error) {
	if desc.Size < 0 || desc.Size > bound {
		return nil, fmt.Errorf("%s says that it has %d bytes, and %d are allowed", desc.Digest, desc.Size, bound)
	}
	rc, err := from.Fetch(ctx, desc)
	if err != nil {
		return nil, hideURL(err)
	}
	defer rc.Close()
	return content.ReadAll(io.LimitReader(rc, bound+1), desc)
}
