package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"interop/control"
	pb "interop/rpc/evnode/v1"
)

// reader is what every client can ask.
type reader interface {
	BlockAt(ctx context.Context, height uint64) (*pb.GetBlockResponse, error)
	BlockBy(ctx context.Context, hash []byte) (*pb.GetBlockResponse, error)
	State(ctx context.Context) (*pb.State, error)
	Metadata(ctx context.Context, key string) ([]byte, error)
	Stores(ctx context.Context) ([]*pb.P2PStoreSnapshot, error)
	Peers(ctx context.Context) ([]*pb.PeerInfo, error)
	Net(ctx context.Context) (*pb.NetInfo, error)
	Namespace(ctx context.Context) (*pb.GetNamespaceResponse, error)
}

// read asks everything there is to ask, and tells each answer: messages as the hex of their protobuf, errors as their
// code.
func read(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("read", flag.ContinueOnError)
	url := flags.String("url", "", "of the node")
	protocol := flags.String("protocol", "", "evnode, connect, json, connect2, grpc, grpcweb or grpcgo")
	height := flags.Uint64("height", 0, "of a block")
	hashes := flags.String("hashes", "", "of blocks, hex, by commas")
	keys := flags.String("keys", "", "of metadata, by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := open(*protocol, *url)
	if err != nil {
		return err
	}
	control.Emit("ready", nil)

	tell("block", message(client.BlockAt(ctx, *height)))
	tell("latest", message(client.BlockAt(ctx, 0)))
	tell("missing", message(client.BlockAt(ctx, 1<<40)))
	tell("beyond", message(client.BlockAt(ctx, 1<<60)))
	for _, text := range strings.Split(*hashes, ",") {
		hash, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		tell("hash "+text, message(client.BlockBy(ctx, hash)))
	}
	tell("state", message(client.State(ctx)))
	for _, key := range strings.Split(*keys, ",") {
		value, err := client.Metadata(ctx, key)
		tell("metadata "+key, said(value, err))
	}
	stores, err := client.Stores(ctx)
	tell("stores", message(&pb.GetP2PStoreInfoResponse{Stores: stores}, err))
	peers, err := client.Peers(ctx)
	tell("peers", message(&pb.GetPeerInfoResponse{Peers: peers}, err))
	tell("net", message(client.Net(ctx)))
	tell("namespace", message(client.Namespace(ctx)))
	control.Emit("done", nil)
	<-ctx.Done()
	return nil
}

func tell(what, text string) {
	control.Emit("answer", control.Fields{"message": what, "found": []string{text}})
}

func message[M proto.Message](value M, err error) string {
	if err != nil {
		return code(err)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(value)
	return said(bytes, err)
}

func said(bytes []byte, err error) string {
	if err != nil {
		return code(err)
	}
	return hex.EncodeToString(bytes)
}

// code names the code of an error the same way for all clients.
func code(err error) string {
	if of := connect.CodeOf(err); of != connect.CodeUnknown {
		return fmt.Sprintf("error %d", uint32(of))
	}
	if of, ok := status.FromError(err); ok {
		return fmt.Sprintf("error %d", uint32(of.Code()))
	}
	return "error " + err.Error()
}
