// Package store opens the database that holds what must outlive a server: a SQLite file where one server runs alone, or a
// PostgreSQL that several share.
//
// It promises that both run the same migrations and the same statements, that what a transaction committed survives a
// killed process and a lost power supply, and that nothing waits for the database longer than its context allows. What is
// stored is the business of the rooms that use it: each brings its own migrations.
//
// Statements number their parameters ($1, $2), which both databases take. Columns are TEXT, BIGINT and BYTEA; times are
// BIGINT, microseconds since the Unix epoch.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	*sql.DB
	shared bool
}

// Open opens a database: "postgres://…" is a PostgreSQL, anything else the path of a SQLite file, which is made where it
// does not exist. A SQLite file belongs to one process at a time; whoever opens it sees to that.
func Open(ctx context.Context, where string) (*DB, error) {
	db := &DB{shared: IsShared(where)}
	var err error
	if db.shared {
		db.DB, err = sql.Open("pgx", where)
	} else {
		db.DB, err = sql.Open("sqlite", sqliteURL(where))
	}
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", Redacted(where), withoutPassword(err, where))
	}
	if db.shared {
		db.SetMaxOpenConns(16)
		db.SetMaxIdleConns(16)
		db.SetConnMaxIdleTime(5 * time.Minute)
	}
	if err := db.ready(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("database %s: %w", Redacted(where), withoutPassword(err, where))
	}
	return db, nil
}

// IsShared reports whether a place is a database that several servers may share.
func IsShared(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// sqliteURL makes every transaction one that may write from its beginning, so that none fails half-way because another
// wrote meanwhile, and every commit one that is on the disk.
func sqliteURL(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(1)"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: q.Encode()}).String()
}

// ready asks the database whether it can keep what is promised.
func (db *DB) ready(ctx context.Context) error {
	if !db.shared {
		return db.PingContext(ctx)
	}
	var version int
	var commit string
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit')`).Scan(&version, &commit)
	switch {
	case err != nil:
		return err
	case version < 130000:
		return fmt.Errorf("PostgreSQL 13 or later is needed, this is %d.%d", version/10000, version%10000)
	case commit == "off":
		return errors.New("synchronous_commit is off: what was acknowledged could be lost; turn it on for this database or role")
	}
	return nil
}

// Redacted is a place as it may be shown: without a password.
func Redacted(where string) string {
	if !IsShared(where) {
		return where
	}
	u, err := url.Parse(where)
	if err != nil {
		return "postgres://(unreadable)"
	}
	u.RawQuery = "" // may hold one, too
	return u.Redacted()
}

// withoutPassword keeps an unreadable URL out of its error's text.
func withoutPassword(err error, where string) error {
	if IsShared(where) && strings.Contains(err.Error(), where) {
		return errors.New("the URL cannot be read: use postgres://user:password@host:port/database")
	}
	return err
}

// Shared reports whether other servers may use the database at the same time.
func (db *DB) Shared() bool { return db.shared }

// ForUpdate is what a SELECT ends with to keep the rows it read from others until the transaction ends. In SQLite a
// transaction keeps everything.
func (db *DB) ForUpdate() string {
	if db.shared {
		return " FOR UPDATE"
	}
	return ""
}

// Querier is a database or a transaction.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Now is the database's time, in microseconds since the Unix epoch: servers that share a PostgreSQL share its clock, a
// SQLite file has that of its one process.
func (db *DB) Now(ctx context.Context, q Querier) (int64, error) {
	if !db.shared {
		return time.Now().UnixMicro(), nil
	}
	var now int64
	err := q.QueryRowContext(ctx, `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`).Scan(&now)
	return now, err
}

// Migrate brings the tables of a room up to date. files holds the room's migrations as goose names them (00001_what.sql),
// written for both databases. Servers that start together do it one after the other.
func (db *DB) Migrate(ctx context.Context, room string, files fs.FS) error {
	dialect := database.DialectSQLite3
	opts := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.shared {
		dialect = database.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	versions, err := database.NewStore(dialect, "aegis_"+room+"_version")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider("", db.DB, files, append(opts, goose.WithStore(versions))...)
	if err != nil {
		return fmt.Errorf("migrations of %s: %w", room, err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations of %s: %w", room, err)
	}
	return nil
}

// triesOfTx is how often a transaction is begun again that lost against another.
const triesOfTx = 8

// Tx runs f in a transaction and commits it, or rolls it back where f or the commit fails. A transaction that lost against
// another, and so changed nothing, is tried again: f must have no other effect than on the database. After an error from the
// commit itself (see Uncertain) nobody knows whether it took place.
func (db *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		err := db.once(ctx, f)
		if err == nil || !lost(err) || try == triesOfTx {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(rand.Int64N(int64(try * int(5*time.Millisecond))))):
		}
	}
}

// Uncertain is an error of a commit whose answer was lost: it may have taken place.
type Uncertain struct{ Err error }

func (e *Uncertain) Error() string { return "the answer to a commit was lost: " + e.Err.Error() }
func (e *Uncertain) Unwrap() error { return e.Err }

func (db *DB) once(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		if lost(err) {
			return err
		}
		return &Uncertain{err}
	}
	return nil
}

// SQLSTATE of a transaction that lost against another and changed nothing.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	sqliteBusy           = 5 // and its extended codes: SQLITE_BUSY | n<<8
)

// lost reports whether a transaction failed because of another one, and changed nothing.
func lost(err error) bool {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return e.Code == serializationFailure || e.Code == deadlockDetected
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return e.Code()&0xff == sqliteBusy
	}
	return false
}
