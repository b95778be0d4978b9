// Command aegisctl decides what AI agents may do when they call tools: it lints, simulates and explains policies.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(Main()) }

// Main runs the command line and returns the exit code (DESIGN §8): 0 fine, 1 the check failed, 2 usage or unreadable
// input, 3 internal. A first Ctrl-C cancels what is under way; a second ends the process at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop()
	}()
	return execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
