package policy

import (
	"slices"

	"github.com/aegisctl/aegis"
)

// Op is the operator of an expression.
type Op uint8

// The operators. Operands are in Expr.Sub unless said otherwise.
const (
	OpPath     Op = iota // Root, Fields
	OpLiteral            // Lit
	OpList               // List: a literal list of one kind (written, or a named list)
	OpAnd                // two
	OpOr                 // two
	OpNot                // one
	OpEq                 // two; likewise up to OpGe
	OpNe                 //
	OpLt                 //
	OpLe                 //
	OpGt                 //
	OpGe                 //
	OpIn                 // value, list
	OpHas                // a path of at least one field
	OpAdd                // two; likewise OpSub and OpMul (unary minus is 0 - x)
	OpSub                //
	OpMul                //
	OpSize               // a string or a list
	OpStarts             // string; Lit is the prefix
	OpEnds               // string; Lit is the suffix
	OpContains           // string; Lit is the part
	OpMatches            // string; Lit is an RE2 pattern that may match anywhere
	OpLower              // string
	OpExists             // list, body; the body's bound variable is Var
	OpAll                // list, body
	OpHost               // a URL: its host in lower case
	OpDomain             // an e-mail address: its domain in lower case
	OpLinks              // text: the list of hosts of the URLs in it
	OpInCIDR             // string; Lit is the network
	OpUnix               // the call's time in seconds
	OpHour               // the call's hour, 0 to 23; Lit is the zone
	OpWeekday            // the call's weekday, 0 is Sunday; Lit is the zone
	OpCount              // Feature; likewise the rest
	OpSeen               //
	OpSum                //
	OpValues             // a list
	OpTainted            //
)

// Root is where a path begins.
type Root uint8

// The roots of paths.
const (
	RootArgs Root = iota
	RootChain
	RootClaims
	RootTool
	RootAction
	RootAgent
	RootTenant
	RootRegion
	RootVar // the variable of an enclosing exists or all: Expr.Var
)

// Literal is a constant: a string, a number or a boolean.
type Literal struct {
	Kind aegis.Kind // String, Number or Bool
	Bool bool
	Str  string
	Num  aegis.Num
}

// Equal reports whether two literals are the same value of the same kind.
func (l Literal) Equal(m Literal) bool {
	if l.Kind != m.Kind {
		return false
	}
	switch l.Kind {
	case aegis.String:
		return l.Str == m.Str
	case aegis.Number:
		return l.Num.Cmp(m.Num) == 0
	}
	return l.Bool == m.Bool
}

// Expr is one node of a checked expression. Its meaning is three-valued: true, false, or error.
type Expr struct {
	Op      Op
	Root    Root
	Var     int // depth of the bound variable: 0 is the outermost
	Offset  int // of the node in its source, in characters
	Sub     []*Expr
	Fields  []string
	Lit     Literal
	List    []Literal
	Feature *Feature // of OpCount and the like, else nil
}

// Walk calls f for e and everything below it, parents first.
func (e *Expr) Walk(f func(*Expr)) {
	f(e)
	for _, s := range e.Sub {
		s.Walk(f)
	}
}

// ArgPaths returns the arguments that e reads, each once, in order of first appearance. What exists and all read of a
// list's elements counts as reading the list.
func (e *Expr) ArgPaths() [][]string {
	var paths [][]string
	e.Walk(func(x *Expr) {
		if (x.Op == OpPath || x.Op == OpHas) && x.Root == RootArgs && !slices.ContainsFunc(paths, func(p []string) bool {
			return slices.Equal(p, x.Fields)
		}) {
			paths = append(paths, x.Fields)
		}
	})
	return paths
}

// Reads returns the facts that e reads and a capture can lack.
func (e *Expr) Reads() aegis.Lack {
	var l aegis.Lack
	e.Walk(func(x *Expr) {
		switch x.Op {
		case OpPath, OpHas:
			l |= [...]aegis.Lack{RootArgs: aegis.LacksArgs | aegis.LacksRedacted, RootClaims: aegis.LacksClaims,
				RootRegion: aegis.LacksRegion, RootVar: 0}[x.Root]
		case OpUnix, OpHour, OpWeekday:
			l |= aegis.LacksTime
		case OpCount, OpSeen, OpSum, OpValues, OpTainted:
			l |= aegis.LacksSession
		}
	})
	return l
}

// ReadsSession reports whether e asks about the session's history.
func (e *Expr) ReadsSession() bool { return e.Reads()&aegis.LacksSession != 0 }
