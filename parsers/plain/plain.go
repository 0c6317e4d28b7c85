// Package plain makes plain text of what tools print, so that a reader of
// refusals need not know how a tool draws: it takes away colour, the boxes that
// Terraform draws (at any column, behind any log prefix), the escapes of JSON
// strings at any depth and of Packer's machine-readable output, and joins the
// lines that a box or a terminal has broken.
//
// It changes nothing else: where a text holds none of these, Clean gives it back
// with its line breaks turned to spaces where a sentence runs on. [Scan] does
// the same for a stream of any length in bounded memory, around those places
// only where a refusal may stand. The package knows no cloud.
package plain

import (
	"strings"
	"unicode/utf8"

	"github.com/whittle-iam/whittle/parsers/expr"
)

// Clean gives the plain text of s.
func Clean(s string) string {
	text, _ := clean(s)
	return text
}

// mark says that the byte at offset clean of a cleaned text stands at offset raw
// of what it was made of; so do the bytes behind it, up to the next mark.
type mark struct{ clean, raw int }

// clean is Clean with the places where both texts run apart.
func clean(s string) (string, []mark) {
	t := text{s: s, marks: []mark{{0, 0}}}
	t = t.each(colour)
	t = t.lines(undraw)
	t = t.each(unescape)
	t = t.each(colour) // what was escaped
	t = t.lines(undraw)
	t = t.join()
	return t.s, t.marks
}

// Strip takes away colour and boxes alone: the lines stay as they are broken.
// Clean(Strip(s)) is Clean(s).
func Strip(s string) string {
	return text{s: s, marks: []mark{{0, 0}}}.each(colour).lines(undraw).s
}

// text is a string on its way, with its marks.
type text struct {
	s     string
	marks []mark
}

// builder makes the next text of one.
type builder struct {
	b    strings.Builder
	from text
	next []mark
	i    int // the mark of from that is reached
}

func (b *builder) keep(from, to int) {
	if from >= to {
		return
	}
	b.at(from)
	b.b.WriteString(b.from.s[from:to])
	for b.i+1 < len(b.from.marks) && b.from.marks[b.i+1].clean < to {
		b.i++
		m := b.from.marks[b.i]
		b.note(mark{b.b.Len() - (to - m.clean), m.raw})
	}
}

func (b *builder) put(at int, s string) {
	b.at(at)
	b.b.WriteString(s)
}

// at notes where the next byte comes from.
func (b *builder) at(from int) {
	for b.i+1 < len(b.from.marks) && b.from.marks[b.i+1].clean <= from {
		b.i++
	}
	m := b.from.marks[b.i]
	b.note(mark{b.b.Len(), m.raw + from - m.clean})
}

func (b *builder) note(m mark) {
	if n := len(b.next); n > 0 {
		last := b.next[n-1]
		if last.raw-last.clean == m.raw-m.clean {
			return // they run on together
		}
		if last.clean == m.clean {
			b.next[n-1] = m
			return
		}
	}
	b.next = append(b.next, m)
}

func (b *builder) done() text {
	if len(b.next) == 0 || b.next[0].clean > 0 {
		b.next = append([]mark{{0, 0}}, b.next...)
	}
	return text{b.b.String(), b.next}
}

// each rewrites single places: edit gives how many bytes at s[i] are replaced,
// and by what; 0 keeps the byte.
func (t text) each(edit func(s string, i int) (n int, by string)) text {
	b := builder{from: t}
	kept := 0
	for i := 0; i < len(t.s); {
		n, by := edit(t.s, i)
		if n == 0 {
			i++
			continue
		}
		b.keep(kept, i)
		if by != "" {
			b.put(i, by)
		}
		i += n
		kept = i
	}
	if kept == 0 && b.b.Len() == 0 && len(t.s) > 0 {
		return t
	}
	b.keep(kept, len(t.s))
	return b.done()
}

// lines cuts the margins of each line: trim gives the part of it that stays.
func (t text) lines(trim func(line string) (from, to int)) text {
	b := builder{from: t}
	for i := 0; i < len(t.s); {
		end := i + strings.IndexByte(t.s[i:], '\n')
		next := end + 1
		if end < i {
			end, next = len(t.s), len(t.s)
		}
		from, to := trim(t.s[i:end])
		b.keep(i+from, i+to)
		b.keep(end, next)
		i = next
	}
	return b.done()
}

// colour finds the control sequences of terminals and every other control
// character but tab and line feed. A carriage return begins a new line.
func colour(s string, i int) (int, string) {
	c := s[i]
	switch {
	case c == 0x1b:
		return sequence(s[i:]), ""
	case c == '\r':
		if i+1 < len(s) && s[i+1] == '\n' {
			return 1, ""
		}
		return 1, "\n"
	case c < 0x20 && c != '\n' && c != '\t', c == 0x7f:
		return 1, ""
	}
	return 0, ""
}

// sequence is the length of the control sequence that s starts with (ECMA-48,
// "Control functions": CSI, OSC and two-byte escapes).
func sequence[T string | []byte](s T) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[':
		i := 2
		for i < len(s) && i < 64 && s[i] >= 0x20 && s[i] <= 0x3f {
			i++
		}
		if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		return 1
	case ']':
		for i := 2; i < len(s) && i < 2048 && s[i] != '\n'; i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
	}
	return 1
}

// bare is a colour whose escape character was lost on the way, as logs that are
// kept as text show it.
var bare = expr.New(`^\[(?:[0-9]{1,3}(?:;[0-9]{1,3}){0,4})m`)

const packerComma = "%!(PACKER_COMMA)"

// unescape finds the escapes of JSON strings, in strings in strings too: any run
// of backslashes before an escaped character is one escape.
func unescape(s string, i int) (int, string) {
	switch s[i] {
	case '[':
		if m := bare.FindString(s[i:min(len(s), i+32)]); m != "" {
			return len(m), ""
		}
	case '%':
		if strings.HasPrefix(s[i:], packerComma) {
			return len(packerComma), ","
		}
	case '&':
		for _, e := range entities {
			if strings.HasPrefix(s[i:], e.name) {
				return len(e.name), e.text
			}
		}
	case '\\':
		n := 1
		for i+n < len(s) && s[i+n] == '\\' {
			n++
		}
		if i+n >= len(s) {
			return 0, ""
		}
		switch s[i+n] {
		case 'n', 'r':
			return n + 1, "\n"
		case 't':
			return n + 1, "\t"
		case '"', '\'', '/':
			return n + 1, s[i+n : i+n+1]
		case 'u':
			if r, ok := hex(s[i+n+1:], 4); ok && !(r >= 0xd800 && r < 0xe000) {
				return n + 5, string(r)
			}
		case 'x':
			if r, ok := hex(s[i+n+1:], 2); ok && r == 0x1b {
				return n + 3, string(r)
			}
		case '0':
			if strings.HasPrefix(s[i+n:], "033[") {
				return n + 3, "\x1b"
			}
		}
	}
	return 0, ""
}

// entities are those that HTML writers put in the place of what is markup.
var entities = []struct{ name, text string }{
	{"&quot;", `"`}, {"&#34;", `"`}, {"&#39;", "'"}, {"&#x27;", "'"}, {"&apos;", "'"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&nbsp;", " "},
}

func hex(s string, n int) (rune, bool) {
	if len(s) < n {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:n]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// label is what log collectors put before a line: times, levels and names in
// brackets, a container's or step's name with a bar or colon.
var label = expr.New(`^(?:\s*(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?|\d\d:\d\d:\d\d[\d.,]*|\[[^\]\n]{1,60}\]:?|[\w./@-]{1,40} {0,40}[:|>]|==>|\d+\.\d+|#\d+)\s|\s*[\w./@-]{1,40}\t)+\s*$`)

// undraw gives the part of a line inside a drawn box.
func undraw(line string) (from, to int) {
	from, to = 0, len(line)
	for {
		n := boxEnd(line[from:to])
		if n == 0 {
			break
		}
		from += n
		if from < to && line[from] == ' ' {
			from++
		}
	}
	for to > from {
		i := len(strings.TrimRight(line[from:to], " \t"))
		n := boxSuffix(line[from : from+i])
		if n == 0 {
			break
		}
		to = from + i - n
	}
	if to < len(line) {
		to = from + len(strings.TrimRight(line[from:to], " \t"))
	}
	return from, to
}

// boxEnd is where the box's edge that begins a line ends, 0 without one.
func boxEnd(line string) int {
	for i := 0; i < len(line) && i < 160; i++ {
		if line[i] == '|' && bullet.MatchString(line[:i]) && (i+1 == len(line) || line[i+1] == ' ') {
			return i + 1
		}
		n := box(line[i:])
		if n == 0 {
			continue
		}
		if blank(line[:i]) || label.MatchString(line[:i]) {
			return i + n
		}
		return 0
	}
	return 0
}

// bullet is what stands before the bar with which some tools (sops, for one) draw
// a box's left edge in ASCII.
var bullet = expr.New(`^\s*(?:- )?$`)

func blank(s string) bool { return strings.Trim(s, " \t") == "" }

// mangled are the box characters that Terraform uses, as they look after a
// reader took their bytes for Windows-1252 or code page 437.
var mangled = []string{"â”‚", "â•·", "â•µ", "Γöé", "Γò╖", "Γò╡"}

// box is the length of the box-drawing character that s starts with (Unicode,
// block "Box Drawing"), 0 if it is another.
func box(s string) int {
	if len(s) >= 3 && s[0] == 0xe2 && (s[1] == 0x94 || s[1] == 0x95) && s[2] >= 0x80 && s[2] <= 0xbf {
		return 3
	}
	if len(s) > 0 && (s[0] == 0xc3 || s[0] == 0xce) {
		for _, m := range mangled {
			if strings.HasPrefix(s, m) {
				return len(m)
			}
		}
	}
	return 0
}

func boxSuffix(s string) int {
	if len(s) >= 3 && box(s[len(s)-3:]) == 3 {
		return 3
	}
	for _, m := range mangled {
		if strings.HasSuffix(s, m) {
			return len(m)
		}
	}
	return 0
}

// starts begins a line that is no continuation of the one before.
var starts = expr.New(`^(?:\d{4}[-/]\d\d[-/]\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:|[-*+>#{}\[\]@$]|==>|"[\w@$. -]+"\s*:|\d+: |` +
	`(?:Error|Warning|error|warning|ERROR|WARNING|WARN|INFO|DEBUG|TRACE|FAILED|FATAL|fatal|panic|Traceback|Caused by|caused by|status code:|An error occurred|make(?:\[\d+\])?:)|` +
	`File "|at (?:\S+\(|/)|with (?:module|data|provider|aws|google|azure)\S*|on \S+ line \d|[A-Z][\w.]+: )`)

// join turns the line breaks inside a sentence to spaces, or to nothing where
// they stand inside an ARN or a path, or in a word that a terminal broke.
func (t text) join() text {
	b := builder{from: t}
	cut := 0 // where the paragraph ends that a terminal broke at its edge
	fresh := true
	for i := 0; i < len(t.s); {
		if fresh && i >= cut {
			cut = i + broken(t.s[i:])
		}
		end := i + strings.IndexByte(t.s[i:], '\n')
		if end < i {
			b.keep(i, len(t.s))
			break
		}
		line := t.s[i:end]
		next := t.s[end+1:]
		if k := strings.IndexByte(next, '\n'); k >= 0 {
			next = next[:k]
		}
		indent := len(next) - len(strings.TrimLeft(next, " \t"))
		fresh = false
		switch rest := next[indent:]; {
		case blank(line) || rest == "" || end+1 >= cut && starts.MatchString(rest):
			b.keep(i, end+1)
			i = end + 1
			fresh = true
		case indent == 0 && (inside(line) || halved(line, rest)) || end+1 < cut && indent == 0 && !strings.HasSuffix(line, " "):
			b.keep(i, end)
			i = end + 1
		default:
			kept := strings.TrimRight(line, " \t")
			b.keep(i, i+len(kept))
			b.put(i+len(kept), " ")
			i = end + 1 + indent
		}
	}
	return b.done()
}

// inside tells whether a line ends within an ARN or a path: after a hyphen or a
// slash of one, where nothing but a line break ends it.
func inside(line string) bool {
	if n := len(line); n == 0 || line[n-1] != '-' && line[n-1] != '/' {
		return false
	}
	word := line[strings.LastIndexAny(line, " \t\"'(")+1:]
	for _, path := range []string{"arn:", "projects/", "/subscriptions/", "://"} {
		if strings.Contains(word, path) {
			return true
		}
	}
	return false
}

// The least a terminal's width and the number of its full lines can be for a
// text to count as broken by it: lines that are wrapped at spaces are of one
// length by chance only.
const (
	leastWidth = 60
	fullLines  = 3
)

// broken tells whether a terminal broke the paragraph that s begins with at its
// edge, in the middle of words, and where that ends: all its lines but the last
// are of one width. It gives 0 for any other.
func broken(s string) int {
	width, lines, end := 0, 0, 0
	for end < len(s) {
		line := s[end:]
		next := len(s)
		if k := strings.IndexByte(line, '\n'); k >= 0 {
			line, next = line[:k], end+k+1
		}
		w := utf8.RuneCountInString(line)
		switch {
		case lines == 0 && w < leastWidth, w > width && lines > 0:
			return 0
		case lines == 0:
			width = w
		case w < width:
			if lines < fullLines {
				return 0
			}
			if w > 0 {
				end = next
			}
			return end
		}
		lines++
		end = next
	}
	if lines <= fullLines {
		return 0
	}
	return end
}
