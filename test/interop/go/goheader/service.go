package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"interop/control"

	"github.com/celestiaorg/go-header"
	headerp2p "github.com/celestiaorg/go-header/p2p"
	headerstore "github.com/celestiaorg/go-header/store"
	headersync "github.com/celestiaorg/go-header/sync"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/conngater"
)

const (
	kindHeader = "headerSync"
	kindData   = "dataSync"
	// forever is longer than any chain lives: nothing expires and nothing is pruned.
	forever = 99 * 365 * 24 * time.Hour
)

// service is everything go-header offers for one kind of item, over one store.
type service[H header.Header[H]] struct {
	kind      string
	networkID string
	node      *node
	store     *headerstore.Store[H]
	server    *headerp2p.ExchangeServer[H]
	gossip    *headerp2p.Subscriber[H]
}

func newService[H header.Header[H]](ctx context.Context, n *node, kind string) (*service[H], error) {
	s := &service[H]{kind: kind, networkID: n.chainID + "-" + kind, node: n}
	var err error
	s.store, err = headerstore.NewStore[H](
		dssync.MutexWrap(datastore.NewMapDatastore()), headerstore.WithStorePrefix(kind))
	if err != nil {
		return nil, err
	}
	if err := s.store.Start(ctx); err != nil {
		return nil, err
	}
	s.server, err = headerp2p.NewExchangeServer[H](
		n.host, s.store, headerp2p.WithNetworkID[headerp2p.ServerParameters](s.networkID))
	if err != nil {
		return nil, err
	}
	s.gossip, err = headerp2p.NewSubscriber[H](
		n.gossip, pubsub.DefaultMsgIdFn, headerp2p.WithSubscriberNetworkID(s.networkID))
	return s, err
}

// append adds items to the store and waits until they are readable.
func (s *service[H]) append(ctx context.Context, items ...H) error {
	if err := s.store.Append(ctx, items...); err != nil {
		return err
	}
	return s.store.Sync(ctx)
}

// listen starts the server and joins the topic. Nothing is relayed before a verifier is set.
func (s *service[H]) listen(ctx context.Context) error {
	if err := s.server.Start(ctx); err != nil {
		return err
	}
	if err := s.gossip.Start(ctx); err != nil {
		return err
	}
	_, err := s.gossip.Subscribe()
	return err
}

// accept is the verifier of a program that does not sync: the next item enters the store, anything else is judged
// as go-header judges it.
func (s *service[H]) accept(ctx context.Context, item H) error {
	if known, err := s.store.Has(ctx, item.Hash()); err == nil && known {
		return nil
	}
	head, err := s.store.Head(ctx)
	if err == nil {
		err = header.Verify(head, item)
	}
	if err == nil {
		err = s.append(ctx, item)
	}
	s.report(item, err)
	return err
}

func (s *service[H]) report(item H, err error) {
	fields := control.Fields{
		"kind": s.kind, "height": item.Height(), "hash": hex.EncodeToString(item.Hash()), "verdict": "accept",
	}
	if err != nil {
		fields["verdict"], fields["message"] = "reject", err.Error()
		if failure := new(header.VerifyError); errors.As(err, &failure) && failure.SoftFailure {
			fields["verdict"] = "ignore"
		}
	}
	control.Emit("gossip", fields)
}

// exchange makes a started client that asks the given peers.
func newExchange[H header.Header[H]](ctx context.Context, n *node, kind string) (*headerp2p.Exchange[H], error) {
	gater, err := conngater.NewBasicConnectionGater(nil)
	if err != nil {
		return nil, err
	}
	exchange, err := headerp2p.NewExchange[H](n.host, n.ids(), gater,
		headerp2p.WithNetworkID[headerp2p.ClientParameters](n.chainID+"-"+kind),
		headerp2p.WithChainID[headerp2p.ClientParameters](n.chainID))
	if err != nil {
		return nil, err
	}
	return exchange, exchange.Start(ctx)
}

// watched reports what the syncer says of gossiped items.
type watched[H header.Header[H]] struct {
	*headerp2p.Subscriber[H]
	service *service[H]
}

// SetVerifier sets the verifier and reports its verdicts.
func (w watched[H]) SetVerifier(verify func(context.Context, H) error) error {
	return w.Subscriber.SetVerifier(func(ctx context.Context, item H) error {
		err := verify(ctx, item)
		w.service.report(item, err)
		return err
	})
}

// follow keeps the store in step with the peers, reporting each height.
func (s *service[H]) follow(ctx context.Context, initial uint64, blockTime time.Duration) error {
	if err := s.begin(ctx, initial, blockTime); err != nil {
		return err
	}
	go s.watch(ctx, initial)
	return nil
}

// begin fetches the first item from the peers, then keeps the store in step with them.
func (s *service[H]) begin(ctx context.Context, initial uint64, blockTime time.Duration) error {
	exchange, err := newExchange[H](ctx, s.node, s.kind)
	if err != nil {
		return err
	}
	syncer, err := headersync.NewSyncer[H](exchange, s.store, watched[H]{s.gossip, s},
		headersync.WithBlockTime(blockTime), headersync.WithPruningWindow(forever), headersync.WithTrustingPeriod(forever))
	if err != nil {
		return err
	}
	for {
		first, err := exchange.GetByHeight(ctx, initial)
		if err == nil {
			if err := s.append(ctx, first); err != nil {
				return err
			}
			break
		}
		control.Emit("waiting", control.Fields{"kind": s.kind, "message": err.Error()})
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	if err := syncer.Start(ctx); err != nil {
		return err
	}
	return s.listen(ctx)
}

// watch reports each height once it is in the store.
func (s *service[H]) watch(ctx context.Context, next uint64) {
	for ctx.Err() == nil {
		item, err := s.store.GetByHeight(ctx, next)
		if err != nil {
			if errors.Is(pause(ctx, 10*time.Millisecond), context.Canceled) {
				return
			}
			continue
		}
		control.Emit("height", control.Fields{
			"kind": s.kind, "height": next, "hash": hex.EncodeToString(item.Hash()),
		})
		next++
	}
}

// subscribed waits until a peer has subscribed to the topic.
func (s *service[H]) subscribed(ctx context.Context, id string) error {
	wanted, err := peer.Decode(id)
	if err != nil {
		return err
	}
	topic := headerp2p.PubsubTopicID(s.networkID)
	for !slices.Contains(s.node.gossip.ListPeers(topic), wanted) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%s has not subscribed to %s: %w", id, topic, err)
		}
	}
	return nil
}

// head describes the highest item of the store.
func (s *service[H]) head(ctx context.Context) (control.Fields, error) {
	head, err := s.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	return control.Fields{"height": head.Height(), "hash": hex.EncodeToString(head.Hash())}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
