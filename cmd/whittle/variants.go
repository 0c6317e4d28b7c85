package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/record"
	"github.com/whittle-iam/whittle/harness/variants"
)

// variantRecord is the record of a variant, beside that of the lifecycle itself.
func variantRecord(file, variant string) string {
	if variant == lifecycle.Base {
		return file
	}
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + "." + variant + ext
}

// variantNames are the lifecycle's variants, itself first.
func variantNames(lc lifecycle.Lifecycle) []string {
	names := []string{lifecycle.Base}
	for _, v := range lc.Variants {
		names = append(names, v.Name)
	}
	return names
}

// probeVariants probes the lifecycle and every variant of it, one after the other,
// and shows what hangs on which option.
func probeVariants(ctx context.Context, o probeOptions, g *globals) error {
	if o.resume || o.variant != lifecycle.Base {
		return &usageError{err: errors.New("--variants probes all of them from their beginning"), hint: "use --variant NAME, with --resume where a run of it was interrupted"}
	}
	if err := o.complete(); err != nil {
		return err
	}
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return err
	}
	if len(lc.Variants) == 0 {
		return fmt.Errorf("%s: the lifecycle has no variants; write them under variants:, as docs/whittle-yaml.md has it, or leave --variants out", o.file)
	}
	quiet := *g
	quiet.out = io.Discard
	names := variantNames(lc)
	for i, name := range names {
		fmt.Fprintf(g.err, "variant %s (%d of %d)\n", name, i+1, len(names))
		one := o
		one.variant, one.record = name, variantRecord(o.record, name)
		if err := runProbe(ctx, one, &quiet); err != nil {
			return fmt.Errorf("variant %s: %w", name, err)
		}
	}
	return showVariants(g, o.file, o.record, "")
}

// showVariants prints which variants need which permission, and the rule: of all
// steps, or of those of one role.
func showVariants(g *globals, file, recordFile, role string) error {
	lc, err := lifecycle.Load(file)
	if err != nil {
		return err
	}
	if len(lc.Variants) == 0 {
		return fmt.Errorf("%s: the lifecycle has no variants; write them under variants:, as docs/whittle-yaml.md has it, and run whittle probe --variants", file)
	}
	var all []variants.Variant
	for _, name := range variantNames(lc) {
		path := variantRecord(recordFile, name)
		rec, err := record.Read(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("variant %s has no record %s: whittle probe --variants makes one for each", name, path)
		} else if err != nil {
			return err
		}
		v := variants.Variant{Name: name, Options: lc.Options(name), Steps: map[string][]string{}}
		for _, s := range rec.Steps {
			if role != "" && s.RoleName() != role {
				continue
			}
			for _, p := range s.Set().Permissions() {
				v.Steps[p] = append(v.Steps[p], s.Name)
			}
		}
		all = append(all, v)
	}
	rows := variants.Rows(all)
	if len(rows) == 0 && role != "" {
		return &usageError{err: fmt.Errorf("--role=%s: no step of that role needs anything", role), hint: "whittle show names the roles"}
	}
	if g.json {
		return printJSON(g.out, rows)
	}
	return printVariants(g.out, all, rows)
}

func printVariants(w io.Writer, all []variants.Variant, rows []variants.Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "permission\tsteps")
	for _, v := range all {
		fmt.Fprint(t, "\t"+v.Name)
	}
	fmt.Fprintln(t, "\tneeded")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s", r.Permission, strings.Join(r.Steps, ", "))
		for _, v := range all {
			mark := "·"
			if slices.Contains(r.Variants, v.Name) {
				mark = "x"
			}
			fmt.Fprint(t, "\t"+mark)
		}
		rule := r.Rule
		if len(r.Also) > 0 {
			rule += " (or: " + strings.Join(r.Also, "; ") + ")"
		}
		fmt.Fprintln(t, "\t"+rule)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s; the rules hold for these, and are as sure as these tell options apart\n", count(len(all), "variant"))
	return err
}
