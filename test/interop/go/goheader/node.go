package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"interop/control"

	"github.com/celestiaorg/go-libp2p-messenger/serde"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/discovery"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/routing"
	"github.com/libp2p/go-libp2p/p2p/discovery/util"
	routed "github.com/libp2p/go-libp2p/p2p/host/routed"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"

	"github.com/libp2p/go-libp2p/p2p/security/noise"
)

const (
	// maxMessage is the largest gossip message.
	maxMessage = 5 << 20
	// advertiseFor is how long a rendezvous record is asked to live.
	advertiseFor = time.Hour
	// peerLimit is how many peers one search may find.
	peerLimit = 60
)

// settings are the flags that all sub-commands share.
type settings struct {
	listen   string
	peers    string
	seed     int
	gossip   string
	security string
	dht      bool
	chainID  string
}

func (s *settings) register(flags *flag.FlagSet) {
	flags.StringVar(&s.listen, "listen", "/ip4/127.0.0.1/tcp/0", "multiaddr to listen on")
	flags.StringVar(&s.peers, "peers", "", "multiaddrs of peers, comma-separated, each with /p2p/<id>")
	flags.IntVar(&s.seed, "seed", 1, "byte of which the node key is made")
	flags.StringVar(&s.gossip, "gossip", "floodsub", "floodsub or gossipsub")
	flags.StringVar(&s.security, "security", "", "noise or tls; both when empty")
	flags.BoolVar(&s.dht, "dht", false, "join the DHT in server mode and advertise the chain")
	flags.StringVar(&s.chainID, "chain-id", "", "chain id")
	flags.BoolVar(&checkSignatures, "signatures", true, "check the signatures of headers")
}

// node is a libp2p host with gossip and, when asked for, the DHT.
type node struct {
	host      host.Host
	gossip    *pubsub.PubSub
	discovery *routing.RoutingDiscovery
	peers     []peer.AddrInfo
	chainID   string
}

func startNode(ctx context.Context, s settings) (*node, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(
		ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(s.seed)}, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	options := []libp2p.Option{libp2p.ListenAddrStrings(s.listen), libp2p.Identity(key)}
	switch s.security {
	case "noise":
		options = append(options, libp2p.Security(noise.ID, noise.New))
	case "tls":
		options = append(options, libp2p.Security(libp2ptls.ID, libp2ptls.New))
	}
	n := &node{chainID: s.chainID}
	if n.peers, err = parsePeers(s.peers); err != nil {
		return nil, err
	}
	if n.host, err = libp2p.New(options...); err != nil {
		return nil, err
	}
	n.host.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, conn network.Conn) {
			control.Emit("connected", control.Fields{
				"peer": conn.RemotePeer().String(), "security": string(conn.ConnState().Security),
				"muxer": string(conn.ConnState().StreamMultiplexer), "direction": conn.Stat().Direction.String(),
			})
		},
		DisconnectedF: func(_ network.Network, conn network.Conn) {
			control.Emit("disconnected", control.Fields{"peer": conn.RemotePeer().String()})
		},
	})
	switch s.gossip {
	case "floodsub":
		n.gossip, err = pubsub.NewFloodSub(ctx, n.host, pubsub.WithMaxMessageSize(maxMessage))
	case "gossipsub":
		n.gossip, err = pubsub.NewGossipSub(ctx, n.host, pubsub.WithMaxMessageSize(maxMessage))
	default:
		err = fmt.Errorf("gossip is floodsub or gossipsub, not %q", s.gossip)
	}
	if err != nil {
		return nil, err
	}
	if s.dht {
		if err := n.joinDHT(ctx); err != nil {
			return nil, err
		}
	}
	for _, p := range n.peers {
		if err := n.host.Connect(ctx, p); err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", p.ID, err)
		}
	}
	return n, nil
}

// joinDHT joins in server mode over the given peers and advertises under the chain id.
func (n *node) joinDHT(ctx context.Context) error {
	table, err := dht.New(n.host, dht.Mode(dht.ModeServer), dht.BootstrapPeers(n.peers...))
	if err != nil {
		return err
	}
	if err := table.Bootstrap(ctx); err != nil {
		return err
	}
	n.host = routed.Wrap(n.host, table)
	select {
	case <-table.RefreshRoutingTable():
	case <-ctx.Done():
		return ctx.Err()
	}
	n.discovery = routing.NewRoutingDiscovery(table)
	util.Advertise(ctx, n.discovery, n.chainID, discovery.TTL(advertiseFor))
	return nil
}

// find searches the DHT for peers of the chain.
func (n *node) find(ctx context.Context) ([]string, error) {
	if n.discovery == nil {
		return nil, errors.New("not in the DHT: start with -dht")
	}
	found, err := n.discovery.FindPeers(ctx, n.chainID, discovery.Limit(peerLimit))
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for p := range found {
		if p.ID != n.host.ID() {
			ids = append(ids, p.ID.String())
		}
	}
	return ids, nil
}

func (n *node) ids() []peer.ID {
	ids := make([]peer.ID, 0, len(n.peers))
	for _, p := range n.peers {
		ids = append(ids, p.ID)
	}
	return ids
}

// ready tells the suite that the program serves, and where.
func (n *node) ready() {
	addresses := []string{}
	for _, a := range n.host.Addrs() {
		addresses = append(addresses, a.String()+"/p2p/"+n.host.ID().String())
	}
	protocols := []string{}
	for _, p := range n.host.Mux().Protocols() {
		protocols = append(protocols, string(p))
	}
	control.Emit("ready", control.Fields{
		"peer": n.host.ID().String(), "addresses": addresses, "protocols": protocols, "chainId": n.chainID,
	})
}

// handlers are the commands of every program that has a node.
func (n *node) handlers() control.Handlers {
	return control.Handlers{
		"find": func(ctx context.Context, _ control.Command) (control.Fields, error) {
			found, err := n.find(ctx)
			return control.Fields{"found": found}, err
		},
		"peers": func(context.Context, control.Command) (control.Fields, error) {
			ids := []string{}
			for _, p := range n.host.Network().Peers() {
				ids = append(ids, p.String())
			}
			return control.Fields{"peers": ids}, nil
		},
	}
}

func parsePeers(list string) ([]peer.AddrInfo, error) {
	var peers []peer.AddrInfo
	for address := range strings.SplitSeq(list, ",") {
		if address == "" {
			continue
		}
		info, err := peer.AddrInfoFromString(address)
		if err != nil {
			return nil, fmt.Errorf("peer %q: %w", address, err)
		}
		peers = append(peers, *info)
	}
	return peers, nil
}

// Nodes of v1.2.3 read exchange messages of twice a block's largest size; the library's own limit is 1 MiB.
func init() {
	serde.MaxMessageSize = 2 * maxMessage
}
