// Package storetest gives tests databases: a SQLite file, and a database of a PostgreSQL that it starts.
//
// It promises that every test gets an empty database of its own, and that the server it started ends with the test binary.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Main runs the tests of a package that uses servers, and ends those. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	postgres.stop()
	os.Exit(code)
}

// Each runs a test on an empty SQLite file and on an empty PostgreSQL database.
func Each(t *testing.T, f func(t *testing.T, where string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite returns the path of a SQLite file that does not exist yet.
func SQLite(t testing.TB) string { return filepath.Join(t.TempDir(), "aegis.db") }

var databases atomic.Int64

// Postgres returns the URL of an empty database. Without PostgreSQL on the machine the test is skipped, or fails where CI is
// true.
func Postgres(t testing.TB) string {
	t.Helper()
	postgres.once.Do(postgres.start)
	if postgres.err != nil {
		Missing(t, "PostgreSQL (initdb and postgres; Debian: postgresql)", postgres.err)
	}
	db, err := sql.Open("pgx", postgres.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprint("t", databases.Add(1))
	if _, err := db.ExecContext(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return postgres.url(name)
}

// Missing skips a test for want of a server, loudly, or fails it where CI is true.
func Missing(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: %v", what, err)
	}
	t.Skipf("SKIPPED: %s is needed: %v", what, err)
}

// Kill ends the PostgreSQL server as a lost power supply would, and Restart starts it again: for tests of what survives.
func Kill() { postgres.kill() }

// Restart starts the server that Kill ended.
func Restart(t testing.TB) {
	if err := postgres.run(); err != nil {
		t.Fatal(err)
	}
}

var postgres cluster

// cluster is a PostgreSQL server in a folder of its own, on a Unix socket.
type cluster struct {
	once  sync.Once
	err   error
	dir   string
	bin   string
	as    *syscall.Credential // PostgreSQL refuses to run as root
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://aegis@/%s?host=%s", database, c.dir)
}

func (c *cluster) start() {
	if c.bin, c.err = binaries(); c.err != nil {
		return
	}
	if c.dir, c.err = os.MkdirTemp("", "aegispg"); c.err != nil {
		return
	}
	if os.Geteuid() == 0 {
		if c.as, c.err = other(); c.err != nil {
			return
		}
		if c.err = os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); c.err != nil {
			return
		}
	}
	out, err := c.command("initdb", "-D", filepath.Join(c.dir, "data"), "-U", "aegis", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		c.err = fmt.Errorf("initdb: %w\n%s", err, out)
		return
	}
	c.err = c.run()
}

// binaries finds the folder of the server's programs, which Debian keeps off the PATH.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("initdb is not on the PATH")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// other is whom the server runs as where the tests run as root.
func other() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

func (c *cluster) run() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.command("postgres", "-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=200")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		cmd.Wait()
		close(ended)
	}(c.ended)
	return c.answers()
}

// answers waits until the server does.
func (c *cluster) answers() error {
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		select {
		case <-c.ended:
			said, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("postgres ended: %s", said)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("postgres does not answer: %w", err)
}

// kill ends the server and its children at once.
func (c *cluster) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil {
		c.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown: nothing is flushed, the next start recovers
		<-c.ended
		c.cmd = nil
	}
}

func (c *cluster) stop() {
	c.kill()
	if c.dir != "" {
		os.RemoveAll(c.dir)
	}
}
