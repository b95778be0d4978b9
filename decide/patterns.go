package decide

import (
	"regexp"
	"sync"

	"github.com/aegisctl/aegis/policy"
)

// The patterns of host, domain and links are compiled when a policy first uses them.
var (
	hostRE  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(policy.HostPattern()) })
	addrRE  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(policy.AddrPattern()) })
	linksRE = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(policy.LinksPattern()) })
)
