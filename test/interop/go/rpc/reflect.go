package main

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"interop/control"
)

// stream is one conversation of either version: names of services, and the files that define a symbol.
type stream struct {
	services func() ([]string, error)
	files    func(symbol string) ([][]byte, error)
	file     func(name string) ([][]byte, error)
}

// reflect learns all services from a node alone, and calls a method of which it knows nothing else.
func reflect(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("reflect", flag.ContinueOnError)
	url := flags.String("url", "", "of the node")
	version := flags.String("version", "v1", "of reflection: v1 or v1alpha")
	if err := flags.Parse(args); err != nil {
		return err
	}
	connection, err := dial(*url)
	if err != nil {
		return err
	}
	open := map[string]func(context.Context, *grpc.ClientConn) (stream, error){"v1": openV1, "v1alpha": openV1alpha}
	conversation, err := open[*version](ctx, connection)
	if err != nil {
		return err
	}
	control.Emit("ready", nil)

	services, err := conversation.services()
	if err != nil {
		return err
	}
	slices.Sort(services)
	control.Emit("answer", control.Fields{"message": "services", "found": services})
	files, err := gather(conversation, services)
	if err != nil {
		return err
	}
	var methods []string
	for _, name := range services {
		found, err := files.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			return err
		}
		service, ok := found.(protoreflect.ServiceDescriptor)
		if !ok {
			return fmt.Errorf("%s is no service", name)
		}
		for i := range service.Methods().Len() {
			methods = append(methods, string(service.Methods().Get(i).FullName()))
		}
	}
	control.Emit("answer", control.Fields{"message": "methods", "found": methods})
	text, err := call(ctx, connection, files)
	if err != nil {
		return err
	}
	control.Emit("answer", control.Fields{"message": "called", "found": []string{text}})
	_, err = conversation.files("evnode.v1.NoSuchThing")
	control.Emit("answer", control.Fields{"message": "unknown", "found": []string{fmt.Sprint(err)}})
	control.Emit("done", nil)
	<-ctx.Done()
	return nil
}

// gather asks for the files of services and for all that those import.
func gather(conversation stream, services []string) (*protoregistry.Files, error) {
	known := map[string]*descriptorpb.FileDescriptorProto{}
	var add func(files [][]byte) error
	add = func(files [][]byte) error {
		for _, bytes := range files {
			file := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(bytes, file); err != nil {
				return err
			}
			known[file.GetName()] = file
		}
		for _, file := range known {
			for _, name := range file.GetDependency() {
				if known[name] != nil {
					continue
				}
				more, err := conversation.file(name)
				if err != nil {
					return err
				}
				if err := add(more); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, name := range services {
		files, err := conversation.files(name)
		if err != nil {
			return nil, err
		}
		if err := add(files); err != nil {
			return nil, err
		}
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range known {
		set.File = append(set.File, file)
	}
	return protodesc.NewFiles(set)
}

// call asks for the namespaces, by what reflection said of the method.
func call(ctx context.Context, connection *grpc.ClientConn, files *protoregistry.Files) (string, error) {
	found, err := files.FindDescriptorByName("evnode.v1.ConfigService.GetSignerInfo")
	if err != nil {
		return "", err
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return "", fmt.Errorf("%s is no method", found.FullName())
	}
	request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := connection.Invoke(ctx, "/evnode.v1.ConfigService/GetSignerInfo", request, response); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", response.Get(method.Output().Fields().ByName("address")).Bytes()), nil
}

func openV1(ctx context.Context, connection *grpc.ClientConn) (stream, error) {
	conversation, err := v1.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	ask := func(request *v1.ServerReflectionRequest) (*v1.ServerReflectionResponse, error) {
		if err := conversation.Send(request); err != nil {
			return nil, err
		}
		response, err := conversation.Recv()
		if failure := response.GetErrorResponse(); failure != nil {
			return nil, fmt.Errorf("code %d", failure.GetErrorCode())
		}
		return response, err
	}
	return stream{
		services: func() ([]string, error) {
			response, err := ask(&v1.ServerReflectionRequest{
				MessageRequest: &v1.ServerReflectionRequest_ListServices{ListServices: "*"}})
			var names []string
			for _, service := range response.GetListServicesResponse().GetService() {
				names = append(names, service.GetName())
			}
			return names, err
		},
		files: func(symbol string) ([][]byte, error) {
			response, err := ask(&v1.ServerReflectionRequest{
				MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
			return response.GetFileDescriptorResponse().GetFileDescriptorProto(), err
		},
		file: func(name string) ([][]byte, error) {
			response, err := ask(&v1.ServerReflectionRequest{
				MessageRequest: &v1.ServerReflectionRequest_FileByFilename{FileByFilename: name}})
			return response.GetFileDescriptorResponse().GetFileDescriptorProto(), err
		},
	}, err
}

func openV1alpha(ctx context.Context, connection *grpc.ClientConn) (stream, error) {
	//nolint:staticcheck // Older tools speak it still.
	conversation, err := v1alpha.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	ask := func(request *v1alpha.ServerReflectionRequest) (*v1alpha.ServerReflectionResponse, error) {
		if err := conversation.Send(request); err != nil {
			return nil, err
		}
		response, err := conversation.Recv()
		if failure := response.GetErrorResponse(); failure != nil {
			return nil, fmt.Errorf("code %d", failure.GetErrorCode())
		}
		return response, err
	}
	return stream{
		services: func() ([]string, error) {
			response, err := ask(&v1alpha.ServerReflectionRequest{
				MessageRequest: &v1alpha.ServerReflectionRequest_ListServices{ListServices: "*"}})
			var names []string
			for _, service := range response.GetListServicesResponse().GetService() {
				names = append(names, service.GetName())
			}
			return names, err
		},
		files: func(symbol string) ([][]byte, error) {
			response, err := ask(&v1alpha.ServerReflectionRequest{
				MessageRequest: &v1alpha.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
			return response.GetFileDescriptorResponse().GetFileDescriptorProto(), err
		},
		file: func(name string) ([][]byte, error) {
			response, err := ask(&v1alpha.ServerReflectionRequest{
				MessageRequest: &v1alpha.ServerReflectionRequest_FileByFilename{FileByFilename: name}})
			return response.GetFileDescriptorResponse().GetFileDescriptorProto(), err
		},
	}, err
}
