package main

import (
	"context"
	"time"

	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/signer"
	"github.com/evstack/ev-node/types"
)

// chain makes linked and signed blocks for a key-value application whose state root lists all entries.
type chain struct {
	genesis genesis.Genesis
	signer  signer.Signer
	author  types.Signer
	entries entries
	header  *types.SignedHeader
	data    *types.Data
}

// commitment of data without transactions.
var emptyData = (&types.Data{}).DACommitment()

// height of the last block; one below the initial height before the first.
func (c *chain) height() uint64 {
	if c.header == nil {
		return c.genesis.InitialHeight - 1
	}
	return c.header.Height()
}

// next makes the block on top. Its header carries the state root before its transactions.
func (c *chain) next(at time.Time, txs ...string) error {
	height := c.height() + 1
	data := &types.Data{Metadata: &types.Metadata{
		ChainID: c.genesis.ChainID, Height: height, Time: uint64(at.UnixNano()),
	}}
	for _, tx := range txs {
		data.Txs = append(data.Txs, types.Tx(tx))
	}
	header := &types.SignedHeader{
		Header: types.Header{
			BaseHeader:      types.BaseHeader{ChainID: c.genesis.ChainID, Height: height, Time: uint64(at.UnixNano())},
			Version:         types.InitStateVersion,
			DataHash:        emptyData,
			AppHash:         c.entries.root(),
			ProposerAddress: c.author.Address,
			ValidatorHash:   c.author.Address,
		},
		Signer: c.author,
	}
	if len(txs) > 0 {
		header.DataHash = data.DACommitment()
	}
	if c.header != nil {
		header.LastHeaderHash = c.header.Hash()
		data.LastDataHash = c.data.Hash()
	}
	payload, err := header.Header.MarshalBinary()
	if err != nil {
		return err
	}
	if header.Signature, err = c.signer.Sign(payload); err != nil {
		return err
	}
	for _, tx := range data.Txs {
		c.entries.write(height, tx)
	}
	c.header, c.data = header, data
	return nil
}

// broadcast hands the last block to both services, as an aggregator does.
func (c *chain) broadcast(ctx context.Context, s *services) error {
	if err := s.headers.WriteToStoreAndBroadcast(ctx, c.header); err != nil {
		return err
	}
	return s.data.WriteToStoreAndBroadcast(ctx, c.data)
}
