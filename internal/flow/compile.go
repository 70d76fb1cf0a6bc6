package flow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"

	"github.com/ringmaster-dev/ringmaster/internal/schedule"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// Limits on a condition. The cost is CEL's own measure; a comparison costs about one, a search in a text a tenth of its length.
const (
	MaxCondition = 1024
	maxCost      = 100_000
)

// Flow is a compiled Spec. It may be used by several goroutines at once.
type Flow struct {
	steps     []step
	schedules map[string]*schedule.Schedule
	templates map[string]Message
}

type step struct {
	Step
	program cel.Program
	// automatic: the condition asks whether the mail is automatic.
	automatic bool
}

// Message is a compiled Template.
type Message struct{ Subject, Text, HTML *template.Template }

// SpecError names the part of a Spec that is wrong, as in steps[0].when.
type SpecError struct{ Field, Message string }

func (e *SpecError) Error() string { return e.Field + ": " + e.Message }

// Template by name, nil fields where it has no such text.
func (f *Flow) Template(name string) Message { return f.templates[name] }

// Compile checks a Spec. The error is a *SpecError for the steps; what a Spec refers to is expected to be valid by itself.
func Compile(spec Spec) (*Flow, error) {
	f := &Flow{schedules: map[string]*schedule.Schedule{}, templates: map[string]Message{}}
	for name, s := range spec.Schedules {
		hours, err := schedule.New(s)
		if err != nil {
			return nil, &SpecError{"schedules", name + ": " + err.Error()}
		}
		f.schedules[name] = hours
	}
	for name, t := range spec.Templates {
		message, err := compileTemplate(t)
		if err != nil {
			return nil, &SpecError{"templates", name + ": " + err.Error()}
		}
		f.templates[name] = message
	}
	env, err := f.environment()
	if err != nil {
		return nil, err
	}
	for i, s := range spec.Steps {
		compiled := step{Step: s}
		if s.When != "" {
			if err := f.condition(env, &compiled); err != nil {
				return nil, &SpecError{fmt.Sprintf("steps[%d].when", i), err.Error()}
			}
		}
		if err := f.refers(&s); err != nil {
			return nil, &SpecError{fmt.Sprintf("steps[%d]", i), err.Error()}
		}
		f.steps = append(f.steps, compiled)
	}
	return f, nil
}

func compileTemplate(t Template) (m Message, err error) {
	for _, part := range []struct {
		text string
		into **template.Template
	}{{t.Subject, &m.Subject}, {t.Text, &m.Text}, {t.HTML, &m.HTML}} {
		if part.text == "" {
			continue
		}
		if *part.into, err = template.Parse(part.text); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (f *Flow) refers(s *Step) error {
	if s.Wait != nil && s.Wait.UntilOpen != "" && f.schedules[s.Wait.UntilOpen] == nil {
		return fmt.Errorf("there is no Schedule %s", s.Wait.UntilOpen)
	}
	if _, ok := f.templates[s.AutoReply]; s.AutoReply != "" && !ok {
		return fmt.Errorf("there is no MessageTemplate %s", s.AutoReply)
	}
	return nil
}

// What open("name") stands for: the moment is an argument of its own, so that a compiled condition depends on nothing else.
const (
	openCall = "@open"
	nowIdent = "@now"
)

// variables are what conditions know besides open().
var variables = map[string]*cel.Type{
	"mail.subject":        cel.StringType,
	"mail.from":           cel.StringType,
	"mail.to":             cel.ListType(cel.StringType),
	"mail.headers":        cel.MapType(cel.StringType, cel.StringType),
	"mail.size":           cel.IntType,
	"mail.hasAttachments": cel.BoolType,
	"mail.automatic":      cel.BoolType,
	"customer.address":    cel.StringType,
	"customer.name":       cel.StringType,
	"account.address":     cel.StringType,
	"account.name":        cel.StringType,
}

// environment is what conditions are compiled in.
func (f *Flow) environment() (*cel.Env, error) {
	open := cel.BinaryBinding(func(at, name ref.Val) ref.Val {
		moment, ok := at.Value().(time.Time)
		text, isText := name.Value().(string)
		hours := f.schedules[text]
		if !ok || !isText || hours == nil {
			return types.NewErr("no such schedule")
		}
		return types.Bool(hours.Open(moment))
	})
	options := []cel.EnvOption{
		ext.Strings(ext.StringsVersion(3)),
		cel.Variable(nowIdent, cel.TimestampType),
		cel.Function(openCall, cel.Overload("open_at", []*cel.Type{cel.TimestampType, cel.StringType}, cel.BoolType, open)),
		cel.Macros(cel.GlobalMacro("open", 1, func(eh cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *cel.Error) {
			return eh.NewCall(openCall, eh.NewIdent(nowIdent), args[0]), nil
		})),
	}
	for name, kind := range variables {
		options = append(options, cel.Variable(name, kind))
	}
	return cel.NewEnv(options...)
}

// condition compiles the condition of a step.
func (f *Flow) condition(env *cel.Env, s *step) error {
	if len(s.When) > MaxCondition {
		return fmt.Errorf("longer than %d bytes", MaxCondition)
	}
	ast, issues := env.Compile(s.When)
	if err := issues.Err(); err != nil {
		first, _, _ := strings.Cut(issues.Errors()[0].Message, "\n")
		at := issues.Errors()[0].Location
		if strings.HasPrefix(first, "undeclared reference") {
			// cel-go names the beginning of a name only: "mail" for mail.subjet.
			first += `; known are open("schedule"), ` + strings.Join(slices.Sorted(maps.Keys(variables)), ", ")
		}
		return fmt.Errorf("line %d, column %d: %s", at.Line(), at.Column()+1, first)
	}
	if ast.OutputType() != cel.BoolType {
		return fmt.Errorf("the result is %s, not bool", ast.OutputType())
	}
	for _, name := range schedulesOf(ast) {
		switch {
		case name == "":
			return errors.New(`open() takes the name of a Schedule in quotes, as in open("office")`)
		case f.schedules[name] == nil:
			return fmt.Errorf("there is no Schedule %s", name)
		}
	}
	for _, r := range ast.NativeRep().ReferenceMap() {
		s.automatic = s.automatic || r.Name == "mail.automatic"
	}
	var err error
	s.program, err = env.Program(ast, cel.CostLimit(maxCost))
	return err
}

// Schedules lists the names of schedules a condition asks for. A condition that does not compile asks for none.
func Schedules(condition string) []string {
	env, err := (&Flow{}).environment()
	if err != nil || len(condition) > MaxCondition {
		return nil
	}
	ast, issues := env.Compile(condition)
	if issues.Err() != nil {
		return nil
	}
	return schedulesOf(ast)
}

// schedulesOf are the arguments of open(); one that is not a text in quotes is "".
func schedulesOf(ast *cel.Ast) []string {
	var names []string
	for _, call := range celast.MatchDescendants(celast.NavigateAST(ast.NativeRep()), celast.FunctionMatcher(openCall)) {
		name := ""
		if arg := call.AsCall().Args()[1]; arg.Kind() == celast.LiteralKind {
			name, _ = arg.AsLiteral().Value().(string)
		}
		names = append(names, name)
	}
	return names
}

// holds evaluates the condition of a step.
func (f *Flow) holds(s *step, in Input, now time.Time) (bool, error) {
	headers := in.Headers
	if headers == nil {
		headers = map[string]string{}
	}
	result, _, err := s.program.Eval(map[string]any{
		"mail.subject": in.Subject, "mail.from": in.From, "mail.to": in.To, "mail.headers": headers, "mail.size": in.Size,
		"mail.hasAttachments": in.HasAttachments, "mail.automatic": in.Automatic,
		"customer.address": in.CustomerAddress, "customer.name": in.CustomerName,
		"account.address": in.AccountAddress, "account.name": in.AccountName,
		nowIdent: now,
	})
	if err != nil {
		return false, err
	}
	is, ok := result.Value().(bool)
	if !ok {
		return false, errors.New("not a bool")
	}
	return is, nil
}
