import { sha256, signEd25519 } from '#crypto'
import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { createHeaderStore } from '../../header/store/kv-store.ts'
import { headerKind } from '../../sync/kinds.ts'
import { KEYS } from '../../store/keys.ts'
import { noopLogger } from '../../core/logger.ts'
import { createProposers } from '../../core/proposers.ts'
import {
  type DAHeaderEnvelope,
  encodeData,
  encodeDAHeaderEnvelope,
  encodeSignedData,
  encodeSignedHeader,
} from '../../types/codec.ts'
import { type Data, dataCommitment } from '../../types/data.ts'
import { type Header, signHeader, signerOfSeed } from '../../types/header.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import type { FoundData, FoundHeader } from './found.ts'
import { createJudge } from './judge.ts'

const { genesis, seed, blocks } = makeChain({ count: 10, initialHeight: 3 })
const other = sha256(utf8('somebody else'))
const LOOSE = { strict: false, proven: false }

function block(height: number): { readonly header: Header; readonly data: Data } {
  const one = blocks[height - 3]
  if (one === undefined) throw new Error(`no block ${height}`)
  return { header: one.header.header, data: one.data }
}

/** A header by whoever has the seed, with its envelope unless told otherwise. */
function found(header: Header, by = seed, options: { readonly bare?: boolean } = {}): FoundHeader {
  const signed = signHeader({ ...header, proposerAddress: signerOfSeed(by).address }, by)
  const envelopeSignature = options.bare === true ? EMPTY_BYTES : signEd25519(by, encodeSignedHeader(signed))
  return asFound({ header: signed, envelopeSignature })
}

function asFound(envelope: DAHeaderEnvelope): FoundHeader {
  return { ...envelope, bytes: encodeDAHeaderEnvelope(envelope) }
}

function foundData(data: Data, by = seed, signature = signEd25519(by, encodeData(data))): FoundData {
  const signer = signerOfSeed(by)
  const { chainId = '', height = 0 } = data.metadata ?? {}
  const bytes = encodeSignedData({ data, signature, signer })
  return { chainId, height, commitment: dataCommitment(data), signer, bytes }
}

/** A judge whose header store holds heights 3 to 6. */
async function setUp() {
  const kv = createMemoryKv()
  await kv.start()
  const headers = createHeaderStore(
    { kv, kind: headerKind, logger: noopLogger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
  )
  await headers.start()
  await headers.append(blocks.slice(0, 4).map(({ header }) => header))
  const proposers = createProposers(3, genesis.proposerAddress)
  proposers.name(7, genesis.proposerAddress)
  return { judge: createJudge({ genesis, proposers, headers }), proposers }
}

describe('a header', () => {
  test('of the expected proposer is trusted, in the old form too, unless it is strict', async () => {
    const { judge } = await setUp()
    expect(await judge.header(found(block(9).header), LOOSE)).toBe('trusted')
    const bare = found(block(9).header, seed, { bare: true })
    expect(await judge.header(bare, LOOSE)).toBe('trusted')
    expect(await judge.header(bare, { strict: true, proven: false })).toBe('junk')
    expect(await judge.header(found(block(9).header), { strict: true, proven: false })).toBe('trusted')
  })

  test('of another chain, below the first height, without a time, or wrongly signed is junk', async () => {
    const { judge } = await setUp()
    const { header } = block(9)
    const good = found(header)
    const wrong = signEd25519(other, utf8('x'))
    for (const bad of [
      found({ ...header, chainId: 'other' }),
      found({ ...header, height: 2 }),
      found({ ...header, time: 0n }),
      { ...good, envelopeSignature: wrong },
      { ...good, header: { ...good.header, signature: wrong }, envelopeSignature: EMPTY_BYTES },
      { ...good, header: { ...good.header, signer: signerOfSeed(other) } },
    ]) {
      expect(await judge.header(asFound(bad), LOOSE)).toBe('junk')
    }
  })

  test("is a stranger's above what is proven, and junk below", async () => {
    const { judge, proposers } = await setUp()
    expect(await judge.header(found(block(8).header, other), LOOSE)).toBe('stranger')
    expect(await judge.header(found(block(7).header, other), LOOSE)).toBe('junk')
    expect(await judge.header(found(block(5).header, other), LOOSE)).toBe('junk')
    proposers.name(8, signerOfSeed(other).address)
    expect(await judge.header(found(block(8).header, other), LOOSE)).toBe('trusted')
    expect(await judge.header(found(block(8).header), LOOSE)).toBe('junk')
  })

  test('that is stored is known as such, and a second one by its proposer is a conflict', async () => {
    const { judge } = await setUp()
    const { header } = block(5)
    expect(await judge.header(found(header), LOOSE)).toBe('stored')
    expect(await judge.header(found(header, seed, { bare: true }), LOOSE)).toBe('stored')
    expect(await judge.header(asFound({ ...found(header), envelopeSignature: utf8('bad') }), LOOSE)).toBe(
      'junk',
    )
    const second = found({ ...header, appHash: utf8('second') })
    expect(await judge.header(second, LOOSE)).toBe('conflict')
    expect(
      await judge.header(asFound({ ...second, header: { ...second.header, signature: utf8('bad') } }), LOOSE),
    ).toBe('junk')
  })
})

describe('data', () => {
  const forged: Data = { ...block(4).data, txs: [utf8('forged')] }

  test('is trusted when a stored header commits to it and its proposer signed it', async () => {
    const { judge } = await setUp()
    expect(await judge.data(foundData(block(4).data))).toBe('trusted')
  })

  test('is vouched for by a stored header that commits to it, whoever posted it', async () => {
    const { judge } = await setUp()
    expect(await judge.data(foundData(block(4).data, other))).toBe('vouched')
    expect(await judge.data(foundData(block(4).data, other, utf8('no signature')))).toBe('vouched')
    expect(await judge.data(foundData(block(4).data, seed, utf8('no signature')))).toBe('vouched')
    expect(await judge.data(foundData(forged))).toBe('junk')
  })

  test('without its header is trusted when the expected proposer signed it', async () => {
    const { judge } = await setUp()
    expect(await judge.data(foundData(block(8).data))).toBe('trusted')
    expect(await judge.data(foundData(block(8).data, other))).toBe('stranger')
    expect(await judge.data(foundData(block(8).data, seed, signEd25519(other, utf8('x'))))).toBe('stranger')
  })

  test('of another chain or below the first height is junk', async () => {
    const { judge } = await setUp()
    expect(await judge.data({ ...foundData(block(8).data), chainId: 'other' })).toBe('junk')
    expect(await judge.data({ ...foundData(block(8).data), height: 2 })).toBe('junk')
  })
})
