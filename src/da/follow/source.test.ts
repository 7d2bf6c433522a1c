import { sha256 } from '#crypto'
import { describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { type DaRig, RIG_HEADERS, signedDataBytes, useDaRigs } from '../../../test/support/da-rig.ts'
import { recordedBlocks, recordedDa, recordedGenesis } from '../../../test/support/recorded-chain.ts'
import { decodeP2PData, decodeP2PSignedHeader } from '../../types/codec.ts'
import { dataHash } from '../../types/data.ts'
import { headerHash } from '../../types/header.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { equalBytes, fromBase64, toHex, utf8 } from '../../util/bytes.ts'

const rigFor = useDaRigs()

const soon = (): AbortSignal => AbortSignal.timeout(15_000)
const caughtUp = async (rig: DaRig): Promise<void> => await rig.source.caughtUp({ signal: soon() })

const chain = makeChain({ count: 60 })
const { genesis } = chain
const { block, postHeaders, postData, expectIn: expectChain, inclusion } = createDaChain(chain)

describe('a chain on DA', () => {
  test('is read from a recording as its peers have it', async () => {
    const recorded = recordedDa()
    const expected = recordedBlocks()
    const rig = await rigFor({ genesis: recordedGenesis() })
    const ours = namespaceBytes(recorded.configured.header)
    for (const { height, blobs } of recorded.blocks) {
      for (const blob of blobs) {
        const get = (name: string): Uint8Array =>
          fromBase64(String(Reflect.get(Object(blob), name))) ?? new Uint8Array()
        const namespace = equalBytes(get('namespace'), ours) ? rig.headerNamespace : rig.dataNamespace
        rig.da.put(height, namespace, get('data'))
      }
    }
    await rig.source.start()
    await caughtUp(rig)
    const [headers, data] = [rig.headers.store(), rig.data.store()]
    // The recording ends before its last headers were posted.
    expect([headers.height, data.height]).toEqual([2_212, 2_212])
    const [foundHeaders, foundData] = [await headers.range(1, 2_213), await data.range(1, 2_213)]
    for (const [index, found] of expected.slice(0, 2_212).entries()) {
      const [header, item] = [foundHeaders[index], foundData[index]]
      if (header === undefined || item === undefined) throw new Error(`nothing at ${index + 1}`)
      expect(toHex(headerHash(header.header))).toBe(
        toHex(headerHash(decodeP2PSignedHeader(found.header).header)),
      )
      expect(toHex(dataHash(item))).toBe(toHex(dataHash(decodeP2PData(found.data))))
    }
    expect(rig.source.status()).toMatchObject({ waiting: 0, bytes: 0, reachable: true })
  })

  test('is read when both halves of a block lie at one height', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) {
      postData(rig.da, height + 3, height)
      postHeaders(rig.da, height + 3, height)
    }
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 20)
  })

  test('is read from one namespace for both', async () => {
    const rig = await rigFor({ genesis, sameNamespace: true })
    const together = createDaChain(chain, RIG_HEADERS)
    for (const height of heightsTo(20)) {
      together.postData(rig.da, height, height)
      postHeaders(rig.da, height, height)
    }
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 20)
    expect(rig.da.calls.get('getAll:7')).toBe(1)
  })

  test.each([
    ['headers', postHeaders, postData],
    ['data', postData, postHeaders],
  ])('is read when %s come thousands of DA heights before the rest', async (_name, first, second) => {
    const rig = await rigFor({ genesis })
    first(rig.da, 2, ...heightsTo(20))
    second(rig.da, 3_000, ...heightsTo(20))
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 20)
    expect(rig.source.status().waiting).toBe(0)
  })

  test('is read in any order of heights', async () => {
    const rig = await rigFor({ genesis })
    for (const height of heightsTo(20)) {
      postHeaders(rig.da, 1 + ((height * 7) % 20), height)
      postData(rig.da, 30 + ((height * 3) % 20), height)
    }
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 20)
  })

  test('is followed as it grows, and what is new near the head of DA goes to the peers', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(5))
    postData(rig.da, 1, ...heightsTo(5))
    rig.da.grow(100)
    await rig.source.start()
    await caughtUp(rig)
    expect([rig.headers.broadcast, rig.data.broadcast]).toEqual([[], []])
    postHeaders(rig.da, 101, 6, 7)
    postData(rig.da, 101, 6, 7)
    await rig.reached(7)
    await caughtUp(rig)
    await expectChain(rig, 7)
    expect([rig.headers.broadcast, rig.data.broadcast]).toEqual([
      [6, 7],
      [6, 7],
    ])
    expect(rig.source.daHeightOf(7)).toBe(101)
  })

  test('notes where halves lie first, and only ours', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 3, 1, 2)
    postData(rig.da, 5, 1, 2)
    postHeaders(rig.da, 7, 1, 2)
    postData(rig.da, 8, 1, 2)
    rig.da.put(2, rig.dataNamespace, signedDataBytes(block(4).data, sha256(utf8('a stranger'))))
    rig.da.grow(10)
    await rig.source.start()
    await caughtUp(rig)
    expect(await inclusion(rig, 1)).toEqual([3, 5])
    expect(await inclusion(rig, 2)).toEqual([3, 5])
    expect(await inclusion(rig, 4)).toEqual([undefined, undefined])
    // Once a header vouches for it, it does not matter who posted it; but others need it as its proposer posts it.
    postHeaders(rig.da, 11, 3, 4)
    await rig.reached(4)
    await caughtUp(rig)
    expect(await inclusion(rig, 4)).toEqual([11, undefined])
    postData(rig.da, 12, 4)
    rig.da.grow(13)
    await caughtUp(rig)
    expect(await inclusion(rig, 4)).toEqual([11, 12])
  })

  test('is looked for near the head of DA by who makes the first block', async () => {
    const rig = await rigFor({ genesis, source: { startBelowHead: 10 } })
    postHeaders(rig.da, 2, 1)
    rig.da.put(500, rig.headerNamespace, utf8('somebody else'))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.source.next).toBe(501)
    expect(rig.source.highest).toBe(0)
    const whole = await rigFor({ genesis, source: { startBelowHead: 499 } })
    postHeaders(whole.da, 2, 1)
    whole.da.put(500, whole.headerNamespace, utf8('somebody else'))
    await whole.source.start()
    await caughtUp(whole)
    expect(whole.source.highest).toBe(1)
  })

  test('is handed on with the DA heights as hints', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 3, 1)
    postData(rig.da, 5, 1)
    await rig.source.start()
    await caughtUp(rig)
    expect((await rig.headers.store().at(1))?.daHeightHint).toBe(3)
    expect((await rig.data.store().at(1))?.daHeightHint).toBe(5)
    expect(rig.source.daHeightOf(1)).toBe(5)
  })

  test('is noted as included where peers brought it before', async () => {
    const rig = await rigFor({ genesis })
    await rig.headers.store().append(heightsTo(10).map((height) => block(height).header))
    await rig.data.store().append(heightsTo(10).map((height) => block(height).data))
    postHeaders(rig.da, 3, ...heightsTo(10))
    postData(rig.da, 4, ...heightsTo(10))
    await rig.source.start()
    await caughtUp(rig)
    expect(await inclusion(rig, 10)).toEqual([3, 4])
    expect(rig.source.status().waiting).toBe(0)
    expect(rig.conflicts).toEqual([])
  })

  test('goes on by itself when peers bring what DA lacks', async () => {
    const rig = await rigFor({ genesis })
    postHeaders(rig.da, 1, ...heightsTo(20, 3))
    postData(rig.da, 1, ...heightsTo(20, 3))
    await rig.source.start()
    await caughtUp(rig)
    expect(rig.headers.store().height).toBe(0)
    await rig.headers.store().append([block(1).header, block(2).header])
    await rig.data.store().append([block(1).data, block(2).data])
    await rig.reached(20)
    await expectChain(rig, 20)
  })

  test('begins where peers say it begins, when that is true', async () => {
    const rig = await rigFor({ genesis })
    await rig.headers.store().append([{ ...block(1).header, daHeightHint: 5_000 }])
    postHeaders(rig.da, 5_000, ...heightsTo(5))
    postData(rig.da, 5_001, ...heightsTo(5))
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 5)
    expect(rig.da.calls.get('header:3999')).toBeUndefined()
    expect(rig.da.calls.get('header:4000')).toBe(1)
  })

  test('begins at the start when what peers say is not true', async () => {
    const rig = await rigFor({ genesis })
    await rig.headers.store().append([{ ...block(1).header, daHeightHint: 2_000 }])
    postHeaders(rig.da, 3, ...heightsTo(5))
    postData(rig.da, 4, ...heightsTo(5))
    rig.da.grow(2_000)
    await rig.source.start()
    await caughtUp(rig)
    await expectChain(rig, 5)
  })
})
