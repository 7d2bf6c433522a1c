package main

import (
	"context"
	"encoding/hex"
	"flag"
	"time"

	"interop/control"

	"github.com/celestiaorg/go-header"
	headerp2p "github.com/celestiaorg/go-header/p2p"
)

// fetch answers commands by asking a peer over the exchange protocol.
func fetch(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	s.register(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	n, err := startNode(ctx, s)
	if err != nil {
		return err
	}
	headers, err := newExchange[*SignedHeader](ctx, n, kindHeader)
	if err != nil {
		return err
	}
	data, err := newExchange[*Data](ctx, n, kindData)
	if err != nil {
		return err
	}
	n.ready()
	handlers := n.handlers()
	for name, ask := range map[string]request{"head": askHead, "at": askHeight, "get": askHash, "range": askRange} {
		handlers[name] = func(ctx context.Context, c control.Command) (control.Fields, error) {
			if c.Kind == kindData {
				return ask.data(ctx, data, c)
			}
			return ask.headers(ctx, headers, c)
		}
	}
	return control.Serve(ctx, handlers)
}

// request is one question for either kind of item.
type request struct {
	headers func(context.Context, *headerp2p.Exchange[*SignedHeader], control.Command) (control.Fields, error)
	data    func(context.Context, *headerp2p.Exchange[*Data], control.Command) (control.Fields, error)
}

var (
	askHead   = request{head[*SignedHeader], head[*Data]}
	askHeight = request{at[*SignedHeader], at[*Data]}
	askHash   = request{get[*SignedHeader], get[*Data]}
	askRange  = request{span[*SignedHeader], span[*Data]}
)

func head[H header.Header[H]](ctx context.Context, e *headerp2p.Exchange[H], _ control.Command) (control.Fields, error) {
	item, err := e.Head(ctx)
	return describe(item, err)
}

func at[H header.Header[H]](ctx context.Context, e *headerp2p.Exchange[H], c control.Command) (control.Fields, error) {
	item, err := e.GetByHeight(ctx, c.Height)
	return describe(item, err)
}

func get[H header.Header[H]](ctx context.Context, e *headerp2p.Exchange[H], c control.Command) (control.Fields, error) {
	hash, err := hex.DecodeString(c.Hash)
	if err != nil {
		return nil, err
	}
	item, err := e.Get(ctx, hash)
	return describe(item, err)
}

// span asks for the heights above From and below To, verified against the item at From and each validated once.
func span[H header.Header[H]](ctx context.Context, e *headerp2p.Exchange[H], c control.Command) (control.Fields, error) {
	from, err := e.GetByHeight(ctx, c.From)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	items, err := e.GetRangeByHeight(ctx, from, c.To)
	if err != nil {
		return nil, err
	}
	fields := control.Fields{"count": len(items), "milliseconds": time.Since(began).Seconds() * 1e3}
	if len(items) > 0 {
		last := items[len(items)-1]
		fields["height"], fields["hash"] = last.Height(), hex.EncodeToString(last.Hash())
	}
	return fields, nil
}

func describe[H header.Header[H]](item H, err error) (control.Fields, error) {
	if err == nil {
		err = item.Validate()
	}
	if err != nil {
		return nil, err
	}
	return control.Fields{"height": item.Height(), "hash": hex.EncodeToString(item.Hash())}, nil
}
