package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writePolicies makes policies of that many tools each, a file to a policy: constraints on three arguments, a condition, a
// ceiling and an approval for every writing tool, a list from a file, a fragment, and one guardrail over all.
func writePolicies(t testing.TB, dir string, policies, tools int) {
	t.Helper()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("floor.yaml", "guardrail: floor\ntenant: \"*\"\nregions: [eu-west-1, us-east-1]\ntools: [{name: \"*\", actions: [\"delete_*\"], conditions: {deny_if: \"true\"}}]\n")
	put("readonly.yaml", "fragment: readonly\nallowed_tools: [{name: docs, actions: [\"get_*\", \"list_*\"], effect: read}]\n")
	put("payees.txt", "acct_1f3a9c2e77\nacct_90bb31aa04\nacct_5cc0de1177\n")
	for i := range policies {
		var b strings.Builder
		fmt.Fprintf(&b, "tenant: tenant-%02d\nagent: agent-%04d\nuse: [readonly]\nlists: {payees: {from: payees.txt}}\nlimits: [{calls: 200/session}]\nallowed_tools:\n", i%20, i)
		for k := range tools {
			if k%4 == 3 {
				fmt.Fprintf(&b, "  - {name: tool-%02d, actions: [\"get_*\", \"list_*\"], effect: read}\n", k)
				continue
			}
			fmt.Fprintf(&b, `  - name: tool-%02d
    actions: [create, update]
    conditions:
      max_amount: %d
      args:
        amount: {type: number, decimals: 2}
        currency: {in: [USD, EUR]}
        recipient: {in: $payees}
        reference: {matches: 'INV-[0-9]{6}', optional: true}
      require: [amount > 0, 'size(recipient) < 64']
      approval_needed_if: amount > %d && currency == "USD"
    approval: {approvers: ["group:leads"], expires: 15m}
`, k, 5000+k, 1000+k)
		}
		put(fmt.Sprintf("agent-%04d.yaml", i), b.String())
	}
}

// TestFiguresOfPolicies prints how long whole commands take on 1,000 policies of 20 tools each, and the memory they need.
func TestFiguresOfPolicies(t *testing.T) {
	if os.Getenv("AEGIS_BENCH") == "" {
		t.Skip("figures are printed by `make bench`")
	}
	dir := t.TempDir()
	bin, policies := filepath.Join(dir, "aegisctl"), filepath.Join(dir, "policies")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const many, tools = 1000, 20
	if err := os.Mkdir(policies, 0o755); err != nil {
		t.Fatal(err)
	}
	writePolicies(t, policies, many, tools)
	bundle := filepath.Join(dir, "b.tar.gz")
	for _, args := range [][]string{{"lint", policies, "--quiet"}, {"compile", policies, "-o", bundle}} {
		var times []time.Duration
		var most int64
		for range 5 {
			cmd := exec.Command(bin, args...)
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			times = append(times, time.Since(start))
			if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				most = max(most, u.Maxrss)
			}
		}
		slices.Sort(times)
		t.Logf("aegisctl %-8s of %d policies with %d tools each: %.2f s (median of %d processes, %d processors), at most %d MB",
			args[0], many, tools, times[len(times)/2].Seconds(), len(times), runtime.GOMAXPROCS(0), most/1024)
	}
	if st, err := os.Stat(bundle); err == nil {
		t.Logf("the bundle has %d bytes", st.Size())
	}
}
