package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/aegisctl/aegis"
	"github.com/aegisctl/aegis/policy"
	"github.com/aegisctl/aegis/serve"
)

// serveConfig is the configuration of serve, whatever it comes from.
type serveConfig struct {
	bundles   []string
	keys      []string
	revoked   []string
	insecure  bool
	minSerial int64
	reload    time.Duration
	maxAge    time.Duration
	onStale   string
	custom    bool
	tokens    []string // HOST=FILE
	sourceCA  string

	listen    string
	tls       serve.TLSFiles
	admin     string
	adminTLS  serve.TLSFiles
	grpc      string
	grpcTLS   serve.TLSFiles
	grpcPlain bool
	hosts     []string
	auth      string
	tokenFile string
	tenant    string

	principals []string // PRINCIPAL=TENANT/AGENT

	mode    string
	engine  string
	state   string
	capture string

	maxBody  byteSize
	maxConns int
	maxCalls int
	notice   time.Duration
	grace    time.Duration

	logLevel  string
	telemetry telemetryConfig
}

// option is one thing that can be configured: by the flag --name, the variable AEGIS_NAME, and the key name of the file.
// This table is the only list of options: flags, variables, file, --print-config and the page come from it.
type option struct {
	group string
	name  string
	doc   string
	field func(*serveConfig) any // *string, *bool, *int, *int64, *time.Duration, *[]string or *byteSize
}

const (
	groupPolicies = "Policies"
	groupDoors    = "Doors"
	groupService  = "Service"
	groupLimits   = "Limits and draining"
)

var serveOptions = slices.Concat([]option{
	{groupPolicies, "bundle", "where policies come from: a bundle, a directory of bundles (or of policies, with --insecure-unsigned), https://…, oci://host/repository:tag; repeat it for other tenants",
		func(c *serveConfig) any { return &c.bundles }},
	{groupPolicies, "key", "public key (file or KMS URI) that bundles must be signed with; repeat it while keys are rotated",
		func(c *serveConfig) any { return &c.keys }},
	{groupPolicies, "revoked", "public key that is no longer trusted", func(c *serveConfig) any { return &c.revoked }},
	{groupPolicies, "insecure-unsigned", "take bundles and policies without a signature", func(c *serveConfig) any { return &c.insecure }},
	{groupPolicies, "min-serial", "lowest serial to accept, also where the state directory was lost", func(c *serveConfig) any { return &c.minSerial }},
	{groupPolicies, "reload-every", "how often to look for new policies; 0: only on SIGHUP", func(c *serveConfig) any { return &c.reload }},
	{groupPolicies, "max-age", "how long after its signing a bundle counts as fresh; 0: until it expires", func(c *serveConfig) any { return &c.maxAge }},
	{groupPolicies, "on-stale", "what becomes of writes under a bundle that expired or is older than --max-age: deny, or keep deciding", func(c *serveConfig) any { return &c.onStale }},
	{groupPolicies, "allow-custom-rego", "take policies with Rego of their own although there are several tenants", func(c *serveConfig) any { return &c.custom }},
	{groupPolicies, "source-token", "HOST=FILE: the file holds a bearer token, or user:password, for bundles fetched from that host", func(c *serveConfig) any { return &c.tokens }},
	{groupPolicies, "source-ca", "PEM file of the authorities that hosts of bundles are checked against, instead of the system's", func(c *serveConfig) any { return &c.sourceCA }},

	{groupDoors, "listen", "where calls come in: host:port, or unix:/path", func(c *serveConfig) any { return &c.listen }},
},
	tlsOptions("", "calls", func(c *serveConfig) *serve.TLSFiles { return &c.tls }),
	[]option{
		{groupDoors, "admin-listen", "where /healthz, /readyz, /metrics and /v1/status are; beyond this machine only with mTLS", func(c *serveConfig) any { return &c.admin }},
	},
	tlsOptions("admin-", "operators", func(c *serveConfig) *serve.TLSFiles { return &c.adminTLS }),
	envoyOptions(),
	[]option{
		{groupDoors, "host", "name under which clients may call the server, beside localhost and loopback addresses; repeat it for more", func(c *serveConfig) any { return &c.hosts }},
		{groupDoors, "auth", "token: ask for the server's token (this machine only); mtls: whoever shows a certificate of --tls-client-ca, with --tenant; none: believe everybody (this machine only), with --tenant",
			func(c *serveConfig) any { return &c.auth }},
		{groupDoors, "token-file", "file for the server's token; default: token, in the state directory", func(c *serveConfig) any { return &c.tokenFile }},
		{groupDoors, "tenant", "the one tenant believed; a call of another is denied", func(c *serveConfig) any { return &c.tenant }},

		{groupService, "mode", "enforce, or shadow: nothing is blocked", func(c *serveConfig) any { return &c.mode }},
		{groupService, "engine", "native, opa, or both: fails on a difference", func(c *serveConfig) any { return &c.engine }},
		{groupService, "state", "directory for what must survive a restart; default: aegisctl, in the user's state directory", func(c *serveConfig) any { return &c.state }},
		{groupService, "capture", "directory for captured traffic, which aegisctl simulate reads", func(c *serveConfig) any { return &c.capture }},
		{groupService, "log-level", "debug, info, warn or error", func(c *serveConfig) any { return &c.logLevel }},

		{groupLimits, "max-body", "largest body of a call, from 1KiB to 16MiB; a larger one is answered 413", func(c *serveConfig) any { return &c.maxBody }},
		{groupLimits, "max-connections", "most connections of one listener; more are closed at once", func(c *serveConfig) any { return &c.maxConns }},
		{groupLimits, "max-in-flight", "most calls under way; more are answered 503 with Retry-After", func(c *serveConfig) any { return &c.maxCalls }},
		{groupLimits, "drain-notice", "how long to still take calls after /readyz says no", func(c *serveConfig) any { return &c.notice }},
		{groupLimits, "drain-grace", "how long to wait for calls under way", func(c *serveConfig) any { return &c.grace }},
	}, telemetryOptions)

// tlsOptions are the options of a listener's transport security.
func tlsOptions(prefix, who string, files func(*serveConfig) *serve.TLSFiles) []option {
	return []option{
		{groupDoors, prefix + "tls-cert", "PEM file of the certificate and its chain, for the listener of " + who + "; read again when it changes",
			func(c *serveConfig) any { return &files(c).Cert }},
		{groupDoors, prefix + "tls-key", "PEM file of the certificate's key", func(c *serveConfig) any { return &files(c).Key }},
		{groupDoors, prefix + "tls-client-ca", "PEM file of the authorities of client certificates, which are then required (mTLS)",
			func(c *serveConfig) any { return &files(c).ClientCA }},
	}
}

// defaultServeConfig is what holds where nothing is said.
func defaultServeConfig() serveConfig {
	return serveConfig{reload: 30 * time.Second, onStale: "deny", listen: "127.0.0.1:8181", admin: "127.0.0.1:8182", auth: "token",
		mode: "enforce", engine: "native", maxBody: aegis.MaxBody, maxConns: 10_000, maxCalls: 1_000,
		grace: 10 * time.Second, logLevel: "warn", telemetry: defaultTelemetry()}
}

// variable is the environment's name of an option.
func (o *option) variable() string {
	return "AEGIS_" + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
}

// bind makes flags of the table.
func (c *serveConfig) bind(f *pflag.FlagSet) {
	for _, o := range serveOptions {
		switch p := o.field(c).(type) {
		case *string:
			if o.name != "log-level" { // a flag of every verb
				f.StringVar(p, o.name, *p, o.doc)
			}
		case *bool:
			f.BoolVar(p, o.name, *p, o.doc)
		case *int:
			f.IntVar(p, o.name, *p, o.doc)
		case *int64:
			f.Int64Var(p, o.name, *p, o.doc)
		case *time.Duration:
			f.DurationVar(p, o.name, *p, o.doc)
		case *[]string:
			f.StringArrayVar(p, o.name, *p, o.doc)
		case *byteSize:
			f.Var(p, o.name, o.doc)
		}
	}
}

// fill takes what no flag says from the environment, and what neither says from the file. It returns where each option comes
// from: "" is the default.
func (c *serveConfig) fill(f *pflag.FlagSet, file string, lookup func(string) (string, bool)) (from map[string]string, err error) {
	if v, ok := lookup("AEGIS_CONFIG"); ok && file == "" {
		file = v
	}
	from = map[string]string{}
	var doc policy.Node
	if file != "" {
		if doc, err = readServeFile(file); err != nil {
			return nil, err
		}
	}
	c.logLevel = f.Lookup("log-level").Value.String()
	for _, o := range serveOptions {
		flag := f.Lookup(o.name)
		text, inEnv := lookup(o.variable())
		node := doc.Get(o.name)
		switch {
		case flag.Changed:
			from[o.name] = "--" + o.name
		case inEnv && text != "": // an empty variable is none
			from[o.name] = o.variable()
			if err := set(flag.Value, o.split(c, text)); err != nil {
				return nil, fmt.Errorf("%s=%q: %w", o.variable(), text, err)
			}
		case doc.Get(o.name) != policy.Node{}:
			from[o.name] = file
			if err := o.read(c, flag.Value, node); err != nil {
				return nil, err
			}
		}
	}
	c.logLevel = f.Lookup("log-level").Value.String()
	return from, nil
}

// split makes a list of a variable's text: lists stand in variables with commas between.
func (o *option) split(c *serveConfig, text string) []string {
	if _, list := o.field(c).(*[]string); list {
		return strings.Split(text, ",")
	}
	return []string{text}
}

func set(v pflag.Value, text []string) error {
	if list, ok := v.(pflag.SliceValue); ok {
		return list.Replace(text)
	}
	return v.Set(text[0])
}

// readServeFile reads a file of options as strictly as policies.
func readServeFile(path string) (policy.Node, error) {
	doc, err := policy.ReadDocument(path)
	if err != nil {
		return doc, err
	}
	if doc.Kind() != aegis.Object {
		return doc, doc.Errorf("write KEY: VALUE; aegisctl serve --print-config shows every key", "the configuration must be a mapping, not %s", doc.What())
	}
	var known []string
	for _, o := range serveOptions {
		known = append(known, o.name)
	}
	var errs policy.Errors
	for _, k := range doc.Keys() {
		if !slices.Contains(known, k.Text()) {
			hint := policy.DidYouMean(k.Text(), known)
			if hint == "" {
				hint = "aegisctl serve --print-config shows every key"
			}
			errs = append(errs, k.Errorf(hint, "unknown key %.60q", k.Text()))
		}
	}
	if len(errs) > 0 {
		return doc, errs.Sorted()
	}
	return doc, nil
}

// read sets an option from the file.
func (o *option) read(c *serveConfig, v pflag.Value, n policy.Node) error {
	want, legal := "text", []aegis.Kind{aegis.String}
	text := []string{n.Text()}
	switch o.field(c).(type) {
	case *bool:
		want, legal = "true or false", []aegis.Kind{aegis.Bool}
	case *int, *int64:
		want, legal = "a whole number", []aegis.Kind{aegis.Number}
	case *byteSize:
		want, legal = "a size, such as 1MiB", []aegis.Kind{aegis.Number, aegis.String}
	case *time.Duration:
		want, legal = "a span of time, such as 30s", []aegis.Kind{aegis.String}
		if n.Text() == "0" {
			legal = append(legal, aegis.Number)
		}
	case *[]string:
		want, legal, text = "a list of text", []aegis.Kind{aegis.List}, []string{}
		for _, item := range n.Items() {
			if item.Kind() != aegis.String {
				return item.Errorf("put it into quotes", "%s must hold text, not %s", o.name, item.What())
			}
			text = append(text, item.Text())
		}
	}
	if !slices.Contains(legal, n.Kind()) {
		return n.Errorf("", "%s must be %s, not %s", o.name, want, n.What())
	}
	if err := set(v, text); err != nil {
		return n.Errorf("", "%s must be %s", o.name, want)
	}
	return nil
}

// print writes the configuration as a file that may be given to --config. It holds no secrets: tokens and keys are files, and
// what addresses of bundles carry in their query is left out.
func (c *serveConfig) print(w io.Writer, from map[string]string) error {
	var b strings.Builder
	b.WriteString("# The configuration of aegisctl serve in effect: flags, then the environment, then the file, then defaults.\n")
	usual := defaultServeConfig()
	group := ""
	for _, o := range serveOptions {
		if o.group != group {
			group = o.group
			fmt.Fprintf(&b, "\n# ---- %s ----\n", group)
		}
		fmt.Fprintf(&b, "\n# %s\n# Flag --%s, variable %s, default %s.", o.doc, o.name, o.variable(), yamlValue(o.field(&usual)))
		if f := from[o.name]; f != "" {
			fmt.Fprintf(&b, " From %s.", strings.NewReplacer("\n", " ", "\r", " ").Replace(f))
		}
		fmt.Fprintf(&b, "\n%s: %s\n", o.name, yamlValue(o.field(c)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// yamlValue writes the value of an option.
func yamlValue(field any) string {
	switch p := field.(type) {
	case *string:
		return quoted(*p)
	case *[]string:
		var items []string
		for _, s := range *p {
			items = append(items, quoted(withoutQuery(s)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *bool:
		return strconv.FormatBool(*p)
	case *time.Duration:
		return quoted(p.String())
	case *byteSize:
		return quoted(p.String())
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		return strconv.FormatInt(*p, 10)
	}
	panic(fmt.Sprintf("an option of type %T", field))
}

func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // text always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// withoutQuery hides what may be a signature in the query of an address.
func withoutQuery(s string) string {
	if u, err := url.Parse(s); err == nil && u.Host != "" && (u.RawQuery != "" || u.User != nil) {
		u.User = nil
		if u.RawQuery != "" {
			u.RawQuery = "HIDDEN"
		}
		return u.String()
	}
	return s
}

// byteSize is a number of bytes, written 65536, 64KiB or 16MiB.
type byteSize int

// String implements pflag.Value.
func (b *byteSize) String() string {
	switch n := int(*b); {
	case n != 0 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n != 0 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	default:
		return strconv.Itoa(n)
	}
}

// Set implements pflag.Value.
func (b *byteSize) Set(text string) error {
	number, shift := text, 0
	if n, ok := strings.CutSuffix(text, "MiB"); ok {
		number, shift = n, 20
	} else if n, ok := strings.CutSuffix(text, "KiB"); ok {
		number, shift = n, 10
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n<<shift > 1<<30 {
		return fmt.Errorf("%q is no size, such as 65536, 64KiB or 1MiB", text)
	}
	*b = byteSize(n << shift)
	return nil
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "size" }
