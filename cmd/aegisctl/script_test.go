package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary stand in for aegisctl inside the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"aegisctl": func() { os.Exit(Main()) }, "tamper": tamperMain,
		"sigstore-kms-local": kmsMain})
}

// TestScripts runs testdata/*.txtar. UPDATE_SCRIPTS=1 rewrites what they expect.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := filepath.Abs("../../deploy/ci/policy-gate.sh")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examples)
			e.Setenv("GATE", gate)
			e.Setenv("HOOK", filepath.Join(filepath.Dir(gate), "pre-commit"))
			e.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}
