package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/aegisctl/aegis/policy"
)

// version is set at release by the linker; builds from a checkout take what Go recorded.
var version = ""

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := a.formats("text", "json"); err != nil {
				return err
			}
			v := map[string]string{"version": version, "go": runtime.Version(), "language": fmt.Sprint(policy.LanguageVersion)}
			if info, ok := debug.ReadBuildInfo(); ok && version == "" {
				v["version"] = info.Main.Version
			}
			if a.format == "json" {
				return json.NewEncoder(a.out).Encode(v)
			}
			_, err := fmt.Fprintf(a.out, "aegisctl %s (policy language %s, %s)\n", v["version"], v["language"], v["go"])
			return err
		},
	}
}

func (a *app) schemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the policy language, for editors",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(policy.JSONSchema())
			return err
		},
	}
}
