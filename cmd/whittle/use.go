package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/grant"
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
	u := lifecycle.Used{Principal: o.principal, Files: files}
	if len(files) == 0 {
		u.Since.Ago = o.since
	}
	var log auditLog
	if len(files) == 0 && lc.Sandbox.Embedded && os.Getenv(lastingVariable) == "" {
		return fmt.Errorf("%s: an embedded sandbox begins with an empty log; name files that were exported from where %s works, or run whittle cloud and set %s", o.file, o.principal, lastingVariable)
	}
	if len(files) == 0 {
		p, err := openPlace(ctx, lc.Cloud, lc.Sandbox, embedded.Config{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.close()) }()
		if log, err = p.log(lc.Cloud, lc.Trail); err != nil {
			return err
		}
	}
	set, derived, err := usedSet(ctx, lc.Cloud, u, log, time.Now(), g.err)
	if err != nil {
		return err
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

// log is the audit log of a place.
func (p *place) log(cloud string, trail lifecycle.Trail) (auditLog, error) {
	w, ok := p.operator.(witness)
	if !ok {
		return nil, fmt.Errorf("whittle cannot read the audit log of cloud %s", cloud)
	}
	log, _, _ := w.witness(trail)
	return log, nil
}

// usedSet is what u's principal has done in u's time, by u's files, or else by the
// log. Of what was left out in the files is told on w. Derived counts the permissions
// that follow from events' names.
func usedSet(ctx context.Context, cloud string, u lifecycle.Used, log auditLog, now time.Time, w io.Writer) (set grant.Set, derived int, err error) {
	who := principalOf(cloud, u.Principal)
	from, to := u.Window(now)
	var h heard
	if len(u.Files) > 0 {
		var files []string
		if files, err = logFiles(u.Files); err == nil {
			err = crossCheck{cloud: cloud}.files(files, &h, w)
		}
		h.Entries = slices.DeleteFunc(h.Entries, func(e audit.Entry) bool { return e.Time.Before(from) || e.Time.After(to) })
	} else {
		h.Entries, err = log.Read(ctx, []string{who}, from, to)
	}
	if err != nil {
		return set, 0, err
	}
	if set, derived, err = audit.Used(h.Entries, who); err != nil || set.Len() > 0 {
		return set, derived, err
	}
	when := "until " + to.Format(time.RFC3339)
	if !from.IsZero() {
		when = "from " + from.Format(time.RFC3339) + " " + when
	}
	return set, 0, &noUseError{fmt.Errorf("the audit log has nothing that %s was granted %s", who, when)}
}

// noUseError: the log has nothing of somebody in that time.
type noUseError struct{ error }

// Hints says what may be the matter.
func (e *noUseError) Hints() []string {
	return []string{"say another time (since), or write the principal as the log names it: an account's address, the ARN of a role or user, an object id; what was not granted, what a service did in its name, and on Google Cloud what Data Access logs would show, does not count"}
}

// maxLogFiles is how many files of a folder are read.
const maxLogFiles = 20_000

// logFiles are the files that paths name, of folders all that are in them and called
// like exported logs.
func logFiles(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		before := len(files)
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (strings.HasSuffix(p, ".json") || strings.HasSuffix(p, ".json.gz")) {
				files = append(files, p)
			}
			if len(files) > maxLogFiles {
				return fmt.Errorf("%s: more than %d files; name those of the time in question", path, maxLogFiles)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: no file in it is called *.json or *.json.gz, as exported logs are", path)
		}
	}
	return files, nil
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
