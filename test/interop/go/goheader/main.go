// Command goheader is a peer built on go-header: it serves a recorded chain, follows a chain, fetches from a
// peer, or looks for peers. See package control for how it is driven.
package main

import (
	"context"
	"flag"
	"time"

	"interop/control"
)

func main() {
	control.Main(map[string]func(context.Context, []string) error{
		"serve":  serve,
		"follow": follow,
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
