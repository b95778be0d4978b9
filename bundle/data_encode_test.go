package bundle

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/aegisctl/aegis/policy"
)

// TestEncodeIsEncodingJSON compares what is written of data.json with what encoding/json writes.
func TestEncodeIsEncodingJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"\\\\ \n\r\t<>&]{0,9}`), rapid.SampledFrom([]string{"", "\xff", "\u2028", "\x7f", "a\x00"}))
	texts := rapid.MapOf(text, text)
	rapid.Check(t, func(t *rapid.T) {
		c := content{Files: texts.Draw(t, "files"), Messages: texts.Draw(t, "messages"), Policies: texts.Draw(t, "policies"),
			Sources: texts.Draw(t, "sources"), Params: map[string]json.RawMessage{}, Routes: []raw{}, Schemas: []raw{}}
		if rapid.Bool().Draw(t, "raw") {
			c.Params["x"] = json.RawMessage(`"<"`)
			c.Routes = []raw{{text.Draw(t, "tenant"), "f", json.RawMessage(`[{"a":[1,{}],"b":"<é"}]`)}}
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		if err := e.Encode(&data{c}); err != nil {
			t.Fatal(err)
		}
		if got := encode(&data{c}); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got\n%swant\n%s", got, want.Bytes())
		}
	})
	c := content{rules: []policy.Rule{{}, {ID: "a", Pos: policy.Pos{File: "f", Line: 1, Col: 2}}}}
	if got := encode(&data{c}); !bytes.Contains(got, []byte("\"sources\": {\n   \"a\": \"f:1:2\"\n  }")) {
		t.Errorf("%s", got)
	}
}
