package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"interop/control"

	"github.com/evstack/ev-node/pkg/rpc/client"
)

// ask reads from a node with the client that comes with ev-node, and tells what it was answered: messages as the hex of
// their protobuf, errors as their code.
func ask(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("ask", flag.ContinueOnError)
	url := flags.String("url", "", "of the node")
	height := flags.Uint64("height", 0, "of a block")
	hashes := flags.String("hashes", "", "of blocks, hex, by commas")
	keys := flags.String("keys", "", "of metadata, by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node := client.NewClient(*url)
	control.Emit("ready", nil)

	block, err := node.GetBlockByHeight(ctx, *height)
	answered("block", block, err)
	latest, err := node.GetBlockByHeight(ctx, 0)
	answered("latest", latest, err)
	for _, text := range strings.Split(*hashes, ",") {
		hash, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		block, err := node.GetBlockByHash(ctx, hash)
		answered("hash "+text, block, err)
	}
	state, err := node.GetState(ctx)
	answered("state", state, err)
	for _, key := range strings.Split(*keys, ",") {
		value, err := node.GetMetadata(ctx, key)
		said("metadata "+key, value, err)
	}
	net, err := node.GetNetInfo(ctx)
	answered("net", net, err)
	namespace, err := node.GetNamespace(ctx)
	answered("namespace", namespace, err)
	stores, err := node.GetP2PStoreInfo(ctx)
	for _, store := range stores {
		answered("store "+store.GetLabel(), store, err)
	}
	peers, err := node.GetPeerInfo(ctx)
	for _, peer := range peers {
		answered("peer "+peer.GetId(), peer, err)
	}
	control.Emit("done", nil)
	<-ctx.Done()
	return nil
}

func answered(what string, message proto.Message, err error) {
	if err != nil {
		said(what, nil, err)
		return
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	said(what, bytes, err)
}

func said(what string, bytes []byte, err error) {
	text := hex.EncodeToString(bytes)
	if err != nil {
		text = fmt.Sprintf("error %d", uint32(connect.CodeOf(err)))
	}
	control.Emit("answer", control.Fields{"message": what, "found": []string{text}})
}
