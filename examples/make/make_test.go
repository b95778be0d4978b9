package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedTraffic makes all traffic anew and compares it with the committed files, byte by byte.
func TestCommittedTraffic(t *testing.T) {
	dir := t.TempDir()
	for name, rows := range packs {
		path := filepath.Join(dir, name+".parquet")
		made := rows()
		if err := write(path, made); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", name, "traffic.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the committed traffic is not what go run ./examples/make writes", name)
		}
		if n := len(made); n < 600 || n > 3000 || len(got) > 150_000 {
			t.Errorf("%s: %d calls in %d bytes; an example has 600 to 3000, in at most 150,000", name, n, len(got))
		}
	}
}
