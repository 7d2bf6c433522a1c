// Package control lets a test suite drive a peer program: JSON lines on standard output are events and replies,
// JSON lines on standard input are commands. A program ends when its standard input ends.
package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Fields are the members of an event or reply beside its name.
type Fields map[string]any

// Command is one line of input. Which members matter depends on its name.
type Command struct {
	ID     int      `json:"id"`
	Name   string   `json:"command"`
	Kind   string   `json:"kind"`
	Peer   string   `json:"peer"`
	Hash   string   `json:"hash"`
	Height uint64   `json:"height"`
	From   uint64   `json:"from"`
	To     uint64   `json:"to"`
	Count  int      `json:"count"`
	Txs    []string `json:"txs"`
}

// Handlers answer commands by name. What they return is sent back with the command's id.
type Handlers map[string]func(context.Context, Command) (Fields, error)

var out struct {
	sync.Mutex
	w *bufio.Writer
}

// Emit writes one event.
func Emit(event string, fields Fields) {
	line := Fields{"event": event}
	for name, value := range fields {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		text = fmt.Appendf(nil, `{"event":"error","message":%q}`, err.Error())
	}
	out.Lock()
	defer out.Unlock()
	if out.w == nil {
		out.w = bufio.NewWriter(os.Stdout)
	}
	_, _ = out.w.Write(append(text, '\n'))
	_ = out.w.Flush()
}

// Main runs the sub-command that the first argument names and exits. Its context ends when standard input does,
// or at SIGINT and SIGTERM.
func Main(commands map[string]func(ctx context.Context, args []string) error) {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "expected one of the sub-commands of %s\n", os.Args[0])
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, end := context.WithCancel(ctx)
	lines := make(chan []byte)
	go func() {
		defer end()
		scanner := bufio.NewScanner(os.Stdin)
		for scanner.Scan() {
			select {
			case lines <- append([]byte(nil), scanner.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
	}()
	err := commands[os.Args[1]](context.WithValue(ctx, linesKey{}, lines), os.Args[2:])
	end()
	cancel()
	if err != nil && !errors.Is(err, context.Canceled) {
		Emit("failed", Fields{"message": err.Error()})
		os.Exit(1)
	}
}

type linesKey struct{}

// Serve answers commands, each in its own goroutine, until the context ends.
func Serve(ctx context.Context, handlers Handlers) error {
	lines, ok := ctx.Value(linesKey{}).(chan []byte)
	if !ok {
		return errors.New("control.Serve needs the context that control.Main gave")
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-lines:
			go answer(ctx, handlers, line)
		}
	}
}

func answer(ctx context.Context, handlers Handlers, line []byte) {
	var command Command
	if err := json.Unmarshal(line, &command); err != nil {
		Emit("error", Fields{"message": err.Error()})
		return
	}
	handle := handlers[command.Name]
	reply := Fields{}
	if handle == nil {
		reply["error"] = fmt.Sprintf("no command %q here", command.Name)
	} else if fields, err := handle(ctx, command); err != nil {
		reply["error"] = err.Error()
	} else {
		for name, value := range fields {
			reply[name] = value
		}
	}
	reply["id"] = command.ID
	Emit("reply", reply)
}
