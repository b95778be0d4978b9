package limit_test

import (
	"fmt"
	"time"

	"github.com/aegisctl/aegis/limit"
)

func Example() {
	most, window, _, _, err := limit.ParseBudget("$1/day")
	if err != nil {
		panic(err)
	}
	perDay := &limit.Spec{Ledger: "acme/payer#limits[0]", Kind: limit.Budget, Cap: most, Window: window}
	call := []limit.Charge{{Spec: perDay, Key: "acme/payer", Amount: 400_000}} // $0.40

	ledger := limit.New()
	now := time.Date(2026, 7, 1, 23, 0, 0, 0, time.UTC).UnixMicro()
	for range 3 {
		_, exceeded, _ := ledger.Reserve(now, call)
		left, resets := ledger.Left(now, &call[0])
		fmt.Println(exceeded == 0, left, time.UnixMicro(resets).UTC().Format(time.DateTime))
	}
	// Output:
	// true 600000 2026-07-02 00:00:00
	// true 200000 2026-07-02 00:00:00
	// false 200000 2026-07-02 00:00:00
}
