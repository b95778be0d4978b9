package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/aegisctl/aegis/route"
)

// openAPI is a document from which routes are drafted, and what it leaves open.
type openAPI struct{ path, tool, server string }

func (o *openAPI) flags(f *pflag.FlagSet) {
	f.StringVar(&o.path, "openapi", "", "draft routes from this OpenAPI 3.0 or 3.1 document (JSON or YAML; - is stdin)")
	f.StringVar(&o.tool, "tool", "", "with --openapi: the tool that is called (default: made of the document's title)")
	f.StringVar(&o.server, "server", "", "with --openapi: URL of the server (default: the document's first)")
}

// draftRoutes writes the routes of a document. Operations that no route can stand for are noted in the draft.
func (a *app) draftRoutes(o *openAPI, args []string, from, tenant, output string) error {
	if len(args) > 0 || from != "" {
		return errors.New("import --openapi reads one document and no traffic: leave out --from and input files")
	}
	in := a.in
	if o.path != "-" {
		f, err := os.Open(o.path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, route.MaxOpenAPI+1))
	if err != nil {
		return err
	}
	d, err := route.FromOpenAPI(text, route.DraftOptions{Tool: o.tool, Server: o.server, Tenant: tenant})
	if err != nil {
		return fmt.Errorf("%s: %w", o.path, err)
	}
	if output == "" {
		_, err = a.out.Write(d.YAML)
	} else {
		err = writeFile(output, d.YAML)
	}
	if err != nil {
		return err
	}
	a.note("%d operations became routes, %d did not (the draft says why)", d.Routes, d.Skipped)
	return nil
}
