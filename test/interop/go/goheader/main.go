// Command goheader is a peer built on go-header: it serves a recorded chain, follows a chain, fetches from a
// peer, or looks for peers. See package control for how it is driven.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"time"

	"interop/control"
)

func main() {
	control.Main(map[string]func(context.Context, []string) error{
		"serve":  serve,
		"follow": follow,
		"sync":   syncHeaders,
		"fetch":  fetch,
		"dht":    dhtOnly,
	})
}

// follow syncs headers and data from the peers and reports every height.
func follow(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("follow", flag.ContinueOnError)
	s.register(flags)
	initial := flags.Uint64("initial-height", 1, "first height of the chain")
	blockTime := flags.Duration("block-time", time.Second, "time between blocks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := startNode(ctx, s)
	if err != nil {
		return err
	}
	headers, err := newService[*SignedHeader](ctx, n, kindHeader)
	if err != nil {
		return err
	}
	data, err := newService[*Data](ctx, n, kindData)
	if err != nil {
		return err
	}
	n.ready()
	failed := make(chan error, 2)
	go func() { failed <- headers.follow(ctx, *initial, *blockTime) }()
	go func() { failed <- data.follow(ctx, *initial, *blockTime) }()
	go func() {
		for range 2 {
			if err := <-failed; err != nil {
				control.Emit("error", control.Fields{"message": err.Error()})
			}
		}
	}()
	return control.Serve(ctx, itemHandlers(n, headers, data))
}

// syncHeaders waits, connected, for the command `sync`, then syncs headers alone and tells how long it took from the
// first request until the height To was in the store.
func syncHeaders(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("sync", flag.ContinueOnError)
	s.register(flags)
	initial := flags.Uint64("initial-height", 1, "first height of the chain")
	blockTime := flags.Duration("block-time", time.Second, "time between blocks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := startNode(ctx, s)
	if err != nil {
		return err
	}
	headers, err := newService[*SignedHeader](ctx, n, kindHeader)
	if err != nil {
		return err
	}
	n.ready()
	handlers := n.handlers()
	handlers["sync"] = func(request context.Context, c control.Command) (control.Fields, error) {
		began := time.Now()
		if err := headers.begin(ctx, *initial, *blockTime); err != nil {
			return nil, err
		}
		last, err := headers.store.GetByHeight(request, c.To)
		if err != nil {
			return nil, err
		}
		return control.Fields{
			"height": last.Height(), "hash": hex.EncodeToString(last.Hash()),
			"milliseconds": time.Since(began).Seconds() * 1e3,
		}, nil
	}
	return control.Serve(ctx, handlers)
}

// dhtOnly joins the DHT and answers `find`.
func dhtOnly(ctx context.Context, args []string) error {
	s := settings{}
	flags := flag.NewFlagSet("dht", flag.ContinueOnError)
	s.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.dht = true
	n, err := startNode(ctx, s)
	if err != nil {
		return err
	}
	n.ready()
	return control.Serve(ctx, n.handlers())
}
