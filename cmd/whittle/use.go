package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/lifecycle"
	"github.com/whittle-iam/whittle/harness/rolefile"
	"github.com/whittle-iam/whittle/sandbox/embedded"
)

// runUse prints a role of what a principal has done, by the audit log.
func runUse(ctx context.Context, o auditOptions, files []string, g *globals) (err error) {
	lc, err := lifecycle.Load(o.file)
	if err != nil {
		return err
	}
	if !slices.Contains(rolefile.Formats(lc.Cloud), rolefile.Format(o.role)) {
		return &usageError{err: fmt.Errorf("--role=%s: cloud %s has no such format", o.role, lc.Cloud), hint: fmt.Sprintf("use one of %v", rolefile.Formats(lc.Cloud))}
	}
	if o.since <= 0 {
		return &usageError{err: fmt.Errorf("--since=%s: not a time to look back", o.since), hint: "use a duration such as 720h"}
	}
	who := principalOf(lc.Cloud, o.principal)
	var h heard
	if len(files) > 0 {
		if err := (crossCheck{cloud: lc.Cloud}).files(files, &h, g.err); err != nil {
			return err
		}
	} else {
		p, err := openPlace(ctx, lc.Cloud, lc.Sandbox, embedded.Config{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		w, ok := p.operator.(witness)
		if !ok {
			return fmt.Errorf("whittle cannot read the audit log of cloud %s", lc.Cloud)
		}
		log, _, _ := w.witness()
		now := time.Now()
		if h.Entries, err = log.Read(ctx, []string{who}, now.Add(-o.since), now); err != nil {
			return err
		}
	}
	set, derived := audit.Used(h.Entries, who)
	if set.Len() == 0 {
		return fmt.Errorf("the audit log has nothing that %s was granted in that time; say --since, and write it as the log does: %s", o.principal, who)
	}
	roles, err := rolefile.Write([]rolefile.Group{{Name: "used", Description: "what an audit log shows to have been used", Set: set}}, rolefile.Options{Cloud: lc.Cloud, Format: rolefile.Format(o.role)})
	if err != nil {
		return err
	}
	for _, f := range roles {
		if _, err := g.out.Write(f.Content); err != nil {
			return err
		}
	}
	fmt.Fprintf(g.err, "whittle: %s; what the log does not show is not in it (docs/audit.md)", count(set.Len(), "permission"))
	if derived > 0 {
		fmt.Fprintf(g.err, "; %d follow from events' names", derived)
	}
	fmt.Fprintln(g.err)
	return nil
}

// principalOf is a principal as the entries of a cloud name him.
func principalOf(cloud, who string) string {
	switch {
	case cloud == "azure":
		return strings.ToLower(who)
	case cloud != "gcp" || strings.Contains(who, ":"):
		return who
	case strings.HasSuffix(who, ".gserviceaccount.com"):
		return "serviceAccount:" + who
	}
	return "user:" + who
}
