// Command truth compares a record with a table that somebody has made by hand:
//
//	go run ./cmd/truth -record whittle.lock.json -why docs/e2b-why.tsv TABLE.tsv
//
// The table has the columns phase, category, permission and purpose, parted by
// tabs, and a line with their names; phase is init or ongoing. The file of -why
// says for each row that the record has not which group it is in and why:
// permission, group ("elsewhere" or "seed"), words. A row without such a line,
// and a line for a row that the record has, are errors. The output is Markdown.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/harness/record"
)

func main() {
	recordFile := flag.String("record", "out/demo-gcp/whittle.lock.json", "the record")
	whyFile := flag.String("why", "docs/e2b-why.tsv", "why rows are not found")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: truth [-record FILE] [-why FILE] TABLE.tsv")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, *recordFile, *whyFile, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, recordFile, whyFile, tableFile string) error {
	r, err := record.Read(recordFile)
	if err != nil {
		return err
	}
	why, err := readTSV(whyFile, 3)
	if err != nil {
		return err
	}
	table, err := readTSV(tableFile, 4)
	if err != nil {
		return err
	}
	if len(table) > 0 && table[0][0] == "phase" {
		table = table[1:]
	}
	c, err := compare(r, table, why)
	if err != nil {
		return err
	}
	return c.write(w)
}

// readTSV reads lines of n columns; those that begin with # are comments.
func readTSV(file string, n int) ([][]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	for i := 1; lines.Scan(); i++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != n {
			return nil, fmt.Errorf("%s:%d: %d columns, want %d parted by tabs", file, i, len(columns), n)
		}
		rows = append(rows, columns)
	}
	return rows, lines.Err()
}

// row is one of the table.
type row struct {
	phase, category, permission, purpose string
	steps                                []string // that need it, with their phase: "apply (ongoing)"
	why                                  string
}

// comparison is a table beside a record.
type comparison struct {
	found     []row // a step of the same phase needs it
	otherHalf []row // only steps of other phases do
	elsewhere []row // another identity's, or out of reach here
	seed      []row // the table disagrees with the cloud's own documents
	extras    []extra
}

// extra is a permission that the table has not, with the request that decided it.
type extra struct {
	permission, request string
	phases, steps       []string
}

// compare puts every row into its group.
func compare(r record.Record, table, why [][]string) (comparison, error) {
	words := map[string][2]string{}
	for _, line := range why {
		if line[1] != "elsewhere" && line[1] != "seed" {
			return comparison{}, fmt.Errorf("%s: there is no group %q: use elsewhere or seed", line[0], line[1])
		}
		words[line[0]] = [2]string{line[1], line[2]}
	}
	type need struct{ phases, steps, requests []string }
	needs := map[string]*need{}
	for _, s := range r.Steps {
		for _, g := range s.Grants {
			n := needs[g.Permission]
			if n == nil {
				n = &need{}
				needs[g.Permission] = n
			}
			if !slices.Contains(n.phases, s.Phase) {
				n.phases = append(n.phases, s.Phase)
			}
			n.steps = append(n.steps, s.Name+" ("+s.Phase+")")
			n.requests = append(n.requests, s.Name+": "+g.Request)
		}
	}
	var c comparison
	var wrong []error
	listed := map[string]bool{}
	for _, line := range table {
		x := row{phase: line[0], category: line[1], permission: line[2], purpose: line[3]}
		listed[x.permission] = true
		n, said := needs[x.permission], words[x.permission]
		switch {
		case n != nil && said != [2]string{}:
			wrong = append(wrong, fmt.Errorf("%s: explained as not found, and %s needs it", x.permission, n.steps[0]))
		case n != nil:
			x.steps = n.steps
			if slices.Contains(n.phases, x.phase) {
				c.found = append(c.found, x)
			} else {
				c.otherHalf = append(c.otherHalf, x)
			}
		case said[0] == "elsewhere":
			x.why = said[1]
			c.elsewhere = append(c.elsewhere, x)
		case said[0] == "seed":
			x.why = said[1]
			c.seed = append(c.seed, x)
		default:
			wrong = append(wrong, fmt.Errorf("%s (%s): not found and not explained", x.permission, x.phase))
		}
	}
	for p, n := range needs {
		if !listed[p] {
			c.extras = append(c.extras, extra{p, n.requests[0], n.phases, n.steps})
		}
	}
	slices.SortFunc(c.extras, func(a, b extra) int { return cmp.Compare(a.permission, b.permission) })
	return c, errors.Join(wrong...)
}

func (c comparison) write(w io.Writer) error {
	out := &strings.Builder{}
	total := len(c.found) + len(c.otherHalf) + len(c.elsewhere) + len(c.seed)
	fmt.Fprintf(out, "| group | rows |\n|---|---|\n| found | %d |\n| found in the other half | %d |\n| another identity's, or out of reach here | %d |\n| the table disagrees with the cloud's documents | %d |\n| all | %d |\n| extras of ours | %d |\n\n",
		len(c.found), len(c.otherHalf), len(c.elsewhere), len(c.seed), total, len(c.extras))
	fmt.Fprintf(out, "### Found: %d\n\n", len(c.found))
	for _, phase := range []string{"init", "ongoing"} {
		fmt.Fprintf(out, "Listed as %s:\n\n| permission | steps of that phase | also needed in |\n|---|---|---|\n", phase)
		for _, x := range c.found {
			if x.phase != phase {
				continue
			}
			var same, other []string
			for _, s := range x.steps {
				if name, ok := strings.CutSuffix(s, " ("+phase+")"); ok {
					same = append(same, name)
				} else if _, p, _ := strings.Cut(s, " ("); !slices.Contains(other, strings.TrimSuffix(p, ")")) {
					other = append(other, strings.TrimSuffix(p, ")"))
				}
			}
			fmt.Fprintf(out, "| `%s` | %s | %s |\n", x.permission, strings.Join(same, ", "), strings.Join(other, ", "))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "### Found in the other half: %d\n\n| permission | listed as | steps that need it |\n|---|---|---|\n", len(c.otherHalf))
	for _, x := range c.otherHalf {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", x.permission, x.phase, strings.Join(x.steps, ", "))
	}
	for _, g := range []struct {
		title string
		rows  []row
	}{{"Another identity's, or out of reach here", c.elsewhere}, {"The table disagrees with the cloud's documents", c.seed}} {
		fmt.Fprintf(out, "\n### %s: %d\n\n| permission | listed as | why |\n|---|---|---|\n", g.title, len(g.rows))
		for _, x := range g.rows {
			fmt.Fprintf(out, "| `%s` | %s | %s |\n", x.permission, x.phase, x.why)
		}
	}
	fmt.Fprintf(out, "\n### Extras: %d\n\n| permission | phases | the request that decided it |\n|---|---|---|\n", len(c.extras))
	for _, x := range c.extras {
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", x.permission, strings.Join(x.phases, ", "), x.request)
	}
	_, err := io.WriteString(w, out.String())
	return err
}
