package main

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message: its bytes for length-delimited fields, its number for varints.
type field struct {
	tag    protowire.Number
	number uint64
	bytes  []byte
	// raw is the field as it stands in the message, tag included.
	raw []byte
}

// fieldsOf splits a message into its fields, in the order they stand.
func fieldsOf(message []byte) ([]field, error) {
	var fields []field
	for len(message) > 0 {
		tag, wire, head := protowire.ConsumeTag(message)
		if head < 0 {
			return nil, protowire.ParseError(head)
		}
		found := field{tag: tag}
		var length int
		switch wire {
		case protowire.VarintType:
			found.number, length = protowire.ConsumeVarint(message[head:])
		case protowire.BytesType:
			found.bytes, length = protowire.ConsumeBytes(message[head:])
		default:
			return nil, fmt.Errorf("field %d has wire type %d, expected varint or bytes", tag, wire)
		}
		if length < 0 {
			return nil, protowire.ParseError(length)
		}
		found.raw = message[:head+length]
		fields = append(fields, found)
		message = message[head+length:]
	}
	return fields, nil
}
