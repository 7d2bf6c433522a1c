package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// chain is a recorded chain: headers and data by height, the first at index 0.
type chain struct {
	id      string
	initial uint64
	headers []*SignedHeader
	data    []*Data
}

// readChain reads genesis.json and chain.bin.gz of a directory: for each height a P2PSignedHeader and a P2PData,
// each behind its uvarint length.
func readChain(directory string) (*chain, error) {
	text, err := os.ReadFile(filepath.Join(directory, "genesis.json"))
	if err != nil {
		return nil, err
	}
	var genesis struct {
		ChainID       string `json:"chain_id"`
		InitialHeight uint64 `json:"initial_height"`
	}
	if err := json.Unmarshal(text, &genesis); err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(directory, "chain.bin.gz"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		return nil, err
	}
	source := bufio.NewReader(unzipped)
	read := &chain{id: genesis.ChainID, initial: genesis.InitialHeight}
	for {
		h, d := new(SignedHeader), new(Data)
		err := readRecord(source, h.UnmarshalBinary)
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err == nil {
			err = readRecord(source, d.UnmarshalBinary)
		}
		if err == nil && (h.height != read.initial+uint64(len(read.headers)) || d.height != h.height) {
			err = fmt.Errorf("heights %d and %d", h.height, d.height)
		}
		if err != nil {
			return nil, fmt.Errorf("record %d of %s: %w", len(read.headers), directory, err)
		}
		read.headers = append(read.headers, h)
		read.data = append(read.data, d)
	}
}

func readRecord(source *bufio.Reader, decode func([]byte) error) error {
	length, err := binary.ReadUvarint(source)
	if err != nil {
		return err
	}
	record := make([]byte, length)
	if _, err := io.ReadFull(source, record); err != nil {
		return fmt.Errorf("record of %d bytes is cut off", length)
	}
	return decode(record)
}
