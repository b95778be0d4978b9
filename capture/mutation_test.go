package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// mutations is how often a file is damaged in an ordinary run; AEGIS_LONG=1 makes it 20,000.
func mutations(ordinary int) int {
	if os.Getenv("AEGIS_LONG") != "" {
		return 20_000
	}
	return ordinary
}

// damage changes a few bytes of data in one of the ways in which files go bad or are made bad.
func damage(r *rand.Rand, data []byte) []byte {
	d := bytes.Clone(data)
	at := func() int {
		// Metadata and page headers are where a change does most; they are near the ends.
		if r.IntN(3) == 0 {
			return max(len(d)-1-r.IntN(min(len(d), 4000)), 0)
		}
		return r.IntN(len(d))
	}
	for range 1 + r.IntN(3) {
		switch p := at(); r.IntN(8) {
		case 0, 1, 2:
			d[p] ^= 1 << r.IntN(8)
		case 3:
			d[p] = byte(r.Uint32())
		case 4:
			d[p] = []byte{0, 1, 0x7f, 0x80, 0xff}[r.IntN(5)]
		case 5:
			if p+4 <= len(d) {
				binary.LittleEndian.PutUint32(d[p:], []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff, r.Uint32()}[r.IntN(6)])
			}
		case 6: // a large number where a small one was
			if p+5 <= len(d) {
				copy(d[p:], []byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
			}
		case 7: // bytes cut out or put in; the footer's length no longer fits, unless the change is inside it
			n := r.IntN(8)
			if p+n < len(d) {
				if r.IntN(2) == 0 {
					d = append(d[:p], d[p+n:]...)
				} else {
					d = append(d[:p+n], d[p:]...)
				}
			}
		}
		if len(d) < 16 {
			return d
		}
	}
	return d
}

// survive reads damaged data and wants an error that was meant, or rows.
func survive(t *testing.T, data []byte, what string) []Row {
	t.Helper()
	var rows []Row
	var err error
	n := allocated(func() { rows, err = readBytes(data) })
	if p := (panicError{}); errors.As(err, &p) {
		t.Errorf("%s: a panic: %v", what, err)
	}
	var fe *FormatError
	if err != nil && !errors.As(err, &fe) {
		t.Errorf("%s: %v", what, err)
	}
	if n > 3*maxExtra {
		t.Errorf("%s: %d bytes were allocated, with %v", what, n, err)
	}
	if t.Failed() {
		name := filepath.Join(os.TempDir(), "aegis-capture-damaged.parquet")
		_ = os.WriteFile(name, data, 0o666)
		t.Fatal("the file is kept as ", name)
	}
	if err != nil {
		return nil
	}
	return rows
}

// TestDamagedFilesOfOurs: whatever was changed, a file that we wrote either gives an error or the rows that were
// written: its pages and its footer have checksums.
func TestDamagedFilesOfOurs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.parquet")
	rows := manyRows(150)
	writeRows(t, path, rows)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := readBytes(data)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 14))
	same := 0
	for i := range mutations(1500) {
		got := survive(t, damage(r, data), fmt.Sprint("mutation ", i))
		if got == nil {
			continue
		}
		same++
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("mutation %d: other rows are read than were written", i)
		}
	}
	t.Log("read although something was changed:", same)
}

// TestDamagedForeignFiles: files without checksums can be read wrongly, but not be a danger.
func TestDamagedForeignFiles(t *testing.T) {
	files, _ := foreignSamples(t)
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, uint64(len(data))))
			read := 0
			for i := range mutations(400) {
				if survive(t, damage(r, data), fmt.Sprint("mutation ", i)) != nil {
					read++
				}
			}
			t.Log("read:", read)
		})
	}
}

// FuzzOpen: any bytes.
func FuzzOpen(f *testing.F) {
	f.Add(rawFile(3, textColumnOf("agent", 3, "a"), textColumnOf("tool", 3, "t")))
	files, _ := foreignSamples(f)
	for _, data := range files {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		file, err := openReader(bytes.NewReader(data), int64(len(data)), "memory")
		var b Batch
		for g := 0; err == nil && g < min(file.NumGroups(), 20); g++ {
			err = file.ReadGroup(g, AllColumns, &b)
		}
		if p := (panicError{}); errors.As(err, &p) {
			t.Fatal(err)
		}
	})
}
