// Command rpc asks a node by clients of connect-go and grpc-go, in every protocol they have, and says what each was
// answered.
package main

import (
	"context"

	"interop/control"
)

func main() {
	control.Main(map[string]func(context.Context, []string) error{
		"read":    read,
		"reflect": reflect,
	})
}
