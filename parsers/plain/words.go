package plain

// Words finds any of a set of words in bytes, in any case of ASCII, without
// looking at every byte: it looks at the pair of bytes where a word could end
// and goes on by as much as no word can hold that pair (Wu and Manber, "A fast
// algorithm for multi-pattern searching", 1994).
type Words struct {
	least int // the shortest word's length
	shift *[1 << 16]uint8
	ends  *[1 << 16]uint16 // by the pair at offset least-2, where in lists its words are
	lists [][]string
}

// NewWords makes the set. Each word is of lower-case ASCII, two bytes at least.
func NewWords(words ...string) Words {
	w := Words{least: 255, shift: new([1 << 16]uint8), ends: new([1 << 16]uint16), lists: [][]string{nil}}
	for _, word := range words {
		w.least = min(w.least, len(word))
	}
	for i := range w.shift {
		w.shift[i] = uint8(w.least - 1)
	}
	for _, word := range words {
		for i := 0; i+1 < w.least; i++ {
			p := pair(word[i], word[i+1])
			w.shift[p] = min(w.shift[p], uint8(w.least-2-i))
		}
		p := pair(word[w.least-2], word[w.least-1])
		if w.ends[p] == 0 {
			w.ends[p] = uint16(len(w.lists))
			w.lists = append(w.lists, nil)
		}
		w.lists[w.ends[p]] = append(w.lists[w.ends[p]], word)
	}
	return w
}

// pair folds case, and a few other bytes with it that the comparison tells
// apart.
func pair(a, b byte) uint16 { return uint16(a|0x20)<<8 | uint16(b|0x20) }

// find gives the first place in b where a word starts, -1 if none does.
func (w Words) find(b []byte) int {
	shift := w.shift
	if shift == nil {
		return -1
	}
	for i := w.least - 1; i < len(b); {
		p := pair(b[i-1], b[i])
		if n := shift[p]; n > 0 {
			i += int(n)
			continue
		}
		start := i - w.least + 1
		for _, word := range w.lists[w.ends[p]] {
			if has(b[start:], word) {
				return start
			}
		}
		i++
	}
	return -1
}

// Has tells whether s holds one of the words.
func (w Words) Has(s string) bool { return w.find([]byte(s)) >= 0 }

func has(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := 0; i < len(word); i++ {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
