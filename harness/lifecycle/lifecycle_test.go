package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// folders groups an archive's files by their first folder, in order.
func folders(a *txtar.Archive) (names []string, files map[string]map[string][]byte) {
	files = make(map[string]map[string][]byte)
	for _, f := range a.Files {
		dir, name, _ := strings.Cut(f.Name, "/")
		if files[dir] == nil {
			names = append(names, dir)
			files[dir] = make(map[string][]byte)
		}
		files[dir][name] = f.Data
	}
	return names, files
}

// read loads a case's whittle.yaml, in a folder with the case's other files,
// and says what came of it.
func read(t *testing.T, files map[string][]byte) (string, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := Load("whittle.yaml")
	if err != nil {
		if diff := cmp.Diff(Lifecycle{}, l); diff != "" {
			t.Errorf("a lifecycle beside an error: %s", diff)
		}
		return err.Error() + "\n", err
	}
	if wd, _ := os.Getwd(); l.Dir != wd {
		t.Errorf("Dir is %s, want %s", l.Dir, wd)
	}
	l.Dir = ""
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		t.Fatal(err)
	}
	return b.String(), nil
}

func TestGolden(t *testing.T) {
	for _, group := range []string{"good", "errors"} {
		path, err := filepath.Abs(filepath.Join("testdata", group+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names, files := folders(archive)
		wants := make(map[string]string)
		for _, name := range names {
			t.Run(group+"/"+name, func(t *testing.T) {
				got, err := read(t, files[name])
				if (err != nil) != (group == "errors") {
					t.Errorf("Load = %v", err)
				}
				for _, secret := range []string{"hunter2", "hunter3"} {
					if err != nil && strings.Contains(got, secret) {
						t.Errorf("the value of a variable is shown: %s", got)
					}
				}
				// A txtar section holds lines that begin with anything but --.
				if want := string(files[name]["want"]); !*update && got != want {
					t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
				}
				wants[name+"/want"] = got
			})
		}
		if !*update {
			continue
		}
		for i, f := range archive.Files {
			if want, ok := wants[f.Name]; ok {
				archive.Files[i].Data = []byte(want)
			}
		}
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// An error is found by errors.As, with its place.
func TestErrorIsTyped(t *testing.T) {
	_, err := Parse("dir/whittle.yaml", []byte("cloud: aws\nsandbox: embedded\nlifecycle:\n  - {name: a, phase: init, command: [x], rol: b}\n"))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%T: %v", err, err)
	}
	if e.File != "dir/whittle.yaml" || e.Line != 4 || e.Col != 42 {
		t.Errorf("at %s:%d:%d", e.File, e.Line, e.Col)
	}
}

func TestLoadNoFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "whittle.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "whittle.yaml") {
		t.Errorf("Load = %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder was read as a file")
	}
}

func TestParseLooksAtNoFile(t *testing.T) {
	l, err := Parse("some/where/whittle.yaml", []byte("cloud: aws\nsandbox: embedded\nlifecycle:\n  - {name: a, phase: init, terraform: {dir: none, command: apply}}\n"))
	if err != nil || l.Dir != filepath.Join("some", "where") || l.Steps[0].Terraform.Dir != "none" || l.Steps[0].Line != 4 {
		t.Errorf("Parse = %+v, %v", l, err)
	}
}

func TestExample(t *testing.T) {
	l, err := Load(filepath.Join("..", "..", "docs", "examples", "aws-small", "whittle.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Steps) != 5 || !l.Steps[0].ReadOnly || l.Steps[4].RoleName() != "destroy" {
		t.Errorf("read %+v", l)
	}
}

func TestTooBig(t *testing.T) {
	_, err := Parse("f", bytes.Repeat([]byte("#\n"), 1<<20))
	if err == nil || !strings.Contains(err.Error(), "KiB") {
		t.Errorf("Parse = %v", err)
	}
	// As deep as fits must neither end the program nor take long.
	for _, deep := range []string{"[", "{a: ", "- ", "&a ", "? "} {
		if _, err := Parse("f", []byte(strings.Repeat(deep, 8<<10/len(deep)))); err == nil {
			t.Errorf("%q many times is a lifecycle", deep)
		}
	}
}

func TestIsOwned(t *testing.T) {
	for name, want := range map[string]bool{
		"HTTPS_PROXY": true, "https_proxy": true, "AWS_ACCESS_KEY_ID": true, "AWS_SHARED_CREDENTIALS_FILE": true,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": true, "SSL_CERT_FILE": true, "TF_CLI_CONFIG_FILE": true, "TF_CLI_ARGS_plan": true,
		"AWS_ENDPOINT_URL_S3": true, "WHITTLE_X": true,
		"AWS_REGION": false, "AWS_DEFAULT_REGION": false, "PATH": false, "TF_VAR_x": false, "ARM_CLIENT": false,
	} {
		if isOwned(name) != want {
			t.Errorf("%s: owned is %t", name, !want)
		}
	}
}

// FuzzParse holds that every error is an *Error with a place within the file,
// that nothing comes beside an error, and that what is read is sound.
func FuzzParse(f *testing.F) {
	for _, group := range []string{"good", "errors"} {
		archive, err := txtar.ParseFile(filepath.Join("testdata", group+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, "whittle.yaml") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Parse("f", data)
		if err != nil {
			if diff := cmp.Diff(Lifecycle{}, l); diff != "" {
				t.Fatalf("a lifecycle beside an error: %s", diff)
			}
			text := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(string(data), "\uFEFF"), "\r\n", "\n"), "\r", "\n")
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			for _, e := range flat(err) {
				var le *Error
				if !errors.As(e, &le) {
					t.Fatalf("%T is not *Error", e)
				}
				if le.Line < 1 || le.Line > len(lines) || le.Col < 1 || le.Col > len([]rune(lines[le.Line-1]))+1 {
					t.Fatalf("%v is not within the file", le)
				}
				if strings.Contains(le.Error(), "ast.") || strings.ContainsAny(le.Error(), "\x1b\x00\r") {
					t.Fatalf("not fit for people: %q", le.Error())
				}
			}
			return
		}
		names := make(map[string]bool)
		if len(l.Steps) == 0 {
			t.Fatal("no steps and no error")
		}
		for _, s := range l.Steps {
			if names[s.Name] || !name.MatchString(s.Name) || s.Line < 1 {
				t.Fatalf("step %q", s.Name)
			}
			names[s.Name] = true
			does := 0
			for _, d := range []bool{s.Terraform != nil, s.Packer != nil, len(s.Command) > 0} {
				if d {
					does++
				}
			}
			if does != 1 {
				t.Fatalf("step %q does %d things", s.Name, does)
			}
			for k := range s.Env {
				if isOwned(k) {
					t.Fatalf("step %q sets %s", s.Name, k)
				}
			}
		}
	})
}

// flat is the errors that one joins.
func flat(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
