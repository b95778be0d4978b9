package lint

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
)

func TestFromLoadError(t *testing.T) {
	_, err := policy.LoadText("p.yaml", "agent: a\nallowed_tools: [{name: bank, conditons: {}}]\nmod: x\n")
	for _, err := range []error{err, fmt.Errorf("lint: %w", err)} {
		found := FromLoadError(err)
		if len(found) != 2 {
			t.Fatalf("%v", found)
		}
		for i, want := range []string{"p.yaml:2:30", "p.yaml:3:1"} {
			if f := found[i]; f.ID != "AEG000" || f.Severity != aegis.SeverityError || f.Source != want || f.Message == "" || f.Hint == "" {
				t.Errorf("%s, want its place to be %s", f, want)
			}
		}
	}
	one := &policy.Error{Pos: policy.Pos{File: "p.yaml", Line: 2, Col: 3}, Msg: "m", Hint: "h"}
	if found := FromLoadError(one); len(found) != 1 || found[0].String() != "p.yaml:2:3: error AEG000: m (h)" {
		t.Errorf("%v", found)
	}
	if found := FromLoadError(errors.New("disk on fire")); len(found) != 1 || found[0].String() != "error AEG000: disk on fire" {
		t.Errorf("%v", found)
	}
	if found := FromLoadError(nil); found != nil {
		t.Errorf("%v", found)
	}
}
