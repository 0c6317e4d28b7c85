// Command gen writes the tables of package route from the discovery documents
// in the module google.golang.org/api. It is run by go generate.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route/discovery"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		return fmt.Errorf("find google.golang.org/api: %w", err)
	}
	for name, file := range discovery.Documents {
		table, err := discovery.Table(filepath.Join(strings.TrimSpace(string(dir)), file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join("tables", name+".tsv"), table, 0o644); err != nil {
			return err
		}
	}
	return nil
}
