// Command agree compares the gate's table for Google Cloud with another that says
// which permissions each method checks:
//
//	go run ./sandbox/embedded/gcp/rules/agree [-v] TABLE.tsv
//
// The other table has a line for each method: its id and its permissions with
// commas between them, parted by a tab; a permission with "?" after it is one
// that a condition decides. Nothing else reads it, and neither of the two is the
// truth: what differs is to be looked up in Google's documentation.
//
// A method agrees where the gate knows, on some condition or other, all that the
// table says is checked, and the table knows, on some condition or other, all
// that the gate always checks.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/rules"
)

func main() {
	verbose := flag.Bool("v", false, "print each method that does not agree")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: agree [-v] TABLE.tsv")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "agree:", err)
		os.Exit(1)
	}
}

// checks are the permissions of one method: those that are always checked and
// those that a condition decides.
type checks struct{ always, sometimes []string }

func (c checks) all() []string { return append(slices.Clone(c.always), c.sometimes...) }

func run(w io.Writer, file string, verbose bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	table, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	counts := map[string]map[string]int{} // service → kind → methods
	for _, m := range route.Methods() {
		theirs, ok := table[m.ID]
		if !ok {
			continue
		}
		ours := ofRows(rules.Rows(m))
		kind := compare(ours, theirs)
		if counts[m.Service.Name] == nil {
			counts[m.Service.Name] = map[string]int{}
		}
		counts[m.Service.Name][kind]++
		if verbose && kind != agrees {
			fmt.Fprintf(w, "%s\t%s\tours %s [%s]\ttheirs %s [%s]\n", kind, m.ID, strings.Join(ours.always, ","), strings.Join(ours.sometimes, ","), strings.Join(theirs.always, ","), strings.Join(theirs.sometimes, ","))
		}
	}
	print(w, counts)
	return nil
}

func read(r io.Reader) (map[string]checks, error) {
	table := map[string]checks{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		method, permissions, ok := strings.Cut(line, "\t")
		if !ok {
			return nil, fmt.Errorf("line %d: no tab", n)
		}
		var c checks
		for _, p := range strings.FieldsFunc(permissions, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
			if name, maybe := strings.CutSuffix(p, "?"); maybe {
				c.sometimes = append(c.sometimes, name)
			} else {
				c.always = append(c.always, p)
			}
		}
		table[method] = c
	}
	return table, lines.Err()
}

// ofRows sorts what the gate checks: a row with a condition, and one on what the
// request names, need not be.
func ofRows(rows []rules.Row) checks {
	var c checks
	for _, r := range rows {
		function, _, _ := strings.Cut(r.Resource, "(")
		certain := r.When == "-" && slices.Contains([]string{"self", "parent", "project", "bucket", "object", "destination", "source", "made", "group"}, function)
		switch {
		case r.Permission == "-" || r.Permission == "@use":
		case certain:
			c.always = append(c.always, r.Permission)
		default:
			c.sometimes = append(c.sometimes, r.Permission)
		}
	}
	return c
}

// The ways in which a method can be told to differ.
const (
	agrees  = "agrees"
	lacks   = "the gate lacks"       // something that the table always has
	more    = "the gate has more"    // always, of what the table has never
	differs = "other permissions"    // both
	silent  = "the table says none"  // where the gate checks something
	nothing = "the gate checks none" // where the table has something
)

var kinds = []string{agrees, lacks, more, differs, silent, nothing}

func compare(ours, theirs checks) string {
	missing := without(theirs.always, ours.all())
	extra := without(ours.always, theirs.all())
	switch {
	case len(missing) == 0 && len(extra) == 0:
		return agrees
	case len(theirs.all()) == 0:
		return silent
	case len(ours.all()) == 0:
		return nothing
	case len(extra) == 0:
		return lacks
	case len(missing) == 0:
		return more
	}
	return differs
}

func without(all, these []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(these, p) })
}

func print(w io.Writer, counts map[string]map[string]int) {
	fmt.Fprintf(w, "| API | methods | %s |\n|%s\n", strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)+2))
	total := map[string]int{}
	line := func(name string, c map[string]int) {
		n := 0
		cells := make([]string, len(kinds))
		for i, kind := range kinds {
			n += c[kind]
			cells[i] = fmt.Sprint(c[kind])
		}
		fmt.Fprintf(w, "| %s | %d | %s |\n", name, n, strings.Join(cells, " | "))
	}
	for _, service := range slices.Sorted(maps.Keys(counts)) {
		for kind, n := range counts[service] {
			total[kind] += n
		}
		line(service, counts[service])
	}
	line("all", total)
}
