import { sha256, signEd25519 } from '#crypto'
import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import {
  caughtUp,
  type DaRig,
  envelopeBytes,
  RIG_DATA,
  RIG_HEADERS,
  signedDataBytes,
  useDaRigs,
} from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createProposers } from '../../core/proposers.ts'
import { encodeDAHeaderEnvelope, encodeSignedHeader } from '../../types/codec.ts'
import type { Data } from '../../types/data.ts'
import { type SignedHeader, signHeader } from '../../types/header.ts'
import { proposerAddressOf, rawPublicKey, signerOfSeed } from '../../types/signer.ts'
import { concatBytes, EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { decodeCursor } from './cursor.ts'
import { CURSOR_KEY } from '../records.ts'

const rigFor = useDaRigs()

const chain = makeChain({ count: 60 })
const { genesis, seed } = chain
const { block, postHeaders, postData, expectIn, inclusion } = createDaChain(chain)
const strangers = Array.from({ length: 8 }, (_, index) => sha256(utf8(`stranger ${index}`)))
const strangerSeed = (index: number): Uint8Array => strangers[index % strangers.length] ?? seed

/** A header of a height by a stranger, right in itself. */
function strangersHeader(height: number, index: number): SignedHeader {
  const by = strangerSeed(index)
  const near = block(1 + (height % 60)).header.header
  return signHeader(
    {
      ...near,
      height,
      proposerAddress: signerOfSeed(by).address,
      appHash: sha256(utf8(`forged ${index}`)),
    },
    by,
  )
}

function strangersData(height: number, index: number): Uint8Array {
  const data: Data = {
    metadata: { chainId: genesis.chainId, height, time: 1n, lastDataHash: EMPTY_BYTES },
    txs: [utf8(`forged ${index}`)],
  }
  return signedDataBytes(data, strangerSeed(index))
}

/** A header that names the proposer, with a signature by a stranger. */
function forgedHeader(height: number, index: number): SignedHeader {
  const { header, signer } = block(1 + (height % 60)).header
  const forged = { ...header, height, appHash: sha256(utf8(`forged ${index}`)) }
  return { header: forged, signer, signature: signHeader(forged, strangerSeed(index)).signature }
}

describe('what strangers post', () => {
  test('10,000 forged blobs change nothing, and only so much of them is kept', async () => {
    const rig = await rigFor({ genesis, source: { maxBytes: 64 * 1024, together: 1 } })
    let most = 0
    rig.source.onConsumed(() => {
      most = Math.max(most, rig.source.status().bytes)
    })
    let made = 0
    for (const height of heightsTo(60)) {
      const at = 2 * height
      for (let index = 0; index < 42; index++) {
        const future = [height, height + 1, height + 7, 1_500 + made, 2 ** 40 + made][made % 5] ?? height
        made += 4
        rig.da.put(at, RIG_HEADERS, envelopeBytes(strangersHeader(future, made), strangerSeed(made)))
        rig.da.put(at, RIG_HEADERS, encodeSignedHeader(forgedHeader(future, made)))
        rig.da.put(at, RIG_DATA, strangersData(future, made), strangersData(future, made + 1))
      }
      postData(rig.da, at, height)
      postHeaders(rig.da, at + 1, height)
    }
    expect(made).toBeGreaterThan(10_000)
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 60)
    expect(most).toBeLessThanOrEqual(64 * 1024)
    expect(most).toBeGreaterThan(60 * 1024)
    expect(await inclusion(rig, 59)).toEqual([119, 118])
    expect(rig.conflicts).toEqual([])
  })

  test('garbage of any shape is passed over', async () => {
    const rig = await rigFor({ genesis, maxBlobBytes: 10_000 })
    rig.da.put(
      1,
      RIG_HEADERS,
      EMPTY_BYTES,
      utf8('garbage'),
      new Uint8Array(300),
      new Uint8Array(20_000).fill(8),
      envelopeBytes({ ...block(1).header, signer: { address: EMPTY_BYTES, publicKey: EMPTY_BYTES } }, seed),
      envelopeBytes(signHeader({ ...block(1).header.header, chainId: 'another' }, seed), seed),
      signedDataBytes({ txs: [utf8('no metadata')] }, seed),
    )
    postHeaders(rig.da, 2, ...heightsTo(5))
    postData(rig.da, 2, ...heightsTo(5))
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 5)
  })

  test('forged data that comes before the honest does not take its place', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) {
      rig.da.put(height, RIG_DATA, ...[1, 2, 3, 4, 5, 6].map((index) => strangersData(height, index)))
    }
    postData(rig.da, 100, ...heightsTo(20))
    postHeaders(rig.da, 200, ...heightsTo(20))
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 20)
    expect(rig.source.status().waiting).toBe(0)
  })

  test('forged data for headers that are there does not take the place of the honest', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(20))
    for (const height of heightsTo(20)) {
      rig.da.put(height + 1, RIG_DATA, ...[1, 2, 3, 4, 5, 6].map((index) => strangersData(height, index)))
    }
    postData(rig.da, 100, ...heightsTo(20))
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 20)
  })

  test('copies of honest blobs change nothing', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) {
      for (const at of [height, height + 5, height + 30]) {
        postHeaders(rig.da, at, height, Math.max(1, height - 3))
        postData(rig.da, at, height, Math.max(1, height - 3))
      }
    }
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 20)
    expect(await inclusion(rig, 10)).toEqual([10, 10])
    expect(rig.conflicts).toEqual([])
  })

  test('a copy with a bad signature does not stand for the honest header', async () => {
    const rig = await rigFor({ genesis })
    const { header, signer } = block(1).header
    const bad = { header, signer, signature: signEd25519(strangerSeed(1), utf8('x')) }
    rig.da.put(1, RIG_HEADERS, encodeSignedHeader(bad))
    rig.da.grow(2)
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(0)
    expect(await inclusion(rig, 1)).toEqual([undefined, undefined])
    postHeaders(rig.da, 3, 1)
    postData(rig.da, 4, 1)
    await rig.reached(1)
    // Not for a header that is stored either.
    rig.da.put(5, RIG_HEADERS, encodeSignedHeader(bad))
    await caughtUp(rig)
    expect(await inclusion(rig, 1)).toEqual([3, 4])
  })

  test('padding of an honest header costs us nothing', async () => {
    const rig = await rigFor({ genesis, source: { maxBytes: 64 * 1024 } })
    // Field 100, of 60,000 bytes, which no decoder knows.
    const padding = concatBytes(Uint8Array.of(0xa2, 0x06, 0xe0, 0xd4, 0x03), new Uint8Array(60_000))
    for (const height of heightsTo(20, 2)) {
      const bytes = concatBytes(envelopeBytes(block(height).header, seed), padding)
      rig.da.putBlob(1, {
        namespace: RIG_HEADERS,
        data: bytes,
        shareVersion: 0,
        commitment: EMPTY_BYTES,
        index: -1,
      })
    }
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.source.status().waiting).toBe(19)
    postHeaders(rig.da, 2, 1)
    postData(rig.da, 2, ...heightsTo(20))
    await rig.reached(20)
    await expectIn(rig, 20)
  })
})

describe('envelopes', () => {
  const bare = (height: number): Uint8Array => encodeSignedHeader(block(height).header)
  const cursorOf = async (rig: DaRig) => decodeCursor((await rig.part.get(CURSOR_KEY)) ?? EMPTY_BYTES)

  test('headers without one count until the proposer has used one, also after a restart', async () => {
    const rig = await rigFor({ genesis })
    rig.da.put(1, RIG_HEADERS, bare(1), bare(2))
    postHeaders(rig.da, 2, 3)
    postData(rig.da, 2, ...heightsTo(10))
    rig.da.put(3, RIG_HEADERS, bare(4))
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 3)
    await rig.stop()
    const again = await rigFor({ genesis, da: rig.da, kv: rig.kv })
    again.da.put(4, RIG_HEADERS, bare(4))
    await again.source.start()
    await caughtUp(again)
    await expectIn(again, 3)
    expect((await cursorOf(again))?.strictFrom).toBe(2)
    postHeaders(again.da, 5, 4, 5)
    await again.reached(5)
    await expectIn(again, 5)
  })

  test('of strangers do not make it strict', async () => {
    const rig = await rigFor({ genesis })
    rig.da.put(1, RIG_HEADERS, envelopeBytes(strangersHeader(1, 1), strangerSeed(1)))
    rig.da.put(2, RIG_HEADERS, bare(1), bare(2))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(2)
    expect((await cursorOf(rig))?.strictFrom).toBeUndefined()
  })

  test('with a wrong signature spoil their header', async () => {
    const rig = await rigFor({ genesis })
    const envelopeSignature = signEd25519(strangerSeed(0), encodeSignedHeader(block(1).header))
    rig.da.put(1, RIG_HEADERS, encodeDAHeaderEnvelope({ header: block(1).header, envelopeSignature }))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(0)
  })
})

describe('the proposer', () => {
  test('that signs a second header for a stored height is told of', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(3))
    postData(rig.da, 1, ...heightsTo(3))
    const second = signHeader({ ...block(2).header.header, appHash: utf8('other') }, seed)
    rig.da.put(5, RIG_HEADERS, envelopeBytes(second, seed))
    await rig.source.start()
    await caughtUp(rig)
    await expectIn(rig, 3)
    expect(rig.conflicts).toEqual([{ height: 2, daHeight: 5 }])
  })

  test('that is named later has its headers taken then', async () => {
    const next = strangerSeed(3)
    const proposers = createProposers(1, genesis.proposerAddress)
    const rig = await rigFor({ genesis, proposers })
    postHeaders(rig.da, 1, ...heightsTo(5))
    postData(rig.da, 1, ...heightsTo(5))
    const sixth = signHeader({ ...block(6).header.header, proposerAddress: signerOfSeed(next).address }, next)
    rig.da.put(2, RIG_HEADERS, envelopeBytes(sixth, next))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(5)
    proposers.name(6, proposerAddressOf(rawPublicKey(sixth.signer)))
    await rig.headers.store().waitFor(6, { signal: AbortSignal.timeout(10_000) })
  })

  test('that is named later is not kept out by a copy of its header with a bad signature', async () => {
    const by = strangerSeed(3)
    const proposers = createProposers(1, genesis.proposerAddress)
    const rig = await rigFor({ genesis, proposers })
    postHeaders(rig.da, 1, ...heightsTo(5))
    const sixth = signHeader({ ...block(6).header.header, proposerAddress: signerOfSeed(by).address }, by)
    const bad = { ...sixth, signature: signEd25519(strangerSeed(1), utf8('x')) }
    rig.da.put(2, RIG_HEADERS, encodeSignedHeader(bad))
    rig.da.put(3, RIG_HEADERS, envelopeBytes(sixth, by))
    rig.da.put(4, RIG_HEADERS, encodeSignedHeader(bad))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.source.status().waiting).toBe(1)
    proposers.name(6, signerOfSeed(by).address)
    await rig.headers.store().waitFor(6, { signal: AbortSignal.timeout(10_000) })
  })

  test('is heard although a stranger posted its data first, and keeps the place', async () => {
    const rig = await rigFor({ genesis, source: { perHeight: 1 } })
    rig.da.put(1, RIG_DATA, signedDataBytes(block(1).data, strangerSeed(0)))
    postData(rig.da, 2, 1)
    const other = { ...block(1).data, txs: [utf8('made by the proposer, and not in the block')] }
    rig.da.put(3, RIG_DATA, signedDataBytes(other, seed))
    rig.da.grow(4)
    await rig.source.start()
    await caughtUp(rig)
    postHeaders(rig.da, 5, 1)
    await rig.reached(1)
    // Read once: nothing honest was let go of.
    expect(rig.da.calls.get('header:1')).toBe(1)
  })

  test('that is named later has what was let go of read again, also after a restart', async () => {
    const next = strangerSeed(3)
    const address = signerOfSeed(next).address
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(5))
    // Four others have taken the places of height 6.
    rig.da.put(
      2,
      RIG_HEADERS,
      ...[0, 1, 2, 4].map((index) => envelopeBytes(strangersHeader(6, index), strangerSeed(index))),
    )
    const sixth = signHeader({ ...block(6).header.header, proposerAddress: address }, next)
    rig.da.put(3, RIG_HEADERS, envelopeBytes(sixth, next))
    rig.da.grow(50)
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(5)
    await rig.stop()
    const proposers = createProposers(6, address)
    const again = await rigFor({ genesis, da: rig.da, kv: rig.kv, proposers })
    await again.source.start()
    await again.headers.store().waitFor(6, { signal: AbortSignal.timeout(10_000) })
  })

  test('that was replaced has its headers read again where the stores have dropped them', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(10))
    postData(rig.da, 1, ...heightsTo(10))
    rig.da.grow(30)
    await rig.source.start()
    await caughtUp(rig)
    await rig.headers.store().truncate(4)
    await rig.data.store().truncate(4)
    await rig.reached(10)
    await expectIn(rig, 10)
  })
})

describe('places', () => {
  test('that were not enough for honest headers are made up for once the stores have moved', async () => {
    const rig = await rigFor({ genesis, source: { window: 10 } })
    postHeaders(rig.da, 1, ...heightsTo(60, 2))
    postData(rig.da, 2, ...heightsTo(60))
    rig.da.grow(100)
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(0)
    expect(rig.source.status().waiting).toBeLessThan(25)
    postHeaders(rig.da, 101, 1)
    await rig.reached(60)
    await caughtUp(rig)
    await expectIn(rig, 60)
    expect(rig.source.status().waiting).toBe(0)
  })

  test('that were not enough for honest bytes are made up for once the stores have moved', async () => {
    const recorder = createRecorder()
    const rig = await rigFor({ genesis, source: { maxBytes: 20_000 }, metrics: recorder.metrics })
    let most = 0
    rig.source.onConsumed(() => {
      most = Math.max(most, rig.source.status().bytes)
    })
    for (const height of heightsTo(60)) postData(rig.da, height, height)
    for (const height of heightsTo(60)) postHeaders(rig.da, 100 + height, 61 - height)
    await rig.source.start()
    await rig.reached(60)
    await caughtUp(rig)
    await expectIn(rig, 60)
    expect(most).toBeLessThanOrEqual(20_000)
    expect(recorder.value('da_halves_let_go_total')).toBeGreaterThan(0)
  })
})
