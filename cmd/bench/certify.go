package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// certified certifies each lifecycle and compares the runs that it took with
// those of other ways to the same: a run for each grant without it, ddmin, and
// the classic loop, which only adds. What the others take is computed, ddmin by
// running it against what was found to be needed.
func certified(ctx context.Context, whittle string, files []string, work string, stdout, stderr io.Writer) (figures []figure, err error) {
	for _, file := range files {
		name, said, err := certifiedOne(ctx, whittle, file, work, stderr)
		if err != nil {
			return figures, err
		}
		if !said.Verified {
			return figures, fmt.Errorf("%s: not verified", file)
		}
		more, err := proof(name, said.Steps, stdout)
		if err != nil {
			return figures, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// certifiedOne certifies a lifecycle, or reads what an earlier probe said of one: one
// that takes hours need not be probed again for the table.
func certifiedOne(ctx context.Context, whittle, file, work string, stderr io.Writer) (name string, said summary, err error) {
	if name, ok := strings.CutSuffix(filepath.Base(file), ".json"); ok {
		text, err := os.ReadFile(file)
		if err != nil {
			return name, said, fmt.Errorf("%w; -certify takes a whittle.yaml, or what `whittle probe --json` printed", err)
		}
		if said, err = readSummary(text); err != nil {
			return name, said, fmt.Errorf("%s: %w", file, err)
		}
		return name, said, nil
	}
	fmt.Fprintln(stderr, "bench: certifying", file)
	name = filepath.Base(filepath.Dir(file))
	m, err := probe(ctx, whittle, file, filepath.Join(work, name), stderr, "in-flight", "--certify", "fast")
	return name, summary{Verified: m.rec.Verified, Steps: m.steps}, err
}

// proof prints what certifying took, step by step, and sums it up.
func proof(name string, steps []stepTimes, w io.Writer) ([]figure, error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s\tgrants\tcertified\tput back\toptional\tquestions\tchain\truns withholding\truns without grants\tone at a time\tddmin\tclassic loop\tseconds\t\n", name)
	var sum stepTimes
	var alone, minimize, classic int
	over := 0
	for _, s := range steps {
		a, d, c := s.Grants+s.Optional, ddmin(s.Grants, s.Optional), s.Changes+1
		if s.Withheld > s.Chain+2 {
			over++
		}
		line(t, s, a, d, c)
		sum.Grants, sum.Certified, sum.PutBack, sum.Optional = sum.Grants+s.Grants, sum.Certified+s.Certified, sum.PutBack+s.PutBack, sum.Optional+s.Optional
		sum.Questions, sum.Chain, sum.Withheld, sum.Removed = sum.Questions+s.Questions, sum.Chain+s.Chain, sum.Withheld+s.Withheld, sum.Removed+s.Removed
		sum.Certify += s.Certify
		alone, minimize, classic = alone+a, minimize+d, classic+c
	}
	sum.Name = "all"
	line(t, sum, alone, minimize, classic)
	if err := t.Flush(); err != nil {
		return nil, err
	}
	runs := sum.Withheld + sum.Removed
	one := func(what string, value float64, unit, note string) figure {
		return figure{Name: name + ": " + what, Value: value, Unit: unit, Note: note}
	}
	return []figure{
		one("grants certified", float64(sum.Certified)/float64(max(1, sum.Grants)), "of all", fmt.Sprintf("%d of %d; %d put back by the verification", sum.Certified, sum.Grants, sum.PutBack)),
		one("runs to certify", float64(runs), "runs", fmt.Sprintf("%d withholding, %d without grants; chains of %d in all", sum.Withheld, sum.Removed, sum.Chain)),
		one("steps over their chain and two", float64(over), "steps", "runs withholding"),
		one("runs, beside one at a time", float64(runs)/float64(max(1, alone)), "ratio", fmt.Sprintf("%d runs", alone)),
		one("runs, beside ddmin", float64(runs)/float64(max(1, minimize)), "ratio", fmt.Sprintf("%d runs", minimize)),
		one("runs, beside the classic loop, which proves nothing", float64(runs)/float64(max(1, classic)), "ratio", fmt.Sprintf("%d runs: a change of the role each, and one", classic)),
		one("time to certify", sum.Certify, "s", "wall time"),
	}, nil
}

func line(w io.Writer, s stepTimes, alone, minimize, classic int) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t\n",
		s.Name, s.Grants, s.Certified, s.PutBack, s.Optional, s.Questions, s.Chain, s.Withheld, s.Removed, alone, minimize, classic, s.Certify)
}

// ddmin is how many runs Zeller and Hildebrandt's algorithm takes to find the
// needed of so many grants and spare ones, which lie among them evenly.
func ddmin(needed, spare int) (runs int) {
	type item struct{ needed bool }
	var all []item
	for i := range needed + spare {
		all = append(all, item{needed: (i+1)*needed/(needed+spare) > i*needed/(needed+spare)})
	}
	passes := func(set []item) bool { // a run with only the set granted
		runs++
		n := 0
		for _, i := range set {
			if i.needed {
				n++
			}
		}
		return n == needed
	}
	for parts := 2; len(all) >= 2; {
		var chunks [][]item
		for i := range parts {
			chunks = append(chunks, all[i*len(all)/parts:(i+1)*len(all)/parts])
		}
		reduced := false
		for _, c := range chunks {
			if passes(c) {
				all, parts, reduced = c, 2, true
				break
			}
		}
		for i := 0; !reduced && parts > 2 && i < len(chunks); i++ {
			var rest []item
			for j, c := range chunks {
				if j != i {
					rest = append(rest, c...)
				}
			}
			if passes(rest) {
				all, parts, reduced = rest, max(parts-1, 2), true
			}
		}
		if !reduced {
			if parts >= len(all) {
				break
			}
			parts = min(2*parts, len(all))
		}
	}
	return runs
}
