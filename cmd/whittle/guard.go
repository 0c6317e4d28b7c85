package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/whittle-iam/whittle/sandbox/role/guard"
)

// consent is what the operator said on the command line about where a run may
// work. The embedded sandbox needs none.
type consent struct {
	named string // --target-is-sandbox
	yes   bool   // --yes
}

func (c *consent) flags(command *cobra.Command) {
	f := command.Flags()
	f.StringVar(&c.named, "target-is-sandbox", "", "the full `NAME` of the account or project, where it is not marked as a sandbox")
	f.BoolVar(&c.yes, "yes", false, "do not ask before anything is made in an account or project")
}

// ask refuses a target that is no sandbox, tells what a run makes in it first, for
// which identities, and waits for the operator's word. Nothing has been made when
// it returns an error.
func (c *consent) ask(ctx context.Context, pool identities, names []string, g *globals, say func(string, ...any)) error {
	target, err := pool.Target(ctx)
	if err != nil {
		return err
	}
	right, err := guard.Check(target, c.named)
	if err != nil {
		return err
	}
	say("target: %s, a sandbox by %s", target, right)
	say("whittle first makes there, or takes up again where an earlier run made it:")
	for _, name := range names {
		for _, object := range pool.Makes(name) {
			say("  %s", object)
		}
	}
	say("and the steps make and delete what their code says")
	if c.yes {
		return nil
	}
	in, ok := g.in.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &usageError{err: fmt.Errorf("nobody is there to agree to a run in %s; nothing was touched", target), hint: "say --yes"}
	}
	say("go on? Type yes:")
	return agreed(ctx, g.in, target)
}

// agreed reads the operator's word. A run that is interrupted does not wait for it.
func agreed(ctx context.Context, in io.Reader, target guard.Target) error {
	word := make(chan string, 1)
	go func() { // ends with the line, or with the program
		line, _ := bufio.NewReader(in).ReadString('\n') // err: what was read is no yes
		word <- strings.TrimSpace(line)
	}()
	select {
	case w := <-word:
		if w == "yes" {
			return nil
		}
		return errors.New("not agreed to a run in " + target.String() + "; nothing was touched")
	case <-ctx.Done():
		return ctx.Err()
	}
}
