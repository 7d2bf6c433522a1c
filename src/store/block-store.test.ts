import { describe, expect, onTestFinished, test } from 'vitest'
import { makeSaves } from '../../test/suites/block-saves.ts'
import type { BlockSave } from '../core/block-store.ts'
import { giveWay, systemEnv } from '../core/env.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { encodeP2PData, encodeP2PSignedHeader, encodeState } from '../types/codec.ts'
import { dataHash } from '../types/data.ts'
import { headerHash } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { createBlockStore, type KvBlockStore } from './block-store.ts'
import { hashKey, heightKey, KEYS, METADATA, nameKey } from './keys.ts'
import { createMemoryKv } from './kv-memory.ts'

const { initial, saves } = makeSaves({ count: 12, initialHeight: 5 })

const READS = ['header', 'data', 'stateAt', 'block'] as const

/** A block of the test chain. */
function save(height: number): BlockSave {
  const found = saves[height - 5]
  if (found === undefined) throw new Error(`no block ${height} in the test chain`)
  return found
}

/** The batches that went to a database, and how the next one fails. */
interface Witness {
  readonly kv: Kv
  readonly batches: { readonly ops: readonly KvOp[]; readonly sync: boolean }[]
  fail: Error | undefined
}

async function watchedKv(): Promise<Witness> {
  const inner = createMemoryKv()
  await inner.start()
  onTestFinished(async () => await inner.stop())
  const witness: Witness = {
    batches: [],
    fail: undefined,
    kv: {
      ...inner,
      async batch(ops, options) {
        const error = witness.fail
        witness.fail = undefined
        if (error !== undefined) throw error
        witness.batches.push({ ops, sync: options?.sync === true })
        await inner.batch(ops, options)
      },
    },
  }
  return witness
}

async function started(kv: Kv): Promise<KvBlockStore> {
  const store = createBlockStore({ kv })
  await store.start()
  return store
}

async function filled(to: number): Promise<Witness & { store: KvBlockStore }> {
  const witness = await watchedKv()
  const store = await started(witness.kv)
  await store.saveState(initial)
  await store.saveBlocks(saves.filter(({ state }) => state.lastBlockHeight <= to))
  return Object.assign(witness, { store })
}

function put(key: Uint8Array, value: Uint8Array): KvOp {
  return { type: 'put', key, value }
}

function littleEndian(height: number): Uint8Array {
  return uint64BigEndian(height).toReversed()
}

describe('saving', () => {
  test('a fresh store is empty, and begins with the state before the first block', async () => {
    const { kv } = await watchedKv()
    const store = await started(kv)
    expect(await store.height()).toBe(0)
    expect(await store.state()).toBeUndefined()
    expect(await store.header(0)).toBeUndefined()
    await expect(store.saveBlocks([save(5)])).rejects.toMatchObject({ code: 'NO_STATE' })
    await store.saveState(initial)
    expect(await store.height()).toBe(4)
    expect(await store.state()).toEqual(initial)
    expect(await store.stateAt(4)).toEqual(initial)
    expect(await store.block(4)).toBeUndefined()
  })

  test('the first state is taken once, and only that before the first block', async () => {
    const { kv } = await watchedKv()
    const store = await started(kv)
    await expect(store.saveState({ ...initial, lastBlockHeight: 5 })).rejects.toMatchObject({
      code: 'NON_CONSECUTIVE_BLOCK',
    })
    await store.saveState(initial)
    await store.saveState({ ...initial })
    await expect(store.saveState({ ...initial, appHash: utf8('other') })).rejects.toMatchObject({
      code: 'NON_CONSECUTIVE_BLOCK',
    })
    await store.saveBlocks([save(5)])
    await expect(store.saveState(initial)).rejects.toMatchObject({ code: 'NON_CONSECUTIVE_BLOCK' })
  })

  test('blocks with states, indexes and height go in one synced batch', async () => {
    const { store, batches } = await filled(4)
    batches.length = 0
    await store.saveBlocks([save(5), save(6)])
    expect(batches.map(({ sync }) => sync)).toEqual([true])
    const keys = batches.flatMap(({ ops }) => ops.map((op) => toHex(op.key)))
    const expected = [5, 6].flatMap((height) => [
      heightKey(KEYS.headers, height),
      heightKey(KEYS.data, height),
      heightKey(KEYS.states, height),
      hashKey(KEYS.headerHashes, headerHash(save(height).header.header)),
      hashKey(KEYS.dataHashes, dataHash(save(height).data)),
    ])
    expect(keys.toSorted()).toEqual(
      [...expected, nameKey(KEYS.metadata, METADATA.height)].map(toHex).toSorted(),
    )
  })

  test('headers and data that lie in their stores already are not written again', async () => {
    const { store, batches, kv } = await filled(4)
    const block = save(5)
    await kv.batch([
      put(heightKey(KEYS.headers, 5), encodeP2PSignedHeader({ ...block.header, daHeightHint: 77 })),
      put(hashKey(KEYS.headerHashes, headerHash(block.header.header)), uint64BigEndian(5)),
      put(heightKey(KEYS.data, 5), encodeP2PData({ ...block.data, daHeightHint: 78 })),
    ])
    batches.length = 0
    await store.saveBlocks([{ ...block, stored: true }])
    expect(batches.flatMap(({ ops }) => ops.map((op) => toHex(op.key))).toSorted()).toEqual(
      [nameKey(KEYS.metadata, METADATA.height), heightKey(KEYS.states, 5)].map(toHex).toSorted(),
    )
    expect(await store.header(5)).toEqual({ ...block.header, daHeightHint: 77 })
    expect(await store.data(5)).toEqual({ ...block.data, daHeightHint: 78 })
  })

  test('a DA height hint is kept', async () => {
    const { store } = await filled(4)
    const { header, data, state } = save(5)
    const hinted = { header: { ...header, daHeightHint: 9 }, data: { ...data, daHeightHint: 10 } }
    await store.saveBlocks([{ ...hinted, state, stored: false }])
    expect(await store.block(5)).toEqual(hinted)
  })

  test('only the next height is taken, and all or nothing', async () => {
    const { store } = await filled(6)
    const wrong: BlockSave[][] = [
      [save(8)],
      [save(6)],
      [save(7), save(9)],
      [save(7), save(7)],
      [{ ...save(7), state: save(6).state }],
      [{ ...save(7), data: save(8).data }],
      [{ ...save(7), data: { txs: [] } }],
    ]
    for (const blocks of wrong) {
      await expect(store.saveBlocks(blocks)).rejects.toMatchObject({ code: 'NON_CONSECUTIVE_BLOCK' })
    }
    expect(await store.height()).toBe(6)
    expect(await store.block(7)).toBeUndefined()
    await store.saveBlocks([])
    await store.saveBlocks([save(7), save(8)])
    expect(await store.height()).toBe(8)
  })

  test('callers at once are served in turn', async () => {
    const { store } = await filled(4)
    await Promise.all([5, 6, 7].map(async (height) => await store.saveBlocks([save(height)])))
    expect(await store.height()).toBe(7)
  })

  test('a batch that fails changes nothing and may be tried again', async () => {
    const witness = await filled(5)
    const { store } = witness
    witness.fail = new Error('disk full')
    await expect(store.saveBlocks([save(6)])).rejects.toThrow('disk full')
    expect(await store.height()).toBe(5)
    expect((await store.state())?.lastBlockHeight).toBe(5)
    await store.saveBlocks([save(6)])
    expect(await store.height()).toBe(6)
  })
})

describe('reading', () => {
  test('everything that was saved comes back, also in the next life', async () => {
    const { kv, store } = await filled(16)
    for (const own of [store, await started(kv)]) {
      expect(await own.height()).toBe(16)
      expect(await own.state()).toEqual(save(16).state)
      for (const { header, data, state } of saves) {
        const height = state.lastBlockHeight
        expect(await own.block(height)).toMatchObject({ header, data })
        expect(await own.header(height)).toMatchObject(header)
        expect(await own.data(height)).toMatchObject(data)
        expect(await own.stateAt(height)).toEqual(state)
        expect(await own.heightOf(headerHash(header.header))).toBe(height)
      }
    }
  })

  test('what is not there is undefined', async () => {
    const { store } = await filled(8)
    for (const height of [0, 3, 4, 9, 2 ** 53 - 1]) {
      expect(await store.block(height)).toBeUndefined()
      expect(await store.header(height)).toBeUndefined()
      expect(await store.data(height)).toBeUndefined()
    }
    expect(await store.stateAt(3)).toBeUndefined()
    expect(await store.stateAt(9)).toBeUndefined()
    expect(await store.heightOf(new Uint8Array(32))).toBeUndefined()
    expect(await store.heightOf(new Uint8Array(0))).toBeUndefined()
  })

  test('heights that lie in the header and data stores but were not executed are not seen', async () => {
    const { store, kv } = await filled(8)
    const { header, data } = save(9)
    const hash = headerHash(header.header)
    await kv.batch([
      put(heightKey(KEYS.headers, 9), encodeP2PSignedHeader(header)),
      put(hashKey(KEYS.headerHashes, hash), uint64BigEndian(9)),
      put(heightKey(KEYS.data, 9), encodeP2PData(data)),
    ])
    expect(await store.block(9)).toBeUndefined()
    expect(await store.heightOf(hash)).toBeUndefined()
  })

  test('an index entry of a header that is no longer there leads nowhere', async () => {
    const { store, kv } = await filled(8)
    const stale = new Uint8Array(32).fill(7)
    await kv.batch([put(hashKey(KEYS.headerHashes, stale), uint64BigEndian(6))])
    expect(await store.heightOf(stale)).toBeUndefined()
    await kv.batch([put(hashKey(KEYS.headerHashes, stale), utf8('six'))])
    await expect(store.heightOf(stale)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test.for([
    ['a record that does not decode', utf8('rubbish')],
    ['a record of another height', undefined],
  ] as const)('%s is named', async ([, rubbish]) => {
    const { store, kv } = await filled(8)
    const wrong: [number, Uint8Array][] = [
      [KEYS.headers, encodeP2PSignedHeader(save(7).header)],
      [KEYS.data, encodeP2PData(save(7).data)],
      [KEYS.states, encodeState(save(7).state)],
    ]
    await kv.batch(wrong.map(([prefix, value]) => put(heightKey(prefix, 6), rubbish ?? value)))
    for (const [index, read] of (['header', 'data', 'stateAt'] as const).entries()) {
      const key = toHex(heightKey(wrong[index]?.[0] ?? 0, 6))
      await expect(store[read](6)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringContaining(key),
        data: { key, height: 6 },
        verdict: 'halt',
      })
    }
    await expect(store.block(6)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('a record that is missing is named, unless it was pruned', async () => {
    const { store, kv } = await filled(9)
    const prefixes = [KEYS.headers, KEYS.data, KEYS.states]
    await kv.batch(prefixes.map((prefix) => ({ type: 'del', key: heightKey(prefix, 6) })))
    for (const read of READS) {
      await expect(store[read](6)).rejects.toMatchObject({ code: 'STORE_CORRUPT', data: { height: 6 } })
    }
    await store.saveMetadata(METADATA.lastPrunedBlockHeight, littleEndian(6))
    await store.saveMetadata(METADATA.lastPrunedStateHeight, littleEndian(6))
    for (const read of READS) {
      expect(await store[read](6)).toBeUndefined()
    }
    const next = await started(kv)
    expect(await next.block(6)).toBeUndefined()
    expect(await next.block(7)).toBeDefined()
  })

  test('metadata that is saved while blocks are pruned does not bring the marks back', async () => {
    const { kv: inner } = await filled(9)
    const held = Promise.withResolvers<void>()
    const reading = Promise.withResolvers<void>()
    let hold = false
    const store = await started({
      ...inner,
      async getMany(keys) {
        const found = await inner.getMany(keys)
        if (!hold) return found
        hold = false
        reading.resolve()
        await held.promise
        return found
      },
    })
    hold = true
    const saved = store.saveMetadata('note', utf8('x'))
    const pruned = reading.promise.then(async () => {
      const done = store.prune(7, 'all')
      // Whoever waits for the other is let go; whoever does not is through before.
      await Promise.race([done, giveWay(systemEnv, new AbortController().signal)])
      held.resolve()
      await done
    })
    await Promise.all([saved, pruned])
    expect(store.prunedUpTo).toBe(7)
  })

  test('metadata is kept under its name; what the store owns is not for others', async () => {
    const { store, kv } = await filled(5)
    const name = METADATA.lastSubmittedHeaderHeight
    expect(await store.metadata(name)).toBeUndefined()
    await store.saveMetadata(name, littleEndian(3))
    expect(await store.metadata(name)).toEqual(littleEndian(3))
    expect(await kv.get(utf8(`m${name}`))).toEqual(littleEndian(3))
    const { height, format, daIncludedHeight, genesisDaHeight } = METADATA
    for (const own of [height, format, daIncludedHeight, genesisDaHeight]) {
      await expect(store.saveMetadata(own, utf8('x'))).rejects.toMatchObject({ code: 'RESERVED_METADATA' })
    }
  })

  test('before start and after stop everything rejects', async () => {
    const { kv } = await filled(6)
    const store = createBlockStore({ kv })
    const uses: (() => Promise<unknown>)[] = [
      async () => await store.height(),
      async () => await store.state(),
      async () => await store.stateAt(5),
      async () => await store.header(5),
      async () => await store.data(5),
      async () => await store.block(5),
      async () => await store.heightOf(utf8('x')),
      async () => await store.saveState(initial),
      async () => await store.saveBlocks([save(7)]),
      async () => await store.metadata('d'),
      async () => await store.saveMetadata('d', utf8('x')),
      async () => await store.truncate(5),
    ]
    for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'STORE_STOPPED' })
    await store.stop()
    await Promise.all([store.start(), store.start()])
    expect(await store.height()).toBe(6)
    await store.stop()
    for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'STORE_STOPPED' })
  })
})

describe('starting', () => {
  const otherState: State = { ...save(12).state, lastHeaderHash: new Uint8Array(32) }
  const cases: [string, KvOp, string][] = [
    ['its last header', { type: 'del', key: heightKey(KEYS.headers, 12) }, 'header of height 12'],
    ['its last data', { type: 'del', key: heightKey(KEYS.data, 12) }, 'data of height 12'],
    ['its last state', { type: 'del', key: heightKey(KEYS.states, 12) }, 'state of height 12'],
    ['a header below', { type: 'del', key: heightKey(KEYS.headers, 5) }, 'header of height 5'],
    ['data below', { type: 'del', key: heightKey(KEYS.data, 11) }, 'data of height 11'],
    ['a state below', { type: 'del', key: heightKey(KEYS.states, 8) }, 'state of height 8'],
    ['the last height', { type: 'del', key: nameKey(KEYS.metadata, METADATA.height) }, 'last height'],
    ['a sensible last height', put(nameKey(KEYS.metadata, METADATA.height), utf8('12')), 'last height'],
    [
      'the state of its last block',
      put(heightKey(KEYS.states, 12), encodeState(otherState)),
      'header of height 12',
    ],
    ['a readable state', put(heightKey(KEYS.states, 12), utf8('x')), 'state of height 12'],
  ]

  test.for(cases)('a store without %s is refused', async ([, op, named]) => {
    const { kv } = await filled(12)
    await kv.batch([op])
    await expect(createBlockStore({ kv }).start()).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(named),
      verdict: 'halt',
    })
  })

  test('a format of another version is refused', async () => {
    const { kv } = await filled(6)
    await kv.batch([put(nameKey(KEYS.metadata, METADATA.format), utf8('9'))])
    await expect(createBlockStore({ kv }).start()).rejects.toMatchObject({ code: 'STORE_FORMAT' })
  })
})
