package lifecycle

import (
	"regexp"
	"slices"
	"strconv"
	"time"
)

// When a step has done well, where its tool's own word is not enough.

// succeedsWhen reads what a command must show to have done well.
func (r *reader) succeedsWhen(n node, at place) *SucceedsWhen {
	const example = `exit, output and stop, {exit: [1], output: "gave up waiting"} for one`
	w := new(SucceedsWhen)
	had := r.Mistakes()
	found := r.Fields(n, at, `"succeeds_when"`, example, succeedsKeys, map[string]func(node, place){
		"exit": func(n node, at place) { w.Exit = r.exitCodes(n, at) },
		"output": func(n node, at place) {
			w.Output = r.Text(n, at, "output")
			if _, err := regexp.Compile(w.Output); err != nil {
				r.Fail(r.In(n, at), `"output" takes a regular expression (Go's), and this is none: %v`, err)
			}
		},
		"stop": func(n node, at place) { w.Stop = r.Boolean(n, at, "stop") },
	})
	if found == nil {
		return nil
	}
	_, exit := found["exit"]
	_, output := found["output"]
	switch {
	case len(found) == 0 && r.Mistakes() == had:
		r.Fail(at, `"succeeds_when" says nothing: it takes %s`, example)
	case w.Stop && exit:
		r.Fail(found["exit"], `"exit" and "stop" exclude each other: a command that is stopped has no exit code of its own`)
	case w.Stop && !output:
		r.Fail(found["stop"], `"stop" needs an "output": the line at which the command is stopped`)
	}
	return w
}

// exitCodes reads one exit code, or a list of them.
func (r *reader) exitCodes(n node, at place) []int {
	values, ok := r.List(n)
	if !ok {
		values = []node{n}
	}
	var codes []int
	for _, v := range values {
		text, ok := r.Written(v)
		code, err := strconv.Atoi(text)
		if !ok || err != nil || code < 0 || code > 255 {
			r.Fail(r.In(v, at), `"exit" takes exit codes, 0 to 255, alone or in a list`)
			continue
		}
		codes = append(codes, code)
	}
	if len(values) == 0 {
		r.Fail(r.In(n, at), `"exit" lists no exit code`)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// timeout reads how long a step may take.
func (r *reader) timeout(n node, at place) time.Duration {
	had := r.Mistakes()
	d := r.duration(n, at, "timeout")
	if r.Mistakes() == had && d == 0 {
		r.Fail(r.In(n, at), `"timeout" takes more than no time; leave it out for no bound`)
	}
	return d
}
