package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aegisctl/aegis/store"
	"github.com/aegisctl/aegis/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var tables = fstest.MapFS{"00001_sums.sql": {Data: []byte(`-- +goose Up
CREATE TABLE sums (name TEXT NOT NULL PRIMARY KEY, sum BIGINT NOT NULL, raw BYTEA NOT NULL);
`)}}

func open(t *testing.T, where string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestSameStatements holds both databases to one way of writing statements.
func TestSameStatements(t *testing.T) {
	storetest.Each(t, func(t *testing.T, where string) {
		db, ctx := open(t, where), t.Context()
		for range 2 { // the second has nothing to do
			if err := db.Migrate(ctx, "test", tables); err != nil {
				t.Fatal(err)
			}
		}
		const put = `INSERT INTO sums (name, sum, raw) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET sum = sums.sum + excluded.sum RETURNING sum`
		var sum int64
		raw := []byte{0, 1, 0xff}
		for want := int64(1 << 60); want <= 2<<60; want += 1 << 60 {
			if err := db.QueryRowContext(ctx, put, "a", int64(1<<60), raw).Scan(&sum); err != nil || sum != want {
				t.Fatal(sum, err)
			}
		}
		var got []byte
		// Parameters are found by number, also out of order and twice.
		if err := db.QueryRowContext(ctx, `SELECT sum, raw FROM sums WHERE sum > $2 AND name = $1 AND name = $1`, "a", 5).Scan(&sum, &got); err != nil {
			t.Fatal(err)
		}
		if string(got) != string(raw) {
			t.Errorf("raw bytes come back as %x", got)
		}
		now, err := db.Now(ctx, db)
		if d := time.Since(time.UnixMicro(now)); err != nil || d.Abs() > time.Hour {
			t.Error(d, err)
		}
	})
}

// TestTransactions has many add to one row by reading it first: none may be lost.
func TestTransactions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, where string) {
		db, ctx := open(t, where), t.Context()
		if err := db.Migrate(ctx, "test", tables); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(ctx, `INSERT INTO sums VALUES ('a', 0, '')`); err != nil {
			t.Fatal(err)
		}
		add := func(tx *sql.Tx) error {
			var sum int64
			if err := tx.QueryRowContext(ctx, `SELECT sum FROM sums WHERE name = 'a'`+db.ForUpdate()).Scan(&sum); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `UPDATE sums SET sum = $1 WHERE name = 'a'`, sum+1)
			return err
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 10 {
					if err := db.Tx(ctx, add); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		stop := errors.New("stop")
		if err := db.Tx(ctx, func(tx *sql.Tx) error { return errors.Join(add(tx), stop) }); !errors.Is(err, stop) {
			t.Error(err)
		}
		var sum int
		if err := db.QueryRowContext(ctx, `SELECT sum FROM sums`).Scan(&sum); err != nil || sum != 100 {
			t.Error(sum, err)
		}
	})
}

// TestStartTogether has servers that start at the same time migrate one database.
func TestStartTogether(t *testing.T) {
	where := storetest.Postgres(t)
	var all sync.WaitGroup
	for range 4 {
		db := open(t, where)
		all.Go(func() {
			if err := db.Migrate(context.Background(), "test", tables); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestSurvives has the server die at once after a commit.
func TestSurvives(t *testing.T) {
	where := storetest.Postgres(t)
	db, ctx := open(t, where), t.Context()
	if err := db.Migrate(ctx, "test", tables); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, `INSERT INTO sums VALUES ('a', 7, '')`); err != nil {
		t.Fatal(err)
	}
	storetest.Kill()
	if err := db.PingContext(ctx); err == nil {
		t.Error("the server is said to have died")
	}
	storetest.Restart(t)
	var sum int
	if err := db.QueryRowContext(ctx, `SELECT sum FROM sums`).Scan(&sum); err != nil || sum != 7 {
		t.Error(sum, err)
	}
}

func TestRefusals(t *testing.T) {
	ctx := t.Context()
	if _, err := store.Open(ctx, filepath.Join(t.TempDir(), "no", "such", "aegis.db")); err == nil {
		t.Error("a folder that does not exist")
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(ctx, text); err == nil {
		t.Error("a file that is no database was opened")
	}
	for _, where := range []string{"postgres://u:secret@127.0.0.1:1/x", "postgres://u:secret@[bad/x", "postgres://u:secret@127.0.0.1:1/x?password=secret"} {
		if _, err := store.Open(ctx, where); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", where, err)
		}
	}
	off := storetest.Postgres(t) + "&synchronous_commit=off"
	if _, err := store.Open(ctx, off); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Error(err)
	}
}

// TestOddPaths opens files whose names mean something in a URL.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b.db", "a#b.db", "a%20b.db", "ä.db"} {
		path := filepath.Join(t.TempDir(), name)
		db := open(t, path)
		if err := db.Migrate(t.Context(), "test", tables); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(fmt.Errorf("%s: %w", name, err))
		}
	}
}
