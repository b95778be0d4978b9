package lint

import "testing"

func TestBroadCommand(t *testing.T) {
	checkRule(t, "AEG046", []example{
		{"a shell", pay(`args: {command: {commands: [bash]}}`), []string{"bash"}},
		{"two words", pay(`args: {command: {commands: [docker run]}}`), []string{"docker run"}},
		{"a subcommand", pay(`args: {command: {commands: [git status, go test, make test]}}`), nil},
		{"the beginning of a text", pay(`require: ['command.startsWith("git status")']`), []string{"after ; or &&"}},
	})
}
