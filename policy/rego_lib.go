package policy

// regoDecision is the part of the decision module that is the same for every set.
const regoDecision = `
# The strongest hit decides.
outcome := "allow" if {
	count(hits) == 0
} else := "deny" if {
	some [_, _, "deny"] in hits
} else := "approval_needed" if {
	some [_, _, "approval_needed"] in hits
} else := "sanitize" if {
	some [_, _, "sanitize"] in hits
} else := "deny"

error_codes := {
	"argument_missing", "argument_null", "argument_type", "number_out_of_range", "expression_error",
	"custom_error",
}

reasons := [reason(hit) | some hit in sort(hits); not hit[1] in error_codes]

errors := [reason(hit) | some hit in sort(hits); hit[1] in error_codes]

# Where a rule stands in its source, and what its policy tells the caller, is data, if the bundle carries it.
reason(hit) := object.union_n([{"rule": hit[0], "code": hit[1], "outcome": hit[2]}, source(hit[0]), message(hit[0])])

source(rule) := {"source": data.aegis.sources[rule]} if {
	true
} else := {}

message(rule) := {"message": data.aegis.messages[rule]} if {
	true
} else := {}

# What the gate found out, for every evaluator alike.
hits contains [rule, "sanitized", "sanitize"] if some rule, _ in input.facts.detected

hits contains [rule, code, "deny"] if some rule, code in input.facts.exceeded

# One policy at most covers an agent.
hits contains hit if some hit in policy_hits

`

// regoLibrary returns the module of functions that the rules of every set use.
func regoLibrary() string {
	return regoHead("What the generated rules are built from.") + regoCallLib + regoNumberLib + regoTextLib +
		"\nurl_pattern := " + regoQuote(HostPattern()) +
		"\n\naddress_pattern := " + regoQuote(AddrPattern()) +
		"\n\nlinks_pattern := " + regoQuote(LinksPattern()) + "\n" + regoAddressLib
}

const regoCallLib = `
action := object.get(input, "action", "")

chain := object.get(input, "chain", [])

# The direct caller; null where the chain is none.
caller := input.chain[count(input.chain) - 1] if {
	true
} else := "user" if {
	count(chain) == 0
} else := null

region := object.get(input, "region", null)

has_args if is_object(input.args)

time_ns := input.facts.time_ns if is_number(input.facts.time_ns)

before(moment) if time_ns < moment

# OPA's floor is 0 for what lies between -1 and 0.
unix := (time_ns - rest) / 1000000000 if rest := ((time_ns % 1000000000) + 1000000000) % 1000000000

hour(zone) := time.clock([time_ns, zone])[0]

weekday(zone) := {
	"Sunday": 0, "Monday": 1, "Tuesday": 2, "Wednesday": 3, "Thursday": 4, "Friday": 5,
	"Saturday": 6,
}[time.weekday([time_ns, zone])]

# Why a value that is there does not suit a check on another type, or on a number in range.
problem(value, type) := "argument_null" if {
	value == null
} else := "argument_type" if {
	type_name(value) != type
} else := "number_out_of_range"
`

// regoNumberLib is exact arithmetic in millionths. OPA's numbers are exact up to 2^64, and older OPAs' no further: so a
// product is put together from parts, each of which is smaller than the product's bound or makes it exceed that.
const regoNumberLib = `
micro(x) := x * 1000000 if {
	abs(x) <= 1000000000000
	floor(x) == x
} else := m if {
	abs(x) <= 1000000000
	m := round(x * 1000000)
	m / 1000000 == x
}

from_micro(m) := m / 1000000 if {
	abs(m) <= 1000000000000000
} else := m / 1000000 if {
	abs(m) <= 1000000000000000000
	m % 1000000 == 0
}

add(x, y) := from_micro(micro(x) + micro(y))

subtract(x, y) := from_micro(micro(x) - micro(y))

multiply(x, y) := from_micro(((whole_x * whole_y) * 1000000) + (((whole_x * part_y) + (part_x * whole_y)) + (parts / 1000000))) if {
	micro_x := micro(x)
	micro_y := micro(y)
	part_x := micro_x % 1000000
	part_y := micro_y % 1000000
	whole_x := (micro_x - part_x) / 1000000
	whole_y := (micro_y - part_y) / 1000000
	parts := part_x * part_y
	parts % 1000000 == 0
}
`

const regoTextLib = `
size(x) := count(x) if is_string(x)

size(x) := count(x) if is_array(x)

# A value that is no string and no list counts as a list of one.
length(x) := count(x) if {
	is_string(x)
} else := count(x) if {
	is_array(x)
} else := 1

lower_ascii(x) := strings.replace_n(lower_letters, x)

lower_letters := {
	"A": "a", "B": "b", "C": "c", "D": "d", "E": "e", "F": "f", "G": "g", "H": "h", "I": "i",
	"J": "j", "K": "k", "L": "l", "M": "m", "N": "n", "O": "o", "P": "p", "Q": "q", "R": "r",
	"S": "s", "T": "t", "U": "u", "V": "v", "W": "w", "X": "x", "Y": "y", "Z": "z",
}

host(x) := lower_ascii(regex.find_all_string_submatch_n(url_pattern, x, 1)[0][1])

domain(x) := lower_ascii(regex.find_all_string_submatch_n(address_pattern, x, 1)[0][1])

links(x) := [lower_ascii(concat("", array.slice(link, 1, 4))) | some link in regex.find_all_string_submatch_n(links_pattern, x, -1)]
`

// regoAddressLib knows addresses in their canonical text only. An IPv6 address is canonical if no group has a leading
// zero and :: stands for the first of the longest runs of at least two zero groups.
const regoAddressLib = `
ipv4(x) if regex.match(` + "`" + `^(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}$` + "`" + `, x)

ipv6(x) if {
	regex.match(` + "`" + `^(0|[1-9a-f][0-9a-f]{0,3})(:(0|[1-9a-f][0-9a-f]{0,3})){7}$` + "`" + `, x)
	not contains(concat("", [":", x, ":"]), ":0:0:")
}

ipv6(x) if {
	regex.match(` + "`" + `^((0|[1-9a-f][0-9a-f]{0,3})(:(0|[1-9a-f][0-9a-f]{0,3}))*)?::((0|[1-9a-f][0-9a-f]{0,3})(:(0|[1-9a-f][0-9a-f]{0,3}))*)?$` + "`" + `, x)
	not regex.match(` + "`" + `^::ffff:[0-9a-f]+:[0-9a-f]+$` + "`" + `, x)
	[left, right] := split(x, "::")
	groups := count([group | some side in [left, right]; some group in split(side, ":"); group != ""])
	groups <= 6
	not regex.match(` + "`" + `(^|:)0$` + "`" + `, left)
	not regex.match(` + "`" + `^0(:|$)` + "`" + `, right)
	not zero_run(left, 8 - groups)
	not zero_run(right, 9 - groups)
}

# There are that many zero groups in a row.
zero_run(groups, n) if {
	run := concat(":", ["0" | some _ in numbers.range(1, n)])
	contains(concat("", [":", groups, ":"]), concat("", [":", run, ":"]))
}
`
