package plain

import (
	"encoding/binary"
	"math/bits"
)

// Words finds any of a set of words in bytes, in any case of ASCII, at a few
// bytes a step: however a word of some length stands, one of every few groups of
// bytes lies within it, so it is enough to look at those, each on its own, and to
// ask a table whether a word holds such a group.
type Words struct {
	step  int // from one group that is looked at to the next
	shift int // makes a place in table of a hash
	table []uint16
	at    [][]place // by what table holds
}

// place is a group of bytes within a word.
type place struct {
	word   string
	offset int
}

// group is how many bytes are looked at together.
const group = 4

// NewWords makes the set of at most some hundred words. Each is of lower-case
// ASCII and has four bytes at least; the search is the faster the longer the
// shortest of them is.
func NewWords(words ...string) Words {
	least := 255
	for _, word := range words {
		least = min(least, len(word))
	}
	w := Words{step: least - group + 1, at: [][]place{nil}}
	// The table is small enough for the nearest cache, and mostly empty.
	const size = 1 << 14
	w.table, w.shift = make([]uint16, size), 32-bits.TrailingZeros(size)
	of := map[uint32]uint16{}
	for _, word := range words {
		for offset := range w.step {
			h := hash([]byte(word[offset:])) >> w.shift
			i, known := of[h]
			if !known {
				i = uint16(len(w.at))
				w.at = append(w.at, nil)
				of[h], w.table[h] = i, i
			}
			w.at[i] = append(w.at[i], place{word, offset})
		}
	}
	return w
}

// hash folds case, and a few other bytes with it that the comparison tells
// apart.
func hash(b []byte) uint32 {
	return (binary.LittleEndian.Uint32(b) | 0x20202020) * 0x9e3779b1
}

// find gives the first place in b where a word starts, -1 if none does.
func (w Words) find(b []byte) int {
	if w.table == nil {
		return -1
	}
	table, shift := (*[1 << 14]uint16)(w.table), w.shift&31
	for i := 0; i+group <= len(b); i += w.step {
		n := table[hash(b[i:])>>shift&(1<<14-1)]
		if n == 0 {
			continue
		}
		// A word that starts here was not seen before: the group that was looked
		// at last lies before it.
		first := -1
		for _, p := range w.at[n] {
			if start := i - p.offset; start >= 0 && (first < 0 || start < first) && has(b[start:], p.word) {
				first = start
			}
		}
		if first >= 0 {
			return first
		}
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
