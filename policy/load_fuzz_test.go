package policy

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// FuzzLoad loads any text as YAML and as JSON. What loads, loads to the same again, and whatever is refused is refused
// with a place.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/full/*", "testdata/bad/*.yaml", "testdata/reference/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, n := range names {
			text, err := os.ReadFile(n)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), strings.HasSuffix(n, ".json"))
		}
	}
	f.Fuzz(func(t *testing.T, text string, json bool) {
		name := "p.yaml"
		if json {
			name = "p.json"
		}
		s, err := LoadText(name, text)
		if err != nil {
			var es Errors
			if s != nil || !errors.As(err, &es) || len(es) == 0 || len(es) > MaxErrors {
				t.Fatalf("a set and the error %T", err)
			}
			for _, e := range es {
				if e.Pos.File != name || e.Pos.Line < 1 || e.Pos.Col < 1 || e.Msg == "" {
					t.Fatalf("no place: %+v", e)
				}
			}
			return
		}
		again, err := LoadText(name, text)
		if err != nil || again.Version != s.Version {
			t.Fatalf("loads to another version: %v", err)
		}
		seen := map[string]bool{}
		for i, r := range s.Rules {
			if seen[r.ID] || (r.ID == "") != (i == 0) || (r.Pos.Line < 1) != (i == 0) {
				t.Fatalf("rule %d: %+v", i, r)
			}
			seen[r.ID] = true
		}
	})
}

// TestMemoryIsBounded loads sources of a megabyte that are meant to be costly. What they allocate, kept or not, stays
// within a multiple of their size.
func TestMemoryIsBounded(t *testing.T) {
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (MaxSource-len(head)-len(tail))/len(part)) + tail
	}
	for name, text := range map[string]string{
		"open lists":      fill("", "[", ""),
		"open mappings":   fill("", "{a: ", ""),
		"lists in blocks": fill("", "- ", ""),
		"keys":            fill("", "? ", ""),
		"items":           fill("", "- a\n", ""),
		"comments":        fill("a:\n", "  # x\n", ""),
		"one line":        fill("a: [", "{b: c}, ", "]"),
		"documents":       fill("", "---\n", ""),
		"anchors":         fill("", "- &a b\n", ""),
		"aliases":         fill("a: &a b\nc: [", "*a, ", "]"),
		"laughs":          "a: &a [x]\n" + fill("b: &b [", "*a, ", "]\n") + "c: [*b, *b]\n",
		"tags":            fill("", "- !x y\n", ""),
		"escapes":         fill(`a: "`, `\x41`, `"`),
		"late error":      fill("", "a: b\n", "c: @"),
		"open text":       fill("a: \"", "x\n", ""),
		"entries":         fill("agent: a\nallowed_tools:\n", "- {nam: t}\n", ""),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := LoadText("p.yaml", text)
		runtime.ReadMemStats(&after)
		if s != nil || err == nil {
			t.Errorf("%s: loaded", name)
		}
		if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 250 {
			t.Errorf("%s: %d MB allocated", name, mb)
		}
	}
}
