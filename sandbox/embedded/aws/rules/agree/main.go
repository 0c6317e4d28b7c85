// Command agree compares the gate's tables for AWS, and records, with the pages of
// the Service Authorization Reference, as to which actions can be granted on a
// resource and which on "*" only:
//
//	go run ./sandbox/embedded/aws/rules/agree [-v] [-record whittle.lock.json] PAGE.html …
//
// The pages are AWS's own, list_amazonec2.html and so on, of
// https://docs.aws.amazon.com/service-authorization/latest/reference/.
// Nothing else reads them.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

func main() {
	verbose := flag.Bool("v", false, "print each row that does not agree")
	var records []string
	flag.Func("record", "a record whose grants on * are looked up; can be repeated", func(file string) error {
		records = append(records, file)
		return nil
	})
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: agree [-v] [-record FILE] PAGE.html …")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Args(), records, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "agree:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, pages, records []string, verbose bool) error {
	known := map[string]action{}
	for _, file := range pages {
		// AWS has pages of services without actions.
		if err := readPage(file, known); errors.Is(err, errNoActions) {
			fmt.Fprintf(w, "%s: %v\n", file, err)
		} else if err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%d pages, %d actions\n", len(pages), len(known))
	if err := compare(w, known, verbose); err != nil {
		return err
	}
	for _, file := range records {
		if err := inRecord(w, file, known); err != nil {
			return err
		}
	}
	return nil
}

// compare looks up every row of the gate's tables.
func compare(w io.Writer, known map[string]action, verbose bool) error {
	tables, err := rows.Load()
	if err != nil {
		return err
	}
	agree, differ, unknown := 0, 0, 0
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		table := tables[name]
		for _, op := range table.Order {
			for _, row := range table.Operations[op].Rows {
				permission := row.Action
				if !strings.Contains(permission, ":") {
					permission = table.Prefix + ":" + permission
				}
				a, ok := known[strings.ToLower(permission)]
				switch whole := row.Resource.Kind == ""; {
				case !ok:
					unknown++
				case whole && a.must() || !whole && len(a.types) == 0:
					differ++
					if verbose {
						fmt.Fprintf(w, "%s.tsv:%d\t%s\tours %s\tAWS's %s\n", name, row.Line, permission, cmp.Or(row.Resource.Kind, "*"), cmp.Or(strings.Join(a.types, " "), "*"))
					}
				default:
					agree++
				}
			}
		}
	}
	fmt.Fprintf(w, "rows of the gate: %d agree, %d do not, %d are on no page\n", agree, differ, unknown)
	return nil
}

// inRecord looks up what a record grants on "*".
func inRecord(w io.Writer, file string, known map[string]action) error {
	r, err := record.Read(file)
	if err != nil {
		return err
	}
	whole := map[string]bool{}
	for _, s := range r.Steps {
		for _, g := range s.Grants {
			if g.Resource == "*" {
				whole[g.Permission] = true
			}
		}
	}
	var narrower, unknown []string
	for _, p := range slices.Sorted(maps.Keys(whole)) {
		switch a, ok := known[strings.ToLower(p)]; {
		case !ok:
			unknown = append(unknown, p)
		case len(a.types) > 0:
			narrower = append(narrower, p+" on "+strings.Join(a.types, " "))
		}
	}
	fmt.Fprintf(w, "%s: %d actions granted on *; AWS checks %d of them on a resource", file, len(whole), len(narrower))
	for _, n := range narrower {
		fmt.Fprintf(w, "\n\t%s", n)
	}
	if len(unknown) > 0 {
		fmt.Fprintf(w, "; on no page: %s", strings.Join(unknown, " "))
	}
	fmt.Fprintln(w)
	return nil
}
