import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { blobFromJson, hasTrueCommitment } from '../src/da/blob.ts'
import {
  decodeDAHeaderEnvelope,
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeSignedData,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeSignedHeader,
} from '../src/types/codec.ts'
import { dataHash, emptyDataFor, isEmptyCommitment } from '../src/types/data.ts'
import { type Header, headerHash } from '../src/types/header.ts'
import { namespaceBytes } from '../src/types/namespace.ts'
import { initialState, nextState } from '../src/types/state.ts'
import {
  validateData,
  validateEnvelope,
  validateHeader,
  validatePair,
  validateProposer,
  validateSequence,
  validateSignedData,
} from '../src/types/validate.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../src/util/bytes.ts'
import { recordedBlocks, recordedDa, recordedGenesis } from './support/recorded-chain.ts'

describe('the recorded chain', () => {
  const genesis = recordedGenesis()
  const blocks = recordedBlocks()

  test('is whole: every block valid, signed by the proposer, and following the one below', () => {
    const decoded = blocks.map(({ header, data }) => ({
      header: decodeP2PSignedHeader(header),
      data: decodeP2PData(data),
    }))
    let state = initialState(genesis, decoded[0]?.header.header.appHash ?? EMPTY_BYTES)
    let below: Uint8Array = EMPTY_BYTES
    for (const [index, { header, data }] of decoded.entries()) {
      validateHeader(header)
      validateData(data)
      validateProposer(state, header)
      validateSequence(state, header)
      validatePair(header, data)
      expect(equalBytes(data.metadata?.lastDataHash ?? EMPTY_BYTES, below)).toBe(true)
      below = dataHash(data)
      state = nextState(state, header, {
        stateRoot: decoded[index + 1]?.header.header.appHash ?? EMPTY_BYTES,
        nextProposerAddress: EMPTY_BYTES,
      })
    }
    const final: unknown = JSON.parse(
      readFileSync(new URL('fixtures/recorded-chain/final.json', import.meta.url), 'utf8'),
    )
    expect(final).toMatchObject({
      height: state.lastBlockHeight,
      last_header_hash: toHex(state.lastHeaderHash),
    })
    expect(decoded.length).toBe(2264)
  })

  test('is encoded to the bytes that its maker sent', () => {
    for (const { header, data } of blocks) {
      expect(equalBytes(encodeP2PSignedHeader(decodeP2PSignedHeader(header)), header)).toBe(true)
      expect(equalBytes(encodeP2PData(decodeP2PData(data)), data)).toBe(true)
    }
  })

  test('has empty data that follows from its header', () => {
    const decoded = blocks.map(({ header, data }) => ({
      header: decodeP2PSignedHeader(header).header,
      data: decodeP2PData(data),
    }))
    const isEmpty = ({ header }: { header: Header }): boolean => isEmptyCommitment(header.dataHash)
    expect(decoded.map(isEmpty)).toEqual(decoded.map(({ data }) => data.txs.length === 0))
    const derived = decoded.map(({ header }, index) => {
      const below = decoded[index - 1]?.data
      return emptyDataFor(header, below === undefined ? EMPTY_BYTES : dataHash(below))
    })
    const pairs = decoded.map((block, index) => ({ ...block, derived: derived[index] })).filter(isEmpty)
    expect(pairs.length).toBeGreaterThan(2000)
    expect(pairs.length).toBeLessThan(decoded.length)
    for (const pair of pairs) {
      expect({ ...pair.derived, daHeightHint: 0 }).toEqual(pair.data)
      expect(pair.derived && toHex(dataHash(pair.derived))).toBe(toHex(dataHash(pair.data)))
    }
  })

  test('is on DA as a whole: every header in a signed envelope, every transaction in signed data', () => {
    const da = recordedDa()
    expect(toHex(namespaceBytes(da.configured.header))).toBe(da.namespaces.header)
    expect(toHex(namespaceBytes(da.configured.data))).toBe(da.namespaces.data)
    const hashes = new Set<string>()
    const txs = new Map<number, number>()
    for (const blob of da.blocks.flatMap(({ blobs }) => blobs).map(blobFromJson)) {
      expect(hasTrueCommitment(blob)).toBe(true)
      if (toHex(blob.namespace) === da.namespaces.header) {
        const envelope = decodeDAHeaderEnvelope(blob.data)
        validateEnvelope(envelope)
        hashes.add(toHex(headerHash(envelope.header.header)))
      } else {
        const signed = decodeSignedData(blob.data)
        validateSignedData(signed)
        txs.set(signed.data.metadata?.height ?? 0, signed.data.txs.length)
      }
    }
    const headers = blocks.map(({ header }) => decodeP2PSignedHeader(header))
    const onDa = headers.filter(({ header }) => hashes.has(toHex(headerHash(header))))
    expect(onDa.length).toBe(hashes.size)
    const posted = onDa.filter(({ header }) => !isEmptyCommitment(header.dataHash))
    for (const { header } of posted) expect(txs.get(header.height)).toBeGreaterThan(0)
    expect(hashes.size).toBeGreaterThan(2000)
  })

  test('is not valid with a bit changed in any header', () => {
    for (const { header } of blocks.slice(0, 40)) {
      const signed = decodeP2PSignedHeader(header)
      const changed = { ...signed.header, time: signed.header.time + 1n }
      expect(() => validateHeader({ ...signed, header: changed })).toThrow('signature')
      expect(encodeSignedHeader({ ...signed, header: changed })).not.toEqual(encodeSignedHeader(signed))
    }
  })
})
