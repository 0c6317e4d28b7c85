package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const licencesFile = "../../docs/licences.md"

// licences are told by words that only they have, in this order.
var licences = []struct {
	name  string
	words []string
}{
	{"MPL-2.0", []string{"Mozilla Public License", "2.0"}},
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"ISC", []string{"Permission to use, copy, modify, and", "distribute this software for any purpose with or without fee"}},
	{"Unlicense", []string{"free and unencumbered software released into the public domain"}},
	{"MIT", []string{"Permission is hereby granted, free of charge, to any person obtaining a copy"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote products"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
}

// licenceOf reads a module's licence from its folder.
func licenceOf(dir string) (string, error) {
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "UNLICENSE*"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are good
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			plain := strings.Join(strings.Fields(string(text)), " ")
			for _, l := range licences {
				if !slices.ContainsFunc(l.words, func(w string) bool { return !strings.Contains(plain, w) }) {
					return l.name, nil
				}
			}
		}
	}
	return "", errors.New("its licence cannot be told")
}

// TestLicences: docs/licences.md lists the modules that are linked into whittle,
// and their licences, all of which are known.
func TestLicences(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json=Module", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	versions, dirs := map[string]string{}, map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main {
			versions[p.Module.Path], dirs[p.Module.Path] = p.Module.Version, p.Module.Dir
		}
	}
	if len(versions) < 30 {
		t.Fatalf("only %d modules", len(versions))
	}
	var b strings.Builder
	b.WriteString("# Licences\n\nThe modules that are linked into `whittle`, besides Go's own standard library\n(BSD-3-Clause). Written by `go test ./cmd/whittle -run TestLicences -update`.\n\n| module | version | licence |\n|---|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(versions)) {
		licence, err := licenceOf(dirs[path])
		if err != nil {
			t.Errorf("%s %s: %v", path, versions[path], err)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", path, versions[path], licence)
	}
	if *update {
		if err := os.WriteFile(licencesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(licencesFile)
	if err != nil || string(have) != b.String() {
		t.Errorf("docs/licences.md is not current (%v): run go test ./cmd/whittle -run TestLicences -update", err)
	}
}

// What docs/security.md says is shown by a test has that test.
func TestSecurityNamesItsTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		there[d.Name()] = strings.HasSuffix(path, ".txtar")
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(code, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+|[\\w-]+\\.txtar)`").FindAllSubmatch(text, -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("there is no %s", m[1])
		}
	}
}
