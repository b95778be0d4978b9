package sign

import (
	"fmt"

	"github.com/aegisctl/aegis/bundle"
)

// Code says why a bundle is refused. Codes are part of the contract: scripts and alerts match them.
type Code string

// The codes of signatures that do not hold. The check was made, and failed.
const (
	Unsigned         Code = "unsigned"          // nobody signed it
	Stripped         Code = "stripped"          // the signature inside was removed; the one beside it is still there
	BadSignature     Code = "bad_signature"     // a known key, and a signature that is not over this text
	UnknownKey       Code = "unknown_key"       // signed, by none of the given keys
	RevokedKey       Code = "revoked_key"       // signed, by a key that is no longer trusted
	WrongAlgorithm   Code = "wrong_algorithm"   // none, an HMAC, or any other than the key's own
	NotOurs          Code = "foreign_signature" // a valid signature that binds no exact content, serial and expiry
	OtherBundle      Code = "other_bundle"      // a valid signature of another bundle
	Tampered         Code = "tampered"          // a file differs from what was signed
	AddedFile        Code = "added_file"        // a file that was not signed
	MissingFile      Code = "missing_file"      // a signed file that is gone
	Expired          Code = "expired"           // signed for a time that is over
	RolledBack       Code = "rolled_back"       // its serial is below the floor
	WrongTenant      Code = "wrong_tenant"      // a bundle of other tenants
	DetachedMismatch Code = "detached_mismatch" // the signature beside it is not over this archive
	BadAttestation   Code = "bad_attestation"   // the attestation beside it is not over this archive
	NotReproduced    Code = "not_reproduced"    // the Rego inside is not what the policies inside compile to
)

// The codes of input that cannot be judged. Those of an archive are the names of its faults.
const (
	Truncated        Code = Code(bundle.Truncated)
	TrailingData     Code = Code(bundle.Trailing)
	DuplicateEntry   Code = Code(bundle.Duplicate)
	UnsafePath       Code = Code(bundle.Unsafe)
	NotAFile         Code = Code(bundle.NotAFile)
	TooLarge         Code = Code(bundle.TooLarge)
	BadSignatureFile Code = "bad_signature_file" // .signatures.json or a file beside the bundle is malformed
	BadArchive       Code = "bad_archive"        // no bundle for another reason: see the text
	FloorMissing     Code = "floor_missing"      // the state file that holds the floor is gone
	BadFloor         Code = "bad_floor"          // the state file that holds the floor is malformed
)

// Error is a refusal.
type Error struct {
	Code Code
	File string // inside the bundle, where the refusal is about one
	Text string // what is wrong and what to do, in lower case
	Err  error  // the cause, if any
}

func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Unreadable reports whether the input could not be judged at all, as opposed to judged and found wanting.
func (e *Error) Unreadable() bool {
	switch e.Code {
	case Truncated, TrailingData, DuplicateEntry, UnsafePath, NotAFile, TooLarge, BadArchive, BadSignatureFile, FloorMissing, BadFloor:
		return true
	}
	return false
}

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func refuseFile(code Code, file, format string, args ...any) *Error {
	return &Error{Code: code, File: file, Text: fmt.Sprintf(format, args...)}
}
