package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/aegisctl/aegis/bundle"
)

// tamperMain is a program of the scripts: tamper FILE drop|put|add MEMBER [TEXT], or tamper FILE cut N | append TEXT.
// It writes archives that our own writer would refuse to.
func tamperMain() {
	if err := tamper(os.Args[1], os.Args[2], os.Args[3:]...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tamper(path, op string, args ...string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch op {
	case "cut":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(path, data[:len(data)-n], 0o644)
	case "append":
		return os.WriteFile(path, append(data, args[0]...), 0o644)
	}
	a, err := bundle.Read(bytes.NewReader(data))
	if err != nil {
		return err
	}
	files := a.Files
	at := slices.IndexFunc(files, func(f bundle.File) bool { return f.Path == args[0] })
	switch {
	case op == "add":
		files = append(files, bundle.File{Path: args[0], Data: []byte(args[1])})
	case at < 0:
		return fmt.Errorf("no member %s", args[0])
	case op == "drop":
		files = slices.Delete(files, at, at+1)
	case op == "put":
		files[at].Data = []byte(args[1])
	default:
		return fmt.Errorf("no op %s", op)
	}
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.Path, Mode: 0o644, Size: int64(len(f.Data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := w.Write(f.Data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := g.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
