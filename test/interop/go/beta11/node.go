package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"interop/control"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/keytransform"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/rs/zerolog"

	"github.com/evstack/ev-node/block"
	"github.com/evstack/ev-node/core/da"
	"github.com/evstack/ev-node/core/sequencer"
	"github.com/evstack/ev-node/node"
	"github.com/evstack/ev-node/pkg/config"
	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/p2p"
	"github.com/evstack/ev-node/pkg/signer"
	"github.com/evstack/ev-node/pkg/signer/noop"
	"github.com/evstack/ev-node/pkg/store"
	"github.com/evstack/ev-node/sequencers/single"
)

const (
	databaseName = "interop"
	daBlockTime  = time.Second
	daMaxBlob    = 2 << 20
	// blockPatience is how long a block may take that is being made when the node is told to end.
	blockPatience = 5 * time.Second
)

// aggregate runs a full node that makes blocks. Its genesis is made at the first start.
func aggregate(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("aggregate", flag.ContinueOnError)
	s.register(flags)
	home := flags.String("home", "", "directory of the node")
	proposer := flags.Int("proposer-seed", 7, "byte of which the proposer's key is made")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := keyOf(*proposer)
	if err != nil {
		return err
	}
	author, err := noop.NewNoopSigner(key)
	if err != nil {
		return err
	}
	address, err := author.GetAddress()
	if err != nil {
		return err
	}
	err = genesis.CreateGenesis(*home, s.chainID, 1, address)
	if err != nil && !errors.Is(err, genesis.ErrGenesisExists) {
		return err
	}
	return runNode(ctx, s, *home, genesis.GenesisPath(*home), author)
}

// full runs a full node that follows.
func full(ctx context.Context, args []string) error {
	var s settings
	flags := flag.NewFlagSet("full", flag.ContinueOnError)
	s.register(flags)
	home := flags.String("home", "", "directory of the node")
	path := flags.String("genesis", "", "genesis file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return runNode(ctx, s, *home, *path, nil)
}

// runNode runs a node, an aggregator when it has a signer, until the context ends. Its DA layer is empty and its own:
// blocks travel over P2P alone.
func runNode(ctx context.Context, s settings, home, genesisPath string, author signer.Signer) error {
	gen, err := genesis.LoadGenesis(genesisPath)
	if err != nil {
		return err
	}
	key, err := keyOf(s.seed)
	if err != nil {
		return err
	}
	conf := config.DefaultConfig()
	conf.RootDir = home
	conf.P2P.ListenAddress, conf.P2P.Peers = s.listen, s.peers
	conf.Node.Aggregator = author != nil
	conf.Node.BlockTime = config.DurationWrapper{Duration: s.blockTime}
	conf.DA.BlockTime = config.DurationWrapper{Duration: daBlockTime}
	conf.RPC.Address = "127.0.0.1:0"
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)

	database, err := store.NewDefaultKVStore(home, conf.DBPath, databaseName)
	if err != nil {
		return err
	}
	app, err := openExecutor(ctx, keytransform.Wrap(database, keytransform.PrefixTransform{Prefix: datastore.NewKey("app")}))
	if err != nil {
		return err
	}
	layer := da.NewDummyDA(daMaxBlob, daBlockTime)
	layer.StartHeightTicker()
	defer layer.StopHeightTicker()
	metrics, err := single.NopMetrics()
	if err != nil {
		return err
	}
	queue, err := single.NewSequencer(
		ctx, log, database, layer, []byte(gen.ChainID), s.blockTime, metrics, author != nil)
	if err != nil {
		return err
	}
	entrance := &door{Sequencer: queue, refused: make(chan struct{}, 1)}
	listener, err := libp2p.New(libp2p.ListenAddrStrings(s.listen), libp2p.Identity(key))
	if err != nil {
		return err
	}
	client, err := p2p.NewClientWithHost(conf.P2P, key, database, gen.ChainID, log, p2p.NopMetrics(), listener)
	if err != nil {
		return err
	}
	made, err := node.NewNode(conf, app, entrance, layer, author, client, gen, database,
		node.DefaultMetricsProvider(conf.Instrumentation), log,
		node.NodeOptions{BlockOptions: block.DefaultBlockOptions()})
	if err != nil {
		return err
	}
	running, ok := made.(*node.FullNode)
	if !ok {
		return fmt.Errorf("expected a full node, got %T", made)
	}

	nodeCtx, halt := context.WithCancel(context.WithoutCancel(ctx))
	defer halt()
	ready := func() { announce(listener, gen) }
	if author == nil {
		ready()
		ready = func() {}
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Run(nodeCtx) }()
	// An aggregator that finds a peer before it has a block would wait for that peer to show it one.
	go watchBlocks(nodeCtx, running.Store, app, gen.InitialHeight, ready)
	go func() { _ = control.Serve(ctx, appHandlers(app)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if author != nil {
		entrance.shut(blockPatience)
	}
	halt()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// door stands before a sequencer. Once it is shut no further block is made, so that the node ends between two blocks
// and not while one is stored but not yet told to anybody.
type door struct {
	sequencer.Sequencer
	closed  atomic.Bool
	refused chan struct{}
}

// GetNextBatch says that there is no batch once the door is shut.
func (d *door) GetNextBatch(
	ctx context.Context, request sequencer.GetNextBatchRequest,
) (*sequencer.GetNextBatchResponse, error) {
	if !d.closed.Load() {
		return d.Sequencer.GetNextBatch(ctx, request)
	}
	select {
	case d.refused <- struct{}{}:
	default:
	}
	return &sequencer.GetNextBatchResponse{}, nil
}

// shut returns when the block that was being made is out.
func (d *door) shut(patience time.Duration) {
	d.closed.Store(true)
	select {
	case <-d.refused:
	case <-time.After(patience):
	}
}

// announce tells the suite where the node listens and what its chain is.
func announce(h host.Host, gen genesis.Genesis) {
	addresses := []string{}
	for _, a := range h.Addrs() {
		addresses = append(addresses, a.String()+"/p2p/"+h.ID().String())
	}
	control.Emit("ready", control.Fields{"peer": h.ID().String(), "addresses": addresses, "genesis": gen})
}

// watchBlocks tells of every block once the node has executed it, from the first that it has.
func watchBlocks(ctx context.Context, blocks store.Store, app *executor, next uint64, first func()) {
	for ctx.Err() == nil {
		height, err := blocks.Height(ctx)
		if err != nil || height < next {
			_ = pause(ctx, 10*time.Millisecond)
			continue
		}
		header, data, err := blocks.GetBlockData(ctx, next)
		if err != nil {
			control.Emit("error", control.Fields{"message": err.Error()})
			return
		}
		first()
		first = func() {}
		control.Emit("block", control.Fields{
			"height": next, "hash": hex.EncodeToString(header.Hash()), "dataHash": hex.EncodeToString(data.Hash()),
			"appHash": hex.EncodeToString(header.AppHash), "stateRoot": hex.EncodeToString(app.rootAfter(next)),
			"txs": len(data.Txs),
		})
		next++
	}
}

// appHandlers are the commands of the application.
func appHandlers(app *executor) control.Handlers {
	return control.Handlers{
		"tx": func(_ context.Context, c control.Command) (control.Fields, error) {
			for _, tx := range c.Txs {
				app.submit([]byte(tx))
			}
			return nil, nil
		},
	}
}
