// Package harness is the loop: it grows a role per step in flight, reruns
// where the wire cannot show what is missing, removes what was only assumed
// and verifies what is left. It declares the small interfaces it needs and
// knows no cloud and no process.
package harness
