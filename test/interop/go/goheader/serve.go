package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"

	"interop/control"

	"github.com/celestiaorg/go-header"
)

// serve loads a recorded chain, answers requests for the part below a height, and publishes the rest on command.
func serve(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	s.register(flags)
	directory := flags.String("chain", "", "directory with genesis.json and chain.bin.gz")
	until := flags.Uint64("until", 0, "highest height that is there from the start; 0 means all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	recorded, err := readChain(*directory)
	if err != nil {
		return err
	}
	s.chainID = recorded.id
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
	known := recorded.initial + uint64(len(recorded.headers)) - 1
	if *until != 0 {
		known = min(known, *until)
	}
	if err := load(ctx, headers, recorded.headers[:known-recorded.initial+1]); err != nil {
		return err
	}
	if err := load(ctx, data, recorded.data[:known-recorded.initial+1]); err != nil {
		return err
	}
	n.ready()
	handlers := itemHandlers(n, headers, data)
	handlers["append"] = func(ctx context.Context, c control.Command) (control.Fields, error) {
		index := c.Height - recorded.initial
		if index >= uint64(len(recorded.headers)) {
			return nil, fmt.Errorf("height %d is not recorded", c.Height)
		}
		if c.Kind == kindData {
			return nil, data.append(ctx, recorded.data[index])
		}
		return nil, headers.append(ctx, recorded.headers[index])
	}
	handlers["publish"] = func(ctx context.Context, c control.Command) (control.Fields, error) {
		index := c.Height - recorded.initial
		if index >= uint64(len(recorded.headers)) {
			return nil, fmt.Errorf("height %d is not recorded", c.Height)
		}
		if c.Kind == kindData {
			return publish(ctx, data, recorded.data[index])
		}
		return publish(ctx, headers, recorded.headers[index])
	}
	return control.Serve(ctx, handlers)
}

// load fills the store and begins to serve it.
func load[H header.Header[H]](ctx context.Context, s *service[H], items []H) error {
	if err := s.append(ctx, items...); err != nil {
		return err
	}
	if err := s.gossip.SetVerifier(s.accept); err != nil {
		return err
	}
	return s.listen(ctx)
}

func publish[H header.Header[H]](ctx context.Context, s *service[H], item H) (control.Fields, error) {
	if err := s.append(ctx, item); err != nil {
		return nil, err
	}
	return control.Fields{"hash": hex.EncodeToString(item.Hash())}, s.gossip.Broadcast(ctx, item)
}

// itemHandlers are the commands of programs that have both services.
func itemHandlers(n *node, headers *service[*SignedHeader], data *service[*Data]) control.Handlers {
	handlers := n.handlers()
	handlers["head"] = func(ctx context.Context, c control.Command) (control.Fields, error) {
		if c.Kind == kindData {
			return data.head(ctx)
		}
		return headers.head(ctx)
	}
	handlers["subscribed"] = func(ctx context.Context, c control.Command) (control.Fields, error) {
		if c.Kind == kindData {
			return nil, data.subscribed(ctx, c.Peer)
		}
		return nil, headers.subscribed(ctx, c.Peer)
	}
	return handlers
}
