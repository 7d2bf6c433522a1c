import { describe, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { noopLogger } from '../core/logger.ts'
import { createProposers } from '../core/proposers.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { KEYS } from '../store/keys.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import type { Data } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { isEvolveError } from '../util/errors.ts'
import { admitData, admitHeaders } from './admission.ts'
import { headerKind } from './kinds.ts'

const signal = new AbortController().signal
const options = { signal }
const txsAt = (height: number): Uint8Array[] =>
  height % 2 === 0 ? [new TextEncoder().encode(`k${height}=v`)] : []
const { genesis, blocks } = makeChain({ count: 8, txsAt })
const stranger = makeChain({ count: 8, txsAt, seed: new Uint8Array(32).fill(99), chainId: genesis.chainId })
const headers = blocks.map(({ header }) => header)
const data = blocks.map((block) => block.data)

async function failure(
  promise: Promise<void>,
): Promise<{ code: string; verdict: unknown; admitted: unknown }> {
  try {
    await promise
  } catch (error) {
    if (isEvolveError(error))
      return { code: error.code, verdict: error.verdict, admitted: error.data['admitted'] }
    throw error
  }
  return { code: 'none', verdict: undefined, admitted: undefined }
}

describe('headers', () => {
  const proposers = () => createProposers(genesis.initialHeight, genesis.proposerAddress)

  test('of the proven proposer are admitted', async () => {
    await admitHeaders(proposers(), genesis.chainId)(headers, undefined, options)
  })

  test('of a stranger are wrong where execution has named the proposer', async () => {
    const named = proposers()
    named.name(4, genesis.proposerAddress)
    const mixed: P2PSignedHeader[] = [
      ...headers.slice(0, 3),
      ...stranger.blocks.slice(3).map(({ header }) => header),
    ]
    expect(await failure(admitHeaders(named, genesis.chainId)(mixed, undefined, options))).toEqual({
      code: 'UNEXPECTED_PROPOSER',
      verdict: 'reject',
      admitted: 3,
    })
  })

  test('of a stranger cannot be judged where execution has not been yet', async () => {
    const mixed = [...headers.slice(0, 5), ...stranger.blocks.slice(5).map(({ header }) => header)]
    expect(await failure(admitHeaders(proposers(), genesis.chainId)(mixed, undefined, options))).toEqual({
      code: 'UNPROVEN_PROPOSER',
      verdict: 'ignore',
      admitted: 5,
    })
  })

  test('of the old proposer are wrong after another was named', async () => {
    const rotated = proposers()
    rotated.name(3, stranger.genesis.proposerAddress)
    expect(await failure(admitHeaders(rotated, genesis.chainId)(headers, undefined, options))).toMatchObject({
      code: 'UNEXPECTED_PROPOSER',
      admitted: 2,
    })
  })

  test('of another chain are wrong, letter case included', async () => {
    expect(
      await failure(admitHeaders(proposers(), genesis.chainId.toUpperCase())(headers, undefined, options)),
    ).toMatchObject({
      code: 'WRONG_CHAIN_ID',
      verdict: 'reject',
    })
  })
})

describe('data', () => {
  async function admission(known: readonly P2PSignedHeader[]) {
    const kv = createMemoryKv()
    await kv.start()
    const store = createHeaderStore(
      { kv, kind: headerKind, logger: noopLogger },
      { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
    )
    await store.start()
    await store.append(known)
    return admitData(store, { chainId: genesis.chainId, initialHeight: genesis.initialHeight })
  }

  test('is admitted when its header vouches for it', async () => {
    const admit = await admission(headers)
    await admit(data, undefined, options)
    await admit(data.slice(4), data[3], options)
  })

  test('without its header cannot be judged yet', async () => {
    const admit = await admission(headers.slice(0, 3))
    expect(await failure(admit(data, undefined, options))).toEqual({
      code: 'HEADER_UNKNOWN',
      verdict: 'ignore',
      admitted: 3,
    })
  })

  test.each([
    ['a changed transaction', (item: Data) => ({ ...item, txs: [new Uint8Array([1])] })],
    ['a transaction too many', (item: Data) => ({ ...item, txs: [...item.txs, new Uint8Array([1])] })],
    ['another time', (item: Data) => withMetadata(item, { time: 1n })],
    ['another chain', (item: Data) => withMetadata(item, { chainId: 'other' })],
    ['another link', (item: Data) => withMetadata(item, { lastDataHash: new Uint8Array(32) })],
    ['no link', (item: Data) => withMetadata(item, { lastDataHash: new Uint8Array(0) })],
    ['another height', (item: Data) => withMetadata(item, { height: 7 })],
  ])('with %s is wrong', async (_, change) => {
    const admit = await admission(headers)
    const changed = data.map((item, index) => (index === 5 ? change(item) : item))
    expect(await failure(admit(changed, undefined, options))).toMatchObject({
      verdict: 'reject',
      admitted: 5,
    })
  })

  test('at the first height must not link to anything', async () => {
    const admit = await admission(headers)
    const [first] = data
    if (first === undefined) throw new Error('the chain is empty')
    const changed = withMetadata(first, { lastDataHash: new Uint8Array(32).fill(7) })
    expect(await failure(admit([changed], undefined, options))).toMatchObject({
      code: 'LAST_DATA_HASH_MISMATCH',
    })
  })
})

function withMetadata(item: Data, change: Partial<NonNullable<Data['metadata']>>): Data {
  if (item.metadata === undefined) throw new Error('the chain has data without metadata')
  return { ...item, metadata: { ...item.metadata, ...change } }
}
