package lint

import "testing"

func TestInvertedBand(t *testing.T) {
	checkRule(t, "AEG003", []example{
		{"max and min", pay(`max_amount: 5, min_amount: 9`), []string{"amount can have no value: min_amount 9 and max_amount 5"}},
		{"key and args", pay(`max_amount: 5, args: {amount: {min: 9}}`), []string{"args.amount.min 9 and max_amount 5"}},
		{"an action and its entry", agent(`{name: bank, actions: [{name: pay, conditions: {min_amount: 9}}], conditions: {max_amount: 5}}`),
			[]string{"min_amount 9 and max_amount 5"}},
		{"no integer between", pay(`args: {n: {type: integer, min: 0.2, max: 0.8}}`), []string{"no integer"}},
		{"no integer between, by decimals", pay(`args: {n: {decimals: 0, min: 0.2, max: 0.8}}`), []string{"no integer"}},
		{"a list out of the band", pay(`args: {n: {in: [10, 20], max: 5}}`), []string{"no value of args.n.in [10, 20] is left by args.n.max 5"}},
		{"a list of fractions", pay(`args: {n: {type: integer, in: [0.5]}}`), []string{"ruled out"}},
		{"a list that is denied", pay(`args: {c: {in: [a, b], not_in: [a, b, c]}}`), []string{"every value of args.c.in [a, b] is ruled out"}},
		{"lists of an action and its entry", agent(`{name: bank, actions: [{name: pay, conditions: {args: {c: {in: [a]}}}}], conditions: {args: {c: {in: [b]}}}}`), []string{"have no value in common"}},
		{"lengths", pay(`args: {c: {min_length: 9, max_length: 5}}`), []string{"args.c.min_length 9 is over"}},
		{"elements", pay(`args: {c: {each: {min: 9, max: 5}}}`), []string{"c can have no value"}},
		{"an entry, said once", agent(`{name: bank, actions: [{name: pay, conditions: {max_amount: 7}}], conditions: {max_amount: 5, min_amount: 9}}`),
			[]string{"amount"}},
		{"one value", pay(`max_amount: 5, min_amount: 5`), nil},
		{"an integer between", pay(`args: {n: {type: integer, min: 0.2, max: 1.8}}`), nil},
		{"a list and its elements", pay(`args: {tags: {max_length: 2, each: {min_length: 5}}}`), nil},
		{"part of a list", pay(`args: {n: {in: [1, 20], max: 5}}`), nil},
		{"great numbers", pay(`args: {n: {type: integer, min: 9007199254740993, max: 9007199254740993}}`), nil},
	})
}
