package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestScale prints time and peak memory of whole simulate processes as traffic grows, and asserts that memory stays under
// 1 GiB. AEGIS_SCALE is the largest number of rows; `make bench-scale` runs it with 50 million.
func TestScale(t *testing.T) {
	if os.Getenv("AEGIS_SCALE") == "" {
		t.Skip("scale is measured by `make bench-scale`")
	}
	most, err := strconv.Atoi(os.Getenv("AEGIS_SCALE"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "aegisctl")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mustLoad(t, dir, "stateless", statelessPolicy)
	mustLoad(t, dir, "stateful", statefulPolicy)
	file := filepath.Join(dir, "traffic.parquet")
	for rows := most / 4; rows <= most; rows *= 2 {
		writeTraffic(t, file, rows)
		measureScale(t, rows, "stateless", bin, file, filepath.Join(dir, "stateless.yaml"))
		measureScale(t, rows, "stateful", bin, file, filepath.Join(dir, "stateful.yaml"))
		if rows <= most/2 {
			// The same file twice is out of order: every session comes a second time, later in the input and not in time.
			measureScale(t, 2*rows, "stateful, out of order", bin, file, filepath.Join(dir, "stateful.yaml"), file)
		}
	}
}

func measureScale(t *testing.T, rows int, what, bin, file, policy string, more ...string) {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"simulate", file, "--policy", policy, "--format", "json", "-o", filepath.Join(filepath.Dir(file), "report.json")}, more...)...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start).Seconds()
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss / 1024
	t.Logf("%-24s %11d rows %8.1f s %10.0f calls/s %6d MiB peak", what, rows, took, float64(rows)/took, peak)
	if peak >= 1024 {
		t.Errorf("%s: %d MiB at %d rows", what, peak, rows)
	}
}
