package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/celestiaorg/go-header"
	"github.com/libp2p/go-libp2p/core/crypto"
)

// clockDrift is how far ahead of our clock an item may be.
const clockDrift = time.Minute

// checkSignatures is false where the exchange is measured alone. Set before the node starts.
var checkSignatures = true

// SignedHeader is a P2PSignedHeader as it travels: what go-header must know of it, and its bytes.
type SignedHeader struct {
	raw       []byte
	header    []byte
	signature []byte
	publicKey []byte
	signer    []byte

	chainID    string
	height     uint64
	time       uint64
	lastHeader header.Hash
	proposer   []byte
}

var _ header.Header[*SignedHeader] = (*SignedHeader)(nil)

// New makes an empty one to be unmarshalled into.
func (h *SignedHeader) New() *SignedHeader { return new(SignedHeader) }

// IsZero tells whether there is none.
func (h *SignedHeader) IsZero() bool { return h == nil }

// ChainID names the chain.
func (h *SignedHeader) ChainID() string { return h.chainID }

// Height counts from 1.
func (h *SignedHeader) Height() uint64 { return h.height }

// LastHeader is the hash of the header below.
func (h *SignedHeader) LastHeader() header.Hash { return h.lastHeader }

// Time is when the block was made.
func (h *SignedHeader) Time() time.Time { return time.Unix(0, int64(h.time)) }

// Hash is over the bytes of the header, without signature and signer.
func (h *SignedHeader) Hash() header.Hash {
	sum := sha256.Sum256(h.header)
	return sum[:]
}

// Verify checks that an adjacent header links to this one.
func (h *SignedHeader) Verify(untrusted *SignedHeader) error {
	if h.height+1 == untrusted.height && !bytes.Equal(h.Hash(), untrusted.lastHeader) {
		return fmt.Errorf("header %d links to %X, expected %X", untrusted.height, untrusted.lastHeader, h.Hash())
	}
	return nil
}

// Validate checks what a header says of itself: a sane time, and the signature of its proposer. The exchange client
// calls it once for every item it decodes.
func (h *SignedHeader) Validate() error {
	if err := sane(h.chainID, h.height, h.time); err != nil || !checkSignatures {
		return err
	}
	key, err := crypto.UnmarshalPublicKey(h.publicKey)
	if err != nil {
		return fmt.Errorf("public key of header %d: %w", h.height, err)
	}
	raw, err := key.Raw()
	if err != nil {
		return err
	}
	address := sha256.Sum256(raw)
	if !bytes.Equal(address[:], h.proposer) || !bytes.Equal(address[:], h.signer) {
		return fmt.Errorf("header %d of proposer %X is signed by %X", h.height, h.proposer, address)
	}
	if ok, err := key.Verify(h.header, h.signature); err != nil || !ok {
		return fmt.Errorf("signature of header %d is wrong", h.height)
	}
	return nil
}

// MarshalBinary returns the bytes it was read from.
func (h *SignedHeader) MarshalBinary() ([]byte, error) { return h.raw, nil }

// UnmarshalBinary reads a P2PSignedHeader.
func (h *SignedHeader) UnmarshalBinary(raw []byte) error {
	*h = SignedHeader{raw: bytes.Clone(raw)}
	fields, err := fieldsOf(h.raw)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.tag {
		case 1:
			h.header = f.bytes
		case 2:
			h.signature = f.bytes
		case 3:
			parts, err := fieldsOf(f.bytes)
			if err != nil {
				return err
			}
			for _, part := range parts {
				switch part.tag {
				case 1:
					h.signer = part.bytes
				case 2:
					h.publicKey = part.bytes
				}
			}
		}
	}
	parts, err := fieldsOf(h.header)
	if err != nil {
		return err
	}
	for _, part := range parts {
		switch part.tag {
		case 2:
			h.height = part.number
		case 3:
			h.time = part.number
		case 4:
			h.lastHeader = part.bytes
		case 10:
			h.proposer = part.bytes
		case 12:
			h.chainID = string(part.bytes)
		}
	}
	return nil
}

// Data is a P2PData as it travels.
type Data struct {
	raw  []byte
	hash header.Hash
	txs  int

	chainID  string
	height   uint64
	time     uint64
	lastData header.Hash
}

var _ header.Header[*Data] = (*Data)(nil)

// New makes an empty one to be unmarshalled into.
func (d *Data) New() *Data { return new(Data) }

// IsZero tells whether there is none.
func (d *Data) IsZero() bool { return d == nil }

// ChainID names the chain.
func (d *Data) ChainID() string { return d.chainID }

// Height counts from 1.
func (d *Data) Height() uint64 { return d.height }

// LastHeader is the hash of the data below.
func (d *Data) LastHeader() header.Hash { return d.lastData }

// Time is when the block was made.
func (d *Data) Time() time.Time { return time.Unix(0, int64(d.time)) }

// Hash is over a zero byte and the bytes of metadata and transactions.
func (d *Data) Hash() header.Hash { return d.hash }

// Verify checks that adjacent data links to this one.
func (d *Data) Verify(untrusted *Data) error {
	if d.height+1 == untrusted.height && !bytes.Equal(d.hash, untrusted.lastData) {
		return fmt.Errorf("data %d links to %X, expected %X", untrusted.height, untrusted.lastData, d.hash)
	}
	return nil
}

// Validate checks what data says of itself.
func (d *Data) Validate() error { return sane(d.chainID, d.height, d.time) }

// MarshalBinary returns the bytes it was read from.
func (d *Data) MarshalBinary() ([]byte, error) { return d.raw, nil }

// UnmarshalBinary reads a P2PData.
func (d *Data) UnmarshalBinary(raw []byte) error {
	*d = Data{raw: bytes.Clone(raw)}
	fields, err := fieldsOf(d.raw)
	if err != nil {
		return err
	}
	hash := sha256.New()
	hash.Write([]byte{0})
	for _, f := range fields {
		switch f.tag {
		case 1:
			hash.Write(f.raw)
			if err := d.readMetadata(f.bytes); err != nil {
				return err
			}
		case 2:
			hash.Write(f.raw)
			d.txs++
		}
	}
	d.hash = hash.Sum(nil)
	return nil
}

func (d *Data) readMetadata(metadata []byte) error {
	parts, err := fieldsOf(metadata)
	if err != nil {
		return err
	}
	for _, part := range parts {
		switch part.tag {
		case 1:
			d.chainID = string(part.bytes)
		case 2:
			d.height = part.number
		case 3:
			d.time = part.number
		case 4:
			d.lastData = part.bytes
		}
	}
	return nil
}

func sane(chainID string, height, at uint64) error {
	switch {
	case chainID == "":
		return errors.New("chain id is empty")
	case height == 0:
		return errors.New("height is zero")
	case at == 0:
		return errors.New("time is zero")
	case time.Unix(0, int64(at)).After(time.Now().Add(clockDrift)):
		return fmt.Errorf("height %d is from the future", height)
	}
	return nil
}
