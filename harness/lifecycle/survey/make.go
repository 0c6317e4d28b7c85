package survey

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// target begins a rule of a Makefile that a person may call: a name, a colon, and no
// assignment.
var target = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._/-]*(?:[ \t]+[A-Za-z0-9][A-Za-z0-9._/-]*)*)[ \t]*::?(?:[^=:]|$)`)

// targets lists the targets of a Makefile that have to do with a cloud.
func targets(dir, file string) ([]Target, error) {
	data, err := content(dir, file)
	if errors.Is(err, errBig) { // an installer that carries what it installs
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Target
	var open []int // of all: those whose recipe is being read
	for i, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "\t") {
			for _, at := range open {
				all[at].Does = all[at].Does.with(doing(line))
			}
			continue
		}
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		open = nil
		if m := target.FindStringSubmatch(line); m != nil {
			for name := range strings.FieldsSeq(m[1]) {
				all = append(all, Target{Name: name, File: file, Line: i + 1})
				open = append(open, len(all)-1)
			}
		}
	}
	return slices.DeleteFunc(all, func(t Target) bool { return t.Does.nothing() }), nil
}

// script tells of a shell script whether it pushes images.
func script(dir, file string) ([]Script, error) {
	data, err := content(dir, file)
	if errors.Is(err, errBig) { // an installer that carries what it installs
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var does Doing
	at := 0
	for i, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		d := doing(line)
		if d.Pushes != "" && at == 0 {
			at = i + 1
		}
		does = does.with(d)
	}
	if does.Pushes == "" {
		return nil, nil
	}
	return []Script{{Path: file, Line: at, Does: does}}, nil
}

// pushes are the commands that push images.
var pushes = []struct {
	tool string
	form *regexp.Regexp
}{
	{"docker", regexp.MustCompile(`\bdocker(?:-compose)?\b[^|;&]*\bpush\b|\bdocker\b[^|;&]*--push\b`)},
	{"podman", regexp.MustCompile(`\b(?:podman|buildah)\b[^|;&]*\bpush\b`)},
	{"crane", regexp.MustCompile(`\bcrane\b[^|;&]*\b(?:push|append|copy|cp|mutate)\b`)},
	{"skopeo", regexp.MustCompile(`\bskopeo\b[^|;&]*\b(?:copy|sync)\b`)},
	{"ko", regexp.MustCompile(`\bko[ \t]+(?:build|publish|apply)\b`)},
	{"kaniko", regexp.MustCompile(`/kaniko/executor\b`)},
	{"gcloud", regexp.MustCompile(`\bgcloud\b[^|;&]*\bbuilds[ \t]+submit\b`)},
	{"skaffold", regexp.MustCompile(`\bskaffold[ \t]+(?:build|run)\b`)},
}

// programs are the clouds' command lines.
var programs = []struct {
	name, cloud string
	form        *regexp.Regexp
}{
	{"aws", "aws", command("aws")}, {"sam", "aws", command("sam")}, {"eksctl", "aws", command("eksctl")},
	{"gcloud", "gcp", command("gcloud")}, {"gsutil", "gcp", command("gsutil")}, {"bq", "gcp", command("bq")},
	{"az", "azure", command("az")},
	{"kubectl", "", command("kubectl")}, {"helm", "", command("helm")},
}

var tools = []struct {
	name string
	form *regexp.Regexp
}{
	{"terraform", regexp.MustCompile(`(?:^|[\s;&|(@+-])(?:terraform|tofu|terragrunt|\$\(TERRAFORM\)|\$\(TF\)|\$\{TF\})\s`)},
	{"packer", regexp.MustCompile(`(?:^|[\s;&|(@+-])(?:packer|\$\(PACKER\))\s`)},
}

// command finds a program where a command begins.
func command(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[;&|(@+-]|\s)` + name + `\s+[a-z-]`)
}

// doing reads a line of a shell.
func doing(line string) Doing {
	line, _, _ = strings.Cut(line, " #")
	var d Doing
	for _, p := range pushes {
		if p.form.MatchString(line) {
			d.Pushes = p.tool
			break
		}
	}
	for _, t := range tools {
		if t.form.MatchString(line) {
			d.Tool = t.name
			break
		}
	}
	// A name in a text or a path is no call.
	first := strings.TrimLeft(strings.TrimSpace(line), "@+-")
	if strings.HasPrefix(first, "echo ") || strings.HasPrefix(first, "printf ") {
		return Doing{}
	}
	for _, p := range programs {
		if p.form.MatchString(line) {
			d.Calls = append(d.Calls, p.name)
			if p.cloud != "" {
				d.Clouds = append(d.Clouds, p.cloud)
			}
		}
	}
	return d
}

func (d Doing) with(o Doing) Doing {
	if d.Pushes == "" {
		d.Pushes = o.Pushes
	}
	if d.Tool == "" {
		d.Tool = o.Tool
	}
	d.Clouds, d.Calls = unique(append(d.Clouds, o.Clouds...)), unique(append(d.Calls, o.Calls...))
	return d
}

func (d Doing) nothing() bool { return d.Pushes == "" && d.Tool == "" && len(d.Calls) == 0 }

// Daemon tells whether who pushes is a daemon, which makes its own way to the
// registry and not Whittle's.
func (d Doing) Daemon() bool { return d.Pushes == "docker" }
