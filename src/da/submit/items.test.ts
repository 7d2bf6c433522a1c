import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ed25519PublicKey, signEd25519 } from '#crypto'
import { anyData, anySignedHeader } from '../../../test/support/arbitraries.ts'
import { makeChain } from '../../../test/support/chain.ts'
import type { BlockStore } from '../../core/block-store.ts'
import type { Signer } from '../../core/signer.ts'
import { decodeDAHeaderEnvelope, decodeSignedData } from '../../types/codec.ts'
import { type Data, dataCommitment } from '../../types/data.ts'
import { headerHash, proposerAddressOf, type SignedHeader } from '../../types/header.ts'
import { fromHex, toHex } from '../../util/bytes.ts'
import { createDataItems, createHeaderItems, type Draft } from './items.ts'

const SEED = new Uint8Array(32).fill(5)

function signerOf(seed: Uint8Array): Signer {
  const publicKey = ed25519PublicKey(seed)
  return {
    publicKey,
    address: proposerAddressOf(publicKey),
    sign: async (message) => await Promise.resolve(signEd25519(seed, message)),
  }
}

/** A block store with one block. */
function storeOf(header: SignedHeader | undefined, data?: Data): BlockStore {
  const never = async (): Promise<never> => await Promise.reject(new Error('not asked'))
  return {
    height: never,
    header: async () => await Promise.resolve(header),
    data: async () => await Promise.resolve(data),
    block: never,
    heightOf: never,
    state: never,
    stateAt: never,
    saveState: never,
    saveBlocks: never,
    daIncludedHeight: never,
    inclusionOf: never,
    saveInclusion: never,
    metadata: never,
    saveMetadata: never,
  }
}

async function posted(draft: Draft | undefined): Promise<string> {
  if (draft === undefined) return 'nothing'
  const bytes = await draft.sign()
  expect(draft.size).toBe(bytes.length)
  return toHex(bytes)
}

/** The block of a header or of data alone, as our key would have made it. */
function own(header: SignedHeader, signer: Signer): SignedHeader {
  return { ...header, header: { ...header.header, proposerAddress: signer.address } }
}

const { blocks } = makeChain({ count: 1, seed: SEED })
const [{ header: someHeader } = { header: undefined }] = blocks
if (someHeader === undefined) throw new Error('no block')

describe('vectors', () => {
  const file: unknown = JSON.parse(
    readFileSync(new URL('../../../test/vectors/vectors.json', import.meta.url), 'utf8'),
  )
  const cases = (section: string): readonly Record<string, string>[] => Reflect.get(Object(file), section)

  test('a header is posted in the bytes the Go node posts', async () => {
    let seen = 0
    for (const vector of cases('signed_headers')) {
      const { da_envelope_binary: expected = '', private_key_seed: seed = '' } = vector
      const { header } = decodeDAHeaderEnvelope(fromHex(expected) ?? new Uint8Array(0))
      const signer = signerOf(fromHex(seed) ?? new Uint8Array(32))
      if (toHex(header.header.proposerAddress) !== toHex(signer.address)) continue
      seen++
      const items = createHeaderItems({ blockStore: storeOf(header), signer })
      expect(await posted(await items.draft(1))).toBe(expected)
    }
    expect(seen).toBeGreaterThan(10)
  })

  test('data is posted in the bytes the Go node posts', async () => {
    let seen = 0
    for (const vector of cases('signed_data')) {
      const { binary: expected = '', private_key_seed: seed = '' } = vector
      const { data } = decodeSignedData(fromHex(expected) ?? new Uint8Array(0))
      const signer = signerOf(fromHex(seed) ?? new Uint8Array(32))
      const header = ownFor(data, signer)
      const items = createDataItems({ blockStore: storeOf(header, data), signer })
      expect(await posted(await items.draft(1))).toBe(data.txs.length === 0 ? 'nothing' : expected)
      seen++
    }
    expect(seen).toBeGreaterThan(5)
  })
})

function ownFor(data: Data, signer: Signer): SignedHeader {
  if (someHeader === undefined) throw new Error('no block')
  const { header } = own(someHeader, signer)
  return { ...someHeader, header: { ...header, dataHash: dataCommitment(data) } }
}

describe('an item', () => {
  const signer = signerOf(SEED)

  test('tells its exact size before it is signed', async () => {
    await fc.assert(
      fc.asyncProperty(anySignedHeader, anyData, async (header, data) => {
        await posted(await createHeaderItems({ blockStore: storeOf(own(header, signer)), signer }).draft(1))
        const blockStore = storeOf(ownFor(data, signer), data)
        await posted(await createDataItems({ blockStore, signer }).draft(1))
      }),
    )
  })

  test('has the name under which its inclusion is known', async () => {
    const data = { txs: [Uint8Array.of(1)] }
    const header = ownFor(data, signer)
    const deps = { blockStore: storeOf(header, data), signer }
    const { height } = header.header
    const names = [await createHeaderItems(deps).name(1), await createDataItems(deps).name(1)]
    expect(names).toEqual([
      { height, kind: 'header', hash: headerHash(header.header) },
      { height, kind: 'data', hash: dataCommitment(data) },
    ])
  })

  test('is none for data without transactions and for blocks of others', async () => {
    const empty = storeOf(ownFor({ txs: [] }, signer), { txs: [] })
    expect(await createDataItems({ blockStore: empty, signer }).name(1)).toBeUndefined()
    const other = signerOf(new Uint8Array(32).fill(6))
    const deps = { blockStore: storeOf(own(someHeader, signer)), signer: other }
    expect(await createHeaderItems(deps).draft(1)).toBeUndefined()
    expect(await createDataItems(deps).draft(1)).toBeUndefined()
  })

  test('of a block that is not there is asked for again later', async () => {
    const missing = expect.objectContaining({ code: 'BLOCK_MISSING', verdict: 'retry' })
    await expect(createHeaderItems({ blockStore: storeOf(undefined), signer }).draft(1)).rejects.toThrow(
      missing,
    )
    const blockStore = storeOf(ownFor({ txs: [Uint8Array.of(1)] }, signer))
    await expect(createDataItems({ blockStore, signer }).draft(1)).rejects.toThrow(missing)
  })
})
