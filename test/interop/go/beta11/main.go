// Command beta11 is a peer built on ev-node v1.0.0-beta.11. With its P2P client and sync services alone it makes a
// chain and serves it, or follows one; with its whole node it is an aggregator, or a full node that executes blocks.
// See package control for how it is driven.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"sync"
	"time"

	"interop/control"

	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/signer/noop"
	"github.com/evstack/ev-node/types"
)

func main() {
	control.Main(map[string]func(context.Context, []string) error{
		"serve":     serve,
		"follow":    follow,
		"aggregate": aggregate,
		"full":      full,
		"ask":       ask,
	})
}

// serve makes a chain, blocks with and without transactions, and broadcasts each block; more on command.
func serve(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	s.register(flags)
	count := flags.Int("blocks", 100, "blocks made at the start")
	every := flags.Int("txs-every", 10, "each so many blocks one has transactions")
	proposer := flags.Int("proposer-seed", 7, "byte of which the proposer's key is made")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := keyOf(*proposer)
	if err != nil {
		return err
	}
	made := &chain{entries: entries{}}
	if made.signer, err = noop.NewNoopSigner(key); err != nil {
		return err
	}
	if made.author, err = types.NewSigner(key.GetPublic()); err != nil {
		return err
	}
	start := time.Now().Add(-time.Duration(*count+1) * s.blockTime)
	made.genesis = genesis.NewGenesis(s.chainID, 1, start.UTC(), made.author.Address)
	nodes, err := newServices(ctx, s, made.genesis, true)
	if err != nil {
		return err
	}
	if err := nodes.headers.Start(ctx); err != nil {
		return err
	}
	if err := nodes.data.Start(ctx); err != nil {
		return err
	}
	produce := func(ctx context.Context, at time.Time) error {
		height := made.height() + 1
		var txs []string
		if *every > 0 && height%uint64(*every) == 0 {
			txs = []string{fmt.Sprintf("a%d=%d", height, height), fmt.Sprintf("b%d=%d", height, height)}
		}
		if err := made.next(at, txs...); err != nil {
			return err
		}
		if err := made.broadcast(ctx, nodes); err != nil {
			return err
		}
		control.Emit("block", control.Fields{
			"height": height, "hash": hex.EncodeToString(made.header.Hash()),
			"dataHash": hex.EncodeToString(made.data.Hash()), "txs": len(txs),
		})
		return nil
	}
	for i := range *count {
		if err := produce(ctx, start.Add(time.Duration(i)*s.blockTime)); err != nil {
			return err
		}
	}
	nodes.ready(made.genesis)
	handlers := nodes.handlers()
	var producing sync.Mutex
	handlers["produce"] = func(ctx context.Context, c control.Command) (control.Fields, error) {
		producing.Lock()
		defer producing.Unlock()
		for i := range max(c.Count, 1) {
			if i > 0 {
				if err := pause(ctx, s.blockTime); err != nil {
					return nil, err
				}
			}
			if err := produce(ctx, time.Now()); err != nil {
				return nil, err
			}
		}
		return control.Fields{
			"height": made.height(), "hash": hex.EncodeToString(made.header.Hash()),
			"dataHash": hex.EncodeToString(made.data.Hash()), "stateRoot": hex.EncodeToString(made.entries.root()),
		}, nil
	}
	return control.Serve(ctx, handlers)
}

// follow syncs headers and data from the peers and reports every height.
func follow(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("follow", flag.ContinueOnError)
	s.register(flags)
	initial := flags.Uint64("initial-height", 1, "first height of the chain")
	proposer := flags.String("proposer", "", "address of the proposer in hex")
	if err := flags.Parse(args); err != nil {
		return err
	}
	address, err := hex.DecodeString(*proposer)
	if err != nil {
		return err
	}
	gen := genesis.NewGenesis(s.chainID, *initial, time.Unix(1, 0).UTC(), address)
	nodes, err := newServices(ctx, s, gen, false)
	if err != nil {
		return err
	}
	nodes.ready(gen)
	go func() {
		if err := nodes.headers.Start(ctx); err != nil {
			control.Emit("error", control.Fields{"message": err.Error()})
			return
		}
		go watch(ctx, kindHeader, nodes.headers.Store(), *initial)
		if err := nodes.data.Start(ctx); err != nil {
			control.Emit("error", control.Fields{"message": err.Error()})
			return
		}
		go watch(ctx, kindData, nodes.data.Store(), *initial)
	}()
	return control.Serve(ctx, nodes.handlers())
}
