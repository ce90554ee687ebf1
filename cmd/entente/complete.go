package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"entente/pact"

	"github.com/alecthomas/kong"
)

type completeCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a completion script made from the command tree itself.
func (c *completeCmd) Run(a *app) error {
	var b strings.Builder
	switch c.Shell {
	case "fish":
		fish(&b, a.parser.Model.Node)
	case "zsh":
		b.WriteString("autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n")
		bash(&b, a.parser.Model.Node)
	default:
		bash(&b, a.parser.Model.Node)
	}
	return a.answer(map[string]string{"script": b.String()}, func(w io.Writer) { _, _ = io.WriteString(w, b.String()) })
}

// offers are what may follow a command: its own commands, what it takes, and its flags
// and ours.
func offers(n *kong.Node) (words []string) {
	for _, s := range shown(n) {
		words = append(words, s.Name)
	}
	words = append(words, arguments(n)...)
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			words = append(words, "--"+f.Name)
		}
	}
	return words
}

// shown are a command's own commands that are for people.
func shown(n *kong.Node) (all []*kong.Node) {
	for _, s := range n.Children {
		if !s.Hidden {
			all = append(all, s)
		}
	}
	return all
}

// arguments names what a command takes, where that is known: a word of a few, or a pact that
// we ship.
func arguments(n *kong.Node) (names []string) {
	for _, p := range n.Positional {
		names = append(names, values(p)...)
	}
	if slices.ContainsFunc(n.Positional, func(p *kong.Positional) bool { return p.Tag.Has("pact") }) {
		for _, id := range pact.Templates() {
			names = append(names, string(id))
		}
	}
	return names
}

// values are the words that a flag or an argument is one of; none: it takes any.
func values(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })
}

// each calls f with every command and the words that lead to it.
func each(n *kong.Node, path string, f func(n *kong.Node, path string)) {
	f(n, path)
	for _, s := range shown(n) {
		each(s, strings.TrimSpace(path+" "+s.Name), f)
	}
}

// bash walks the words typed so far down the tree, and offers what follows.
func bash(w io.Writer, top *kong.Node) {
	fmt.Fprint(w, "_entente() {\n  local at= w\n  for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case \"${at:+$at }$w\" in\n")
	each(top, "", func(_ *kong.Node, path string) {
		if path != "" {
			fmt.Fprintf(w, "      %q) at=%q ;;\n", path, path)
		}
	})
	fmt.Fprint(w, "    esac\n  done\n  case \"$at\" in\n")
	each(top, "", func(n *kong.Node, path string) {
		fmt.Fprintf(w, "    %q) w=%q ;;\n", path, strings.Join(offers(n), " "))
	})
	fmt.Fprint(w, "  esac\n  case \"$at:${COMP_WORDS[COMP_CWORD-1]}\" in\n")
	each(top, "", func(n *kong.Node, path string) {
		for _, f := range n.Flags {
			if all := values(f.Value); all != nil {
				fmt.Fprintf(w, "    %q) w=%q ;;\n", path+":--"+f.Name, strings.Join(all, " "))
			}
		}
	})
	fmt.Fprint(w, "  esac\n  COMPREPLY=($(compgen -W \"$w\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _entente entente\n")
}

// fish offers commands where none of their level is typed yet, and flags after them.
func fish(w io.Writer, top *kong.Node) {
	each(top, "", func(n *kong.Node, path string) {
		seen := "true"
		for _, name := range strings.Fields(path) {
			seen += "; and __fish_seen_subcommand_from " + name
		}
		var names []string
		for _, s := range shown(n) {
			names = append(names, s.Name)
		}
		for _, s := range shown(n) {
			fmt.Fprintf(w, "complete -c entente -f -n %q -a %s -d %q\n", seen+"; and not __fish_seen_subcommand_from "+strings.Join(names, " "), s.Name, s.Help)
		}
		if names := arguments(n); names != nil {
			fmt.Fprintf(w, "complete -c entente -n %q -a %q\n", seen, strings.Join(names, " "))
		}
		for _, f := range n.Flags {
			if f.Hidden {
				continue
			}
			is := ""
			if all := values(f.Value); all != nil {
				is = fmt.Sprintf(" -x -a %q", strings.Join(all, " "))
			}
			fmt.Fprintf(w, "complete -c entente -n %q -l %s -d %q%s\n", seen, f.Name, f.Help, is)
		}
	})
}
