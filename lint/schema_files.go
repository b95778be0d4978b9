package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/aegisctl/aegis/policy"
)

// AddFiles adds the tools of the set's files of schemas (schemas:), each for the policies of its tenant. Their form is
// that of Add, or an object of such forms by the server's name. Where a tool was added before, by the same server's
// name, that one holds: what is asked of a run goes before what lies beside the policies. It must be called after Add,
// once. The error names the file; s is then of no use.
func (s *Schema) AddFiles(set *policy.Set) error {
	byTenant := map[string]*Schema{}
	for _, raw := range set.Schemas {
		t := byTenant[raw.Tenant]
		if t == nil {
			t = new(Schema)
			byTenant[raw.Tenant] = t
		}
		if err := t.Add("", withServers(raw.JSON)); err != nil {
			return fmt.Errorf("%s: schemas: %w", raw.Pos, err)
		}
	}
	s.ofTenant = map[string]*Schema{}
	for tenant, t := range byTenant {
		for name, tools := range s.servers {
			all := map[string]*toolSchema{}
			maps.Copy(all, t.servers[name])
			maps.Copy(all, tools)
			t.servers[name] = all
		}
		s.ofTenant[tenant] = t
	}
	return nil
}

// withServers turns an object of servers' tools, without more around it, into the form that Add reads.
func withServers(text []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return text
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return text // Add says what is wrong
	}
	for _, key := range []string{"tools", "servers", "result", "error"} {
		if _, ok := members[key]; ok {
			return text
		}
	}
	return []byte(`{"servers":` + strings.TrimSpace(string(text)) + `}`)
}
