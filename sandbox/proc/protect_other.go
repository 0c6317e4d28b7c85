//go:build unix && !linux

package proc

// Protect turns off core dumps: see the one for Linux, which does more.
func Protect() error { return noCores() }
