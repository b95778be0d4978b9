package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/aegisctl/aegis"
)

// path translates a name with its fields: an argument, a bound variable, or one of the reserved names.
func (t *translator) path(e ast.Expr) (*Expr, *ExprError) {
	root, fields, ok := splitPath(e)
	if !ok {
		return t.fail(e, "", "only names have fields, not values")
	}
	name := root.AsIdent()
	x := &Expr{Op: OpPath, Offset: t.start(root), Fields: fields}
	for i := len(t.vars) - 1; i >= 0; i-- {
		if t.vars[i] == name {
			x.Root, x.Var = RootVar, i
			return x, nil
		}
	}
	if w, foreign := foreignWords[name]; foreign {
		return t.fail(root, "write "+w+"; for an argument of that name, args."+name, "%s is no constant of CEL", name)
	}
	switch {
	case strings.HasPrefix(name, "."):
		return t.fail(root, "drop the point", "a name cannot begin with a point")
	case !slices.Contains(reservedNames, name):
		x.Root, x.Fields = RootArgs, append([]string{name}, fields...)
		return x, checkArg(x)
	}
	return t.reserved(root, name, x)
}

// checkArg refuses an argument's name that no dotted path could tell from a member of an object.
func checkArg(x *Expr) *ExprError {
	for _, f := range x.Fields {
		if strings.Contains(f, ".") {
			return &ExprError{x.Offset, fmt.Sprintf("an argument with a point in its name (%s) cannot be named", f),
				"for a member of an object write a.b"}
		}
	}
	return nil
}

func (t *translator) reserved(root ast.Expr, name string, x *Expr) (*Expr, *ExprError) {
	fields := x.Fields
	if r, scalar := scalarRoots[name]; scalar || name == "chain" {
		if len(fields) > 0 {
			return t.fail(root, "for an argument of that name write args."+name, "%s has no fields", name)
		}
		if x.Root = r; !scalar {
			x.Root = RootChain
		}
		return x, nil
	}
	switch name {
	case "args", "claims":
		if len(fields) == 0 {
			return t.fail(root, "write "+name+".NAME", "%s is no value by itself", name)
		}
		if name == "claims" {
			x.Root = RootClaims
			return x, nil
		}
		x.Root = RootArgs
		return x, checkArg(x)
	case "lists", "params":
		if len(fields) != 1 {
			return t.fail(root, "write "+name+".NAME", "%s is no value by itself", name)
		}
		return t.named(root, name, fields[0])
	case "time":
		if len(fields) == 1 && fields[0] == "unix" {
			return &Expr{Op: OpUnix, Offset: x.Offset}, nil
		}
		return t.fail(root, `write time.unix, time.hour("Europe/Berlin") or time.weekday("Europe/Berlin"); `+
			"for an argument of that name, args.time", "time is no value by itself")
	}
	return t.fail(root, `write session.count("tool/action"), or seen, sum, values, tainted; `+
		"for an argument of that name, args.session", "session is no value by itself")
}

// named puts a list or a parameter in place of its name.
func (t *translator) named(root ast.Expr, kind, name string) (*Expr, *ExprError) {
	at := t.start(root)
	if kind == "lists" {
		if l, ok := t.names.Lists[name]; ok {
			return &Expr{Op: OpList, Offset: at, List: l}, nil
		}
		return t.fail(root, didYouMean(name, slices.Sorted(maps.Keys(t.names.Lists))), "the policy has no list %q",
			name)
	}
	if p, ok := t.names.Params[name]; ok {
		return &Expr{Op: OpLiteral, Offset: at, Lit: p}, nil
	}
	return t.fail(root, didYouMean(name, slices.Sorted(maps.Keys(t.names.Params))), "the policy has no parameter %q",
		name)
}

// feature reads "tool/action" or "tool": names as a policy may write them, with / inside a name as %2F.
func feature(text string) (f Feature, problem string) {
	tool, action, both := strings.Cut(text, "/")
	f.Any = !both
	for i, part := range []string{tool, action} {
		if i == 1 && !both {
			break
		}
		name, ok := unescapeName(part)
		switch {
		case !ok:
			return f, "% stands only in %2F, %23 and %25"
		case strings.HasSuffix(name, "*"):
			return f, "a star cannot stand here: what is counted is one tool, or one action of it"
		case strings.Contains(part, "/"):
			return f, "a / inside a name is written %2F"
		case !aegis.ValidPolicyName(name):
			return f, fmt.Sprintf("%q cannot be the name of a tool or an action", part)
		}
		if i == 0 {
			f.Tool = name
		} else {
			f.Action = name
		}
	}
	return f, ""
}

// unescapeName is the inverse of aegis.EscapeName.
func unescapeName(s string) (string, bool) {
	s = strings.NewReplacer("%2F", "/", "%2f", "/", "%23", "#", "%25", "\x00").Replace(s)
	if strings.Contains(s, "%") {
		return "", false
	}
	return strings.ReplaceAll(s, "\x00", "%"), true
}
