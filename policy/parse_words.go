package policy

// methodOps are the functions that follow their operand: x.startsWith("a").
var methodOps = map[string]Op{"size": OpSize, "startsWith": OpStarts, "endsWith": OpEnds, "contains": OpContains,
	"matches": OpMatches, "lowerAscii": OpLower, "exists": OpExists, "all": OpAll}

// functionOps are the functions that take it in parentheses: host(x).
var functionOps = map[string]Op{"size": OpSize, "host": OpHost, "domain": OpDomain, "links": OpLinks,
	"inCIDR": OpInCIDR, "has": OpHas}

// sessionOps and timeOps are what session and time can be asked.
var (
	sessionOps = map[string]Op{"count": OpCount, "seen": OpSeen, "sum": OpSum, "values": OpValues, "tainted": OpTainted}
	timeOps    = map[string]Op{"hour": OpHour, "weekday": OpWeekday}
)

// usage shows how each function is called.
var usage = map[string]string{"size": "size(x)", "startsWith": `x.startsWith("text")`, "endsWith": `x.endsWith("text")`,
	"contains": `x.contains("text")`, "matches": `x.matches("RE2")`, "lowerAscii": "x.lowerAscii()",
	"exists": "list.exists(x, x > 0)", "all": "list.all(x, x > 0)", "host": "host(url)", "domain": "domain(email)",
	"links": "links(text)", "inCIDR": `inCIDR(ip, "10.0.0.0/8")`, "has": "has(a)", "unix": "time.unix",
	"hour": `time.hour("Europe/Berlin")`, "weekday": `time.weekday("Europe/Berlin")`,
	"count": `session.count("tool/action")`, "seen": `session.seen("tool/action")`,
	"sum": `session.sum("tool/action", "amount")`, "values": `session.values("tool/action", "order_id")`,
	"tainted": `session.tainted("untrusted")`}

// refusedCalls are functions of CEL that the language leaves out, with what to write instead.
var refusedCalls = map[string]string{
	"int": "numbers are exact and need no conversion", "uint": "numbers are exact and need no conversion",
	"double": "numbers are exact and need no conversion", "string": "compare the value as it is",
	"bool": "compare the value as it is", "bytes": "compare the value as it is", "dyn": "leave it out",
	"type": "declare the argument's type under args", "timestamp": "write time.unix", "duration": "write seconds",
	"map": "write exists or all", "filter": "write exists or all", "exists_one": "write exists or all",
	"existsOne": "write exists or all", "getHours": "write time.hour(zone)", "getDayOfWeek": "write time.weekday(zone)",
	"upperAscii": "write lowerAscii", "now": "write time.unix", "len": "write size(x)", "length": "write size(x)",
	"lower": "write lowerAscii"}

// functionNames has the names of functions by operator.
var functionNames = func() map[Op]string {
	names := map[Op]string{}
	for _, ops := range []map[string]Op{methodOps, functionOps, sessionOps, timeOps} {
		for name, op := range ops {
			names[op] = name
		}
	}
	return names
}()

// reservedNames are the names in an expression that are no arguments.
var reservedNames = []string{"args", "lists", "params", "tool", "action", "agent", "tenant", "chain", "claims",
	"region", "time", "session"}

// scalarRoots are the reserved names that are strings.
var scalarRoots = map[string]Root{"tool": RootTool, "action": RootAction, "agent": RootAgent, "tenant": RootTenant,
	"region": RootRegion}

// foreignWords are constants of other languages; taken for arguments they would never be there.
var foreignWords = map[string]string{"True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
	"None": "has(name)", "nil": "has(name)", "NULL": "has(name)", "undefined": "has(name)"}

// celWords are the words that CEL does not take for the name of a value.
var celWords = []string{"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in",
	"let", "loop", "package", "namespace", "null", "return", "true", "var", "void", "while"}
