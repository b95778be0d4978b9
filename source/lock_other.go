//go:build !unix

package source

import "os"

// lock does nothing where files cannot be locked: that two servers do not share a directory is then up to who starts them.
func lock(*os.File) error { return nil }
