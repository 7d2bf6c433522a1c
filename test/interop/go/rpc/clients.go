package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "interop/rpc/evnode/v1"
	"interop/rpc/evnode/v1/evnodev1connect"
)

// open makes the client of a protocol.
func open(protocol, url string) (reader, error) {
	switch protocol {
	case "evnode":
		// As the client that comes with ev-node: gRPC over HTTP/1.1.
		return newConnect(http.DefaultClient, url, connect.WithGRPC()), nil
	case "connect":
		return newConnect(http.DefaultClient, url), nil
	case "json":
		return newConnect(http.DefaultClient, url, connect.WithProtoJSON()), nil
	case "connect2":
		return newConnect(http2Client(), url), nil
	case "grpc":
		return newConnect(http2Client(), url, connect.WithGRPC()), nil
	case "grpcweb":
		return newConnect(http.DefaultClient, url, connect.WithGRPCWeb()), nil
	case "grpcgo":
		connection, err := dial(url)
		return grpcgo{connection}, err
	}
	return nil, fmt.Errorf("no protocol %q here", protocol)
}

func dial(url string) (*grpc.ClientConn, error) {
	return grpc.NewClient(strings.TrimPrefix(url, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// http2Client speaks HTTP/2 without TLS from the first byte.
func http2Client() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

// connectgo is the generated client, in any of its protocols.
type connectgo struct {
	store  evnodev1connect.StoreServiceClient
	p2p    evnodev1connect.P2PServiceClient
	config evnodev1connect.ConfigServiceClient
}

func newConnect(over *http.Client, url string, options ...connect.ClientOption) connectgo {
	return connectgo{
		store:  evnodev1connect.NewStoreServiceClient(over, url, options...),
		p2p:    evnodev1connect.NewP2PServiceClient(over, url, options...),
		config: evnodev1connect.NewConfigServiceClient(over, url, options...),
	}
}

func unwrap[M any](response *connect.Response[M], err error) (*M, error) {
	if err != nil {
		return nil, err
	}
	return response.Msg, nil
}

func empty() *connect.Request[emptypb.Empty] { return connect.NewRequest(&emptypb.Empty{}) }

func (c connectgo) BlockAt(ctx context.Context, height uint64) (*pb.GetBlockResponse, error) {
	return unwrap(c.store.GetBlock(ctx, connect.NewRequest(at(height))))
}
func (c connectgo) BlockBy(ctx context.Context, hash []byte) (*pb.GetBlockResponse, error) {
	return unwrap(c.store.GetBlock(ctx, connect.NewRequest(by(hash))))
}
func (c connectgo) State(ctx context.Context) (*pb.State, error) {
	response, err := unwrap(c.store.GetState(ctx, empty()))
	return response.GetState(), err
}
func (c connectgo) Metadata(ctx context.Context, key string) ([]byte, error) {
	response, err := unwrap(c.store.GetMetadata(ctx, connect.NewRequest(&pb.GetMetadataRequest{Key: key})))
	return response.GetValue(), err
}
func (c connectgo) Stores(ctx context.Context) ([]*pb.P2PStoreSnapshot, error) {
	response, err := unwrap(c.store.GetP2PStoreInfo(ctx, empty()))
	return response.GetStores(), err
}
func (c connectgo) Peers(ctx context.Context) ([]*pb.PeerInfo, error) {
	response, err := unwrap(c.p2p.GetPeerInfo(ctx, empty()))
	return response.GetPeers(), err
}
func (c connectgo) Net(ctx context.Context) (*pb.NetInfo, error) {
	response, err := unwrap(c.p2p.GetNetInfo(ctx, empty()))
	return response.GetNetInfo(), err
}
func (c connectgo) Namespace(ctx context.Context) (*pb.GetNamespaceResponse, error) {
	return unwrap(c.config.GetNamespace(ctx, empty()))
}

// grpcgo calls by google.golang.org/grpc, as the code that protoc makes would.
type grpcgo struct{ connection *grpc.ClientConn }

func invoke[M proto.Message](ctx context.Context, c grpcgo, method string, request proto.Message, response M) (M, error) {
	err := c.connection.Invoke(ctx, "/evnode.v1."+method, request, response)
	return response, err
}

func at(height uint64) *pb.GetBlockRequest {
	return &pb.GetBlockRequest{Identifier: &pb.GetBlockRequest_Height{Height: height}}
}
func by(hash []byte) *pb.GetBlockRequest {
	return &pb.GetBlockRequest{Identifier: &pb.GetBlockRequest_Hash{Hash: hash}}
}

func (c grpcgo) BlockAt(ctx context.Context, height uint64) (*pb.GetBlockResponse, error) {
	return invoke(ctx, c, "StoreService/GetBlock", at(height), &pb.GetBlockResponse{})
}
func (c grpcgo) BlockBy(ctx context.Context, hash []byte) (*pb.GetBlockResponse, error) {
	return invoke(ctx, c, "StoreService/GetBlock", by(hash), &pb.GetBlockResponse{})
}
func (c grpcgo) State(ctx context.Context) (*pb.State, error) {
	response, err := invoke(ctx, c, "StoreService/GetState", &emptypb.Empty{}, &pb.GetStateResponse{})
	return response.GetState(), err
}
func (c grpcgo) Metadata(ctx context.Context, key string) ([]byte, error) {
	response, err := invoke(ctx, c, "StoreService/GetMetadata", &pb.GetMetadataRequest{Key: key}, &pb.GetMetadataResponse{})
	return response.GetValue(), err
}
func (c grpcgo) Stores(ctx context.Context) ([]*pb.P2PStoreSnapshot, error) {
	response, err := invoke(ctx, c, "StoreService/GetP2PStoreInfo", &emptypb.Empty{}, &pb.GetP2PStoreInfoResponse{})
	return response.GetStores(), err
}
func (c grpcgo) Peers(ctx context.Context) ([]*pb.PeerInfo, error) {
	response, err := invoke(ctx, c, "P2PService/GetPeerInfo", &emptypb.Empty{}, &pb.GetPeerInfoResponse{})
	return response.GetPeers(), err
}
func (c grpcgo) Net(ctx context.Context) (*pb.NetInfo, error) {
	response, err := invoke(ctx, c, "P2PService/GetNetInfo", &emptypb.Empty{}, &pb.GetNetInfoResponse{})
	return response.GetNetInfo(), err
}
func (c grpcgo) Namespace(ctx context.Context) (*pb.GetNamespaceResponse, error) {
	return invoke(ctx, c, "ConfigService/GetNamespace", &emptypb.Empty{}, &pb.GetNamespaceResponse{})
}
