package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aegisctl/aegis/policy"
)

func TestArgumentTypo(t *testing.T) {
	checkRule(t, "AEG001", []example{
		{"a key beside an expression", pay(`max_ammount: 5, deny_if: amount > 9`), []string{"ammount is named only here, and amount is almost"}},
		{"an expression beside a key", pay(`max_amount: 5, deny_if: ammount > 9`), []string{"ammount"}},
		{"no known word: the second is meant", pay(`max_frobs: 5, deny_if: froobs > 9`), []string{"froobs is named only here, and frobs"}},
		{"two slips in a long word", pay(`args: {recipient: {in: [a]}}, deny_if: recepeint == "b"`), []string{"recepeint"}},
		{"joined in another way", pay(`args: {account_id: {in: [a]}}, deny_if: accountId == "b"`), []string{"accountId"}},
		{"within an object", pay(`args: {address: {args: {country: {in: [DE]}}}}, deny_if: address.contry == "b"`), []string{"contry"}},
		{"in an action", agent(`{name: bank, actions: [{name: pay, conditions: {max_ammount: 5}}], conditions: {max_amount: 9}}`),
			[]string{"ammount"}},
		{"in another entry of the tool, where the name stands twice", agent(
			`{name: bank, actions: [pay], conditions: {max_amount: 5, require: [amount > 0]}}`,
			`{name: bank, actions: [refund], conditions: {max_amuont: 5}}`), []string{"amuont"}},
		{"in a limit", agent(`{name: bank, conditions: {max_amount: 5}, limits: [{calls: 1/day, by: ammount}]}`), []string{"ammount"}},
		{"in a cost", agent(`{name: bank, conditions: {max_amount: 5}, cost: ammount * 0.01}`), []string{"ammount"}},
		{"more often wrong than right", pay(`max_ammount: 5, require: [ammount > 0], deny_if: amount > 9`), []string{"amount is named only here"}},
		{"once in another entry says nothing", agent(
			`{name: bank, actions: [pay], conditions: {max_frobs: 5}}`, `{name: bank, actions: [refund], conditions: {max_froobs: 5}}`), nil},
		{"another tool", agent(`{name: bank, conditions: {max_amount: 5, require: [amount > 0]}}`, `{name: shop, conditions: {max_ammount: 5}}`), nil},
		{"both stand often", pay(`max_ammount: 5, max_amount: 5, require: [ammount > 0, amount > 0]`), nil},
		{"payer and payee", pay(`args: {payer_id: {in: [a]}, payee_id: {in: [b]}}`), nil},
		{"singular and plural", pay(`args: {recipient: {in: [a]}}, deny_if: '"x" in recipients'`), nil},
		{"min and max of a price", pay(`args: {min_price: {max: 5}, max_price: {max: 9}}`), nil},
		{"short names", pay(`args: {lat: {max: 5}, lon: {max: 9}, to: {in: [a]}, cc: {in: [a]}}`), nil},
		{"numbered", pay(`args: {address1: {in: [a]}, address2: {in: [a]}}`), nil},
	})
}

// A source with more names than any tool has arguments costs no time.
func TestArgumentTypoOfManyNames(t *testing.T) {
	var args []string
	for i := range 9000 {
		args = append(args, fmt.Sprintf("a%d: {max: 1}", i))
	}
	set, err := policy.LoadText("p.yaml", pay("args: {"+strings.Join(args, ", ")+"}"))
	if err != nil {
		t.Fatal(err)
	}
	if found := Run(set, Options{}); len(found) > 0 {
		t.Error(found[0])
	}
}
