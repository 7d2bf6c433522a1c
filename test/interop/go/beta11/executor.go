package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"interop/control"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

const (
	// maxBlockBytes is what the application takes of transactions in a block.
	maxBlockBytes = 1 << 20
	journalPrefix = "/journal"
)

// entries is the state of the application.
type entries map[string]string

// write executes a transaction of a height: key=value, both without white space around them, becomes the entry
// /height/<height>/<key>, where . and .. in the key lead as in paths, but not out of /height. What is no key=value
// changes nothing.
func (e entries) write(height uint64, tx []byte) {
	key, value, found := bytes.Cut(tx, []byte("="))
	if key = bytes.TrimSpace(key); found && len(key) > 0 {
		e[path.Join("/height", path.Clean(fmt.Sprintf("/%d/%s", height, key)))] = string(bytes.TrimSpace(value))
	}
}

// root lists all entries in byte order of their keys.
func (e entries) root() []byte {
	keys := make([]string, 0, len(e))
	for key := range e {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var text strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&text, "%s:%s;", key, e[key])
	}
	return []byte(text.String())
}

// executed is what the application keeps of an executed block.
type executed struct {
	Height uint64   `json:"height"`
	Txs    [][]byte `json:"txs"`
}

// executor runs the application for a node. It keeps a journal of blocks, from which it makes its state again, so a
// block can be executed once more after a restart and the state after any block be asked for.
type executor struct {
	database datastore.Batching

	mu      sync.Mutex
	journal []executed
	waiting [][]byte
}

// openExecutor reads the journal that a database has.
func openExecutor(ctx context.Context, database datastore.Batching) (*executor, error) {
	e := &executor{database: database}
	found, err := database.Query(ctx, query.Query{Prefix: journalPrefix, Orders: []query.Order{query.OrderByKey{}}})
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for result := range found.Next() {
		if result.Error != nil {
			return nil, result.Error
		}
		var b executed
		if err := json.Unmarshal(result.Value, &b); err != nil {
			return nil, fmt.Errorf("journal entry %s: %w", result.Key, err)
		}
		e.journal = append(e.journal, b)
	}
	return e, nil
}

// submit offers a transaction for a block.
func (e *executor) submit(tx []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = append(e.waiting, tx)
}

// rootAfter is the state root after a height.
func (e *executor) rootAfter(height uint64) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stateAfter(height).root()
}

func (e *executor) stateAfter(height uint64) entries {
	state := entries{}
	for _, b := range e.journal {
		if b.Height > height {
			break
		}
		for _, tx := range b.Txs {
			state.write(b.Height, tx)
		}
	}
	return state
}

// InitChain gives the root of the empty state.
func (e *executor) InitChain(context.Context, time.Time, uint64, string) ([]byte, uint64, error) {
	return entries{}.root(), maxBlockBytes, nil
}

// GetTxs lists the transactions that wait.
func (e *executor) GetTxs(context.Context) ([][]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.waiting), nil
}

// ExecuteTxs executes the block on top, or the last one again.
func (e *executor) ExecuteTxs(
	ctx context.Context, txs [][]byte, height uint64, _ time.Time, previous []byte,
) ([]byte, uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.journal) - 1; last >= 0 && e.journal[last].Height == height {
		e.journal = e.journal[:last]
	}
	if last := len(e.journal) - 1; last >= 0 && e.journal[last].Height != height-1 {
		return nil, 0, fmt.Errorf("height %d is executed after %d", height, e.journal[last].Height)
	}
	state := e.stateAfter(height)
	if root := state.root(); !bytes.Equal(root, previous) {
		return nil, 0, fmt.Errorf("root before height %d is %q, the node says %q", height, root, previous)
	}
	b := executed{Height: height, Txs: txs}
	value, err := json.Marshal(b)
	if err != nil {
		return nil, 0, err
	}
	if err := e.database.Put(ctx, datastore.NewKey(fmt.Sprintf("%s/%020d", journalPrefix, height)), value); err != nil {
		return nil, 0, err
	}
	e.journal = append(e.journal, b)
	for _, tx := range txs {
		state.write(height, tx)
		e.waiting = slices.DeleteFunc(e.waiting, func(one []byte) bool { return bytes.Equal(one, tx) })
	}
	root := state.root()
	// In unix milliseconds, with their fractions.
	control.Emit("executed", control.Fields{"height": height, "at": float64(time.Now().UnixMicro()) / 1e3})
	return root, maxBlockBytes, nil
}

// SetFinal accepts any executed height.
func (e *executor) SetFinal(_ context.Context, height uint64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := len(e.journal) - 1; last < 0 || e.journal[last].Height < height {
		return errors.New("a height is final that was not executed")
	}
	return nil
}
