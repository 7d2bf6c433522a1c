package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"interop/control"

	"github.com/celestiaorg/go-header"
	headerp2p "github.com/celestiaorg/go-header/p2p"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/rs/zerolog"

	"github.com/evstack/ev-node/pkg/config"
	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/p2p"
	evsync "github.com/evstack/ev-node/pkg/sync"
)

const (
	kindHeader = "headerSync"
	kindData   = "dataSync"
)

// settings are the flags that all sub-commands share.
type settings struct {
	listen    string
	peers     string
	seed      int
	chainID   string
	blockTime time.Duration
}

func (s *settings) register(flags *flag.FlagSet) {
	flags.StringVar(&s.listen, "listen", "/ip4/127.0.0.1/tcp/0", "multiaddr to listen on")
	flags.StringVar(&s.peers, "peers", "", "multiaddrs of peers, comma-separated, each with /p2p/<id>")
	flags.IntVar(&s.seed, "seed", 1, "byte of which the node key is made")
	flags.StringVar(&s.chainID, "chain-id", "beta11", "chain id")
	flags.DurationVar(&s.blockTime, "block-time", time.Second, "time between blocks")
}

// services are the P2P client and both sync services of a node.
type services struct {
	client  *p2p.Client
	headers *evsync.HeaderSyncService
	data    *evsync.DataSyncService
	chainID string
}

func keyOf(seed int) (crypto.PrivKey, error) {
	return crypto.UnmarshalEd25519PrivateKey(
		ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(seed)}, ed25519.SeedSize)))
}

// newServices makes the services and starts the P2P client; the services are not started.
func newServices(ctx context.Context, s settings, gen genesis.Genesis, aggregator bool) (*services, error) {
	key, err := keyOf(s.seed)
	if err != nil {
		return nil, err
	}
	conf := config.DefaultConfig()
	conf.P2P.ListenAddress, conf.P2P.Peers = s.listen, s.peers
	conf.Node.Aggregator = aggregator
	conf.Node.BlockTime = config.DurationWrapper{Duration: s.blockTime}
	log := zerolog.New(os.Stderr).Level(zerolog.InfoLevel)
	database := dssync.MutexWrap(datastore.NewMapDatastore())
	made := &services{chainID: s.chainID}
	if made.client, err = p2p.NewClient(conf.P2P, key, database, s.chainID, log, nil); err != nil {
		return nil, err
	}
	if err := made.client.Start(ctx); err != nil {
		return nil, err
	}
	if made.headers, err = evsync.NewHeaderSyncService(database, conf, gen, made.client, log); err != nil {
		return nil, err
	}
	made.data, err = evsync.NewDataSyncService(database, conf, gen, made.client, log)
	return made, err
}

// ready tells the suite where the node listens.
func (s *services) ready(gen genesis.Genesis) {
	id := s.client.Host().ID().String()
	addresses := []string{}
	for _, a := range s.client.Host().Addrs() {
		addresses = append(addresses, a.String()+"/p2p/"+id)
	}
	control.Emit("ready", control.Fields{"peer": id, "addresses": addresses, "chainId": s.chainID, "genesis": gen})
}

// watch reports each height once it is in a store.
func watch[H header.Header[H]](ctx context.Context, kind string, store header.Store[H], next uint64) {
	for ctx.Err() == nil {
		item, err := store.GetByHeight(ctx, next)
		if err != nil {
			_ = pause(ctx, 10*time.Millisecond)
			continue
		}
		control.Emit("height", control.Fields{
			"kind": kind, "height": next, "hash": hex.EncodeToString(item.Hash()),
		})
		next++
	}
}

func (s *services) handlers() control.Handlers {
	return control.Handlers{
		"find": func(context.Context, control.Command) (control.Fields, error) {
			found, err := s.client.GetPeers()
			ids := []string{}
			for _, p := range found {
				ids = append(ids, p.ID.String())
			}
			return control.Fields{"found": ids}, err
		},
		"peers": func(context.Context, control.Command) (control.Fields, error) {
			ids := []string{}
			for _, id := range s.client.PeerIDs() {
				ids = append(ids, id.String())
			}
			return control.Fields{"peers": ids}, nil
		},
		"head": func(ctx context.Context, c control.Command) (control.Fields, error) {
			if c.Kind == kindData {
				return head(ctx, s.data.Store())
			}
			return head(ctx, s.headers.Store())
		},
		"subscribed": func(ctx context.Context, c control.Command) (control.Fields, error) {
			return nil, s.subscribed(ctx, c.Kind, c.Peer)
		},
	}
}

// subscribed waits until a peer has subscribed to a topic.
func (s *services) subscribed(ctx context.Context, kind, id string) error {
	wanted, err := peer.Decode(id)
	if err != nil {
		return err
	}
	topic := headerp2p.PubsubTopicID(s.chainID + "-" + kind)
	for !slices.Contains(s.client.PubSub().ListPeers(topic), wanted) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%s has not subscribed to %s: %w", id, topic, err)
		}
	}
	return nil
}

func head[H header.Header[H]](ctx context.Context, store header.Store[H]) (control.Fields, error) {
	item, err := store.Head(ctx)
	if errors.Is(err, header.ErrEmptyStore) {
		return control.Fields{"height": 0}, nil
	}
	if err != nil {
		return nil, err
	}
	return control.Fields{"height": item.Height(), "hash": hex.EncodeToString(item.Hash())}, nil
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
