package packer

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/whittle-iam/whittle/sandbox/proc"
)

// maxErrors is how many errors of a run are kept, of each kind.
const maxErrors = 1000

// reader takes what Packer prints with -machine-readable: lines of
// "time,target,type,data…" (https://developer.hashicorp.com/packer/docs/commands#machine-readable-output).
type reader struct {
	mu       sync.Mutex
	progress func(Progress)
	lines    proc.Lines
	output   *proc.Tail
	// errors are those of builds, said those that Packer prints for people,
	// which repeat them.
	errors, said []Diagnostic
	artifacts    []string
	facts        map[string]string // of the artifacts
	temporary    map[string]string // names that Packer made up → their prefix
}

func newReader(progress func(Progress)) *reader {
	if progress == nil {
		progress = func(Progress) {}
	}
	r := &reader{progress: progress, output: proc.NewTail(proc.DefaultTail), temporary: map[string]string{}, facts: map[string]string{}}
	r.lines = proc.Lines{Line: func(b []byte) { r.line(string(b)) }, Long: func(b []byte) { _, _ = r.output.Write(b) }}
	return r
}

// stderr is where Packer's stderr goes.
func (r *reader) stderr() io.Writer { return r.output }

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.Write(p)
}

// close reads a last line that had no end.
func (r *reader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines.End()
}

func (r *reader) line(text string) {
	l := parseLine(text)
	if l.text != "" {
		_, _ = io.WriteString(r.output, l.text+"\n")
	}
	if l.fact != "" && len(r.facts) < maxFacts {
		r.facts[l.fact] = l.value
	}
	switch {
	case l.artifact != "" && len(r.artifacts) < maxFacts:
		r.artifacts = append(r.artifacts, l.artifact)
	case l.kind == lineError && len(r.errors) < maxErrors:
		r.errors = append(r.errors, l.diagnostic())
	case l.kind == lineSaidError && len(r.said) < maxErrors:
		r.said = append(r.said, l.diagnostic())
	case l.kind == lineSaid && l.text != "":
		if m := made.FindStringSubmatch(l.text); m != nil && len(r.temporary) < maxMade {
			r.temporary[m[0]] = m[1]
		}
		build, what := spoken(l.text)
		r.progress(Progress{Build: build, Text: what})
	}
}

// made finds what Packer's builders call their temporary keys, groups, roles and
// instances: "packer_" or "packer-" and a UUID
// (https://github.com/hashicorp/packer-plugin-amazon, builder/common: run_config.go,
// step_security_group.go, step_iam_instance_profile.go). A script of the template
// can print the like, and gains that a name of this very form in a grant is
// written as what it begins with.
var made = regexp.MustCompile(`\b(packer[-_])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// maxMade bounds how many such names are kept.
const maxMade = 1000

// maxFacts bounds how much is kept of artifacts.
const maxFacts = 1000

// diagnostics are Packer's errors after a run that failed. Those of builds come
// first; what Packer only prints for people tells where there are none.
func (r *reader) diagnostics(code int, stderr string) []Diagnostic {
	if len(r.errors) > 0 {
		return r.errors
	}
	if len(r.said) > 0 {
		return r.said
	}
	return []Diagnostic{{Summary: fmt.Sprintf("packer ended with exit code %d and no error", code), Detail: strings.TrimSpace(stderr)}}
}

// kind is what a line is.
type kind int

const (
	lineOther     kind = iota // nothing for people
	lineSaid                  // told to people
	lineSaidError             // told to people as an error
	lineError                 // the error of a build
)

// line is one line, read.
type line struct {
	kind     kind
	build    string
	text     string // what people should see of it
	artifact string // the id of an artifact
	// fact names something about an artifact, and value is what it is.
	fact, value string
	message     string // of an error
}

func (l line) diagnostic() Diagnostic {
	build := l.build
	message := strings.TrimSpace(l.message)
	if build == "" {
		build, message = spoken(message)
	}
	summary, detail, _ := strings.Cut(message, "\n")
	return Diagnostic{Summary: summary, Detail: strings.TrimSpace(detail), Build: build}
}

// escapes are how Packer writes what would end a field or a line.
var escapes = strings.NewReplacer("%!(PACKER_COMMA)", ",", `\n`, "\n", `\r`, "\r")

var stamp = regexp.MustCompile(`^\d+$`)

// parseLine reads one line. What it does not know it gives back whole, as text.
func parseLine(raw string) line {
	raw = strings.ToValidUTF8(strings.TrimRight(raw, "\r"), "\uFFFD")
	fields := strings.Split(raw, ",")
	if len(fields) < 3 || !stamp.MatchString(fields[0]) {
		return line{text: raw}
	}
	data := make([]string, len(fields)-3)
	for i, f := range fields[3:] {
		data[i] = escapes.Replace(f)
	}
	l := line{build: fields[1]}
	switch {
	case fields[2] == "ui" && len(data) >= 2:
		l.text = strings.Trim(data[1], "\n")
		if l.kind = lineSaid; data[0] == "error" {
			l.kind, l.message = lineSaidError, data[1]
		}
	case fields[2] == "error" && len(data) >= 1:
		l.kind, l.message = lineError, data[0]
	case fields[2] == "artifact" && len(data) >= 3:
		l.fact, l.value = "artifact."+l.build+"."+data[0]+"."+data[1], data[2]
		switch {
		case data[1] == "id":
			l.artifact = data[2]
		case data[1] == "file" && len(data) >= 4: // its number, its path, its size
			l.fact, l.value = l.fact+"."+data[2], data[3]
		case data[1] == "string":
			l.fact, l.value = "", "" // the id once more, in a sentence
		}
	}
	return l
}

var prefix = regexp.MustCompile(`^\s*(?:==> )?([\w.-]+): `)

// spoken parts a line for people into the build that it is of and the rest of
// its first line: "==> amazon-ebs.base: Creating AMI".
func spoken(text string) (build, rest string) {
	if m := prefix.FindStringSubmatch(text); m != nil && strings.Contains(m[1], ".") {
		return m[1], text[len(m[0]):]
	}
	return "", text
}
