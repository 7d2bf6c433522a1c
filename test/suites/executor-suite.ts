/*
 * What every embedded executor must do. Called at the top of an executor's test file with a way to make one over a
 * database that is started and empty.
 */
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Kv } from '../../src/core/kv.ts'
import type { EntryExecutor, EntryExecutorOptions } from '../../src/execution/entry-executor.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { collect } from './kv-suite.ts'

/** Makes an executor. */
export type MakeExecutor = (deps: { readonly kv: Kv }, options?: EntryExecutorOptions) => EntryExecutor

const GENESIS = { time: 1_700_000_000_000_000_000n, initialHeight: 1, chainId: 'chain' }
const { signal } = new AbortController()
const options = { signal }

/** An empty, started database. */
export async function emptyKv(): Promise<Kv> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  return kv
}

/** An executor with its genesis, and a way to run blocks of transactions on it. */
export interface Bench {
  readonly kv: Kv
  readonly executor: EntryExecutor
  /** Executes the block of a height on the executor's own root and gives the new root as hex. */
  readonly run: (height: number, ...txs: readonly (string | Uint8Array)[]) => Promise<string>
  /** Root, entries, and height as one comparable value. */
  readonly picture: () => Promise<unknown>
}

/** Roots after the heights that were run on a database. */
const rootsOf = new WeakMap<Kv, Map<number, Uint8Array>>()

/** Makes a {@link Bench} over a database. */
export async function benchOver(
  make: MakeExecutor,
  kv: Kv,
  executorOptions: EntryExecutorOptions = {},
  genesis: typeof GENESIS = GENESIS,
): Promise<Bench> {
  const executor = make({ kv }, executorOptions)
  const roots = rootsOf.get(kv) ?? new Map<number, Uint8Array>()
  rootsOf.set(kv, roots)
  roots.set(genesis.initialHeight - 1, await executor.initChain(genesis, options))
  roots.set(await executor.latestHeight(options), await executor.stateRoot())
  return {
    kv,
    executor,
    async run(height, ...txs) {
      const { stateRoot } = await executor.executeTxs(
        {
          txs: txs.map((tx) => (typeof tx === 'string' ? utf8(tx) : tx)),
          height,
          time: genesis.time,
          previousStateRoot: roots.get(height - 1) ?? (await executor.stateRoot()),
        },
        options,
      )
      roots.set(height, stateRoot)
      return toHex(stateRoot)
    },
    async picture() {
      return {
        root: toHex(await executor.stateRoot()),
        height: await executor.latestHeight(options),
        entries: (await collect(executor.entries())).map(([key, value]) => `${toHex(key)}=${toHex(value)}`),
      }
    },
  }
}

/** A database that fails on demand, before or after the batch took effect. */
function fragile(kv: Kv): { kv: Kv; fail: 'before' | 'after' | undefined; batches: number } {
  const state: { kv: Kv; fail: 'before' | 'after' | undefined; batches: number } = {
    fail: undefined,
    batches: 0,
    kv: {
      ...kv,
      async batch(ops, batchOptions) {
        const { fail } = state
        state.fail = undefined
        state.batches++
        if (fail !== 'before') await kv.batch(ops, batchOptions)
        if (fail !== undefined) throw new Error(`power cut ${fail} the write`)
      },
    },
  }
  return state
}

/** Runs the tests of an embedded executor. */
export function executorSuite(name: string, make: MakeExecutor): void {
  async function bench(executorOptions?: EntryExecutorOptions, genesis?: typeof GENESIS): Promise<Bench> {
    return await benchOver(make, await emptyKv(), executorOptions, genesis)
  }

  describe(`executor ${name}: genesis`, () => {
    test('initChain is repeatable, also after blocks and in the next life', async () => {
      const { executor, run, kv } = await bench()
      const root = await executor.initChain(GENESIS, options)
      expect(await executor.stateRoot()).toEqual(root)
      await run(1, 'a=1')
      expect(await executor.initChain(GENESIS, options)).toEqual(root)
      expect(await make({ kv }).initChain(GENESIS, options)).toEqual(root)
      expect(await executor.latestHeight(options)).toBe(1)
    })

    test.for([{ chainId: 'other' }, { initialHeight: 2 }, { time: GENESIS.time + 1n }])(
      'another genesis is refused: %o',
      async (change) => {
        const { executor, kv } = await bench()
        for (const one of [executor, make({ kv })]) {
          await expect(one.initChain({ ...GENESIS, ...change }, options)).rejects.toMatchObject({
            code: 'GENESIS_MISMATCH',
            verdict: 'halt',
          })
        }
      },
    )

    test('nothing is executed before the genesis', async () => {
      const executor = make({ kv: await emptyKv() })
      expect(await executor.latestHeight(options)).toBe(0)
      const request = { txs: [], height: 1, time: 1n, previousStateRoot: utf8('') }
      await expect(executor.executeTxs(request, options)).rejects.toMatchObject({ code: 'NOT_INITIALISED' })
      await expect(executor.rollback(0, options)).rejects.toMatchObject({ code: 'NOT_INITIALISED' })
    })

    test('a chain may begin at any height', async () => {
      const { executor, run } = await bench({}, { ...GENESIS, initialHeight: 7 })
      expect(await executor.latestHeight(options)).toBe(0)
      await expect(run(1)).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT' })
      await expect(run(6)).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT' })
      await run(7, 'a=1')
      expect(await executor.latestHeight(options)).toBe(7)
      await executor.rollback(6, options)
      expect(await executor.latestHeight(options)).toBe(0)
      expect(await collect(executor.entries())).toEqual([])
      await run(7, 'a=1')
      await executor.rollback(0, options)
      expect(await executor.latestHeight(options)).toBe(0)
    })
  })

  describe(`executor ${name}: execution`, () => {
    test('only the next height, or the last again', async () => {
      const { run } = await bench()
      await run(1, 'a=1')
      await run(2)
      for (const height of [0, 1, 4]) {
        await expect(run(height)).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT', verdict: 'halt' })
      }
      await run(2)
      await run(3)
    })

    test('a block on another state root is refused with both roots', async () => {
      const { executor, run } = await bench()
      const root = await run(1, 'a=1')
      const request = { txs: [], height: 2, time: 1n, previousStateRoot: utf8('wrong') }
      await expect(executor.executeTxs(request, options)).rejects.toMatchObject({
        code: 'STATE_ROOT_MISMATCH',
        verdict: 'halt',
        data: { height: 2, expected: root, found: toHex(utf8('wrong')) },
      })
      expect(await executor.latestHeight(options)).toBe(1)
    })

    test('what makes no sense is skipped, never an error', async () => {
      const [a, b] = [await bench(), await bench()]
      const rubbish = ['', 'novalue', '=value', '  =x', '\t\u{a0}\u{3000}=x', Uint8Array.of(0xff, 0xfe)]
      expect(await a.run(1, ...rubbish, 'a=1', ...rubbish)).toBe(await b.run(1, 'a=1'))
      expect(await a.run(2, ...rubbish)).toBe(await b.run(2))
      expect(await a.picture()).toEqual(await b.picture())
    })

    test('key and value stand around the first equals sign, without white space around them', async () => {
      const { executor, run } = await bench()
      await run(1, ' a \t= b = c\n', 'empty=', Uint8Array.of(0xff, 0x3d, 0x00, 0xfe))
      expect(await executor.get(utf8('a'))).toEqual(utf8('b = c'))
      expect(await executor.get(utf8('empty'))).toEqual(utf8(''))
      expect(await executor.get(Uint8Array.of(0xff))).toEqual(Uint8Array.of(0, 0xfe))
      expect(await executor.get(utf8('b'))).toBeUndefined()
    })

    test('the last value of a key counts, within a block and across blocks', async () => {
      const { executor, run } = await bench()
      await run(1, 'a=1', 'a=2', 'b=1')
      expect(await executor.get(utf8('a'))).toEqual(utf8('2'))
      for (let height = 2; height <= 10; height++) await run(height, `a=${height}`)
      expect(await executor.get(utf8('a'))).toEqual(utf8('10'))
      expect(await executor.get(utf8('b'))).toEqual(utf8('1'))
    })

    test('a block without transactions keeps the root', async () => {
      const { run } = await bench()
      const root = await run(1, 'a=1')
      expect(await run(2)).toBe(root)
      expect(await run(3, 'rubbish')).toBe(root)
    })

    test('different states have different roots', async () => {
      const roots = await Promise.all(
        [[], ['a=1'], ['a=2'], ['b=1'], ['a=1', 'b=1'], ['ab='], ['a=b']].map(async (txs) => {
          const { run } = await bench()
          return await run(1, ...txs)
        }),
      )
      expect(new Set(roots).size).toBe(roots.length)
    })

    test('the same block again gives the same root; another block in its place gives its own', async () => {
      const [a, b] = [await bench(), await bench()]
      await a.run(1, 'a=1', 'b=1')
      await b.run(1, 'a=1', 'b=1')
      const root = await a.run(2, 'a=2', 'c=1')
      expect(await a.run(2, 'a=2', 'c=1')).toBe(root)
      expect(await a.run(2, 'b=7')).toBe(await b.run(2, 'b=7'))
      expect(await a.picture()).toEqual(await b.picture())
      expect(await a.run(3, 'c=2')).toBe(await b.run(3, 'c=2'))
    })

    test('each block is one batch', async () => {
      const state = fragile(await emptyKv())
      const { run, executor } = await benchOver(make, state.kv)
      state.batches = 0
      await run(1, 'a=1', 'b=2')
      await run(2)
      expect(state.batches).toBe(2)
      await executor.rollback(0, options)
      expect(state.batches).toBe(4)
    })

    test.for(['before', 'after'] as const)(
      'a write that fails %s it took effect is recovered from by executing the block again',
      async (moment) => {
        const state = fragile(await emptyKv())
        const [a, b] = [await benchOver(make, state.kv), await bench()]
        await a.run(1, 'a=1')
        await b.run(1, 'a=1')
        state.fail = moment
        await expect(a.run(2, 'a=2', 'b=1')).rejects.toThrow('power cut')
        expect(await a.run(2, 'a=2', 'b=1')).toBe(await b.run(2, 'a=2', 'b=1'))
        expect(await a.picture()).toEqual(await b.picture())
      },
    )

    test('callers at once are served in turn', async () => {
      const { executor } = await bench()
      const root = await executor.stateRoot()
      const request = { txs: [], time: 1n, previousStateRoot: root }
      await Promise.all(
        [1, 2, 3].map(async (height) => await executor.executeTxs({ ...request, height }, options)),
      )
      expect(await executor.latestHeight(options)).toBe(3)
    })

    test('an aborted call does nothing', async () => {
      const { executor } = await bench()
      const aborted = { signal: AbortSignal.abort(new Error('enough')) }
      const root = await executor.stateRoot()
      const calls = [
        async () => await executor.initChain(GENESIS, aborted),
        async () =>
          await executor.executeTxs({ txs: [], height: 1, time: 1n, previousStateRoot: root }, aborted),
        async () => await executor.rollback(0, aborted),
        async () => await executor.setFinal(1, aborted),
        async () => await executor.latestHeight(aborted),
        async () => await executor.getTxs(aborted),
      ]
      for (const call of calls) await expect(call()).rejects.toThrow('enough')
      expect(await executor.latestHeight(options)).toBe(0)
    })
  })

  describe(`executor ${name}: going back`, () => {
    test('rollback leads to exactly what was there, and forward again to the same', async () => {
      const { executor, run, picture, kv } = await bench()
      const pictures = [await picture()]
      const blocks = [['a=1', 'b=1'], [], ['a=2', 'a=3'], ['c=', 'b=1'], ['a=1', 'd=1']]
      for (const [index, txs] of blocks.entries()) {
        await run(index + 1, ...txs)
        pictures.push(await picture())
      }
      await executor.rollback(5, options)
      expect(await picture()).toEqual(pictures[5])
      for (const target of [4, 2, 1, 0]) {
        await executor.rollback(target, options)
        expect(await picture()).toEqual(pictures[target])
        expect(await (await benchOver(make, kv)).picture()).toEqual(pictures[target])
      }
      for (const [index, txs] of blocks.entries()) {
        await run(index + 1, ...txs)
        expect(await picture()).toEqual(pictures[index + 1])
      }
    })

    test('not forward, and not below what is kept', async () => {
      const { executor, run, picture, kv } = await bench({ undoHeights: 3 })
      for (let height = 1; height <= 10; height++) await run(height, `a=${height}`)
      const before = await picture()
      await expect(executor.rollback(11, options)).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT' })
      for (const one of [executor, make({ kv })]) {
        await expect(one.rollback(6, options)).rejects.toMatchObject({
          code: 'ROLLBACK_TOO_DEEP',
          data: { height: 10, lowest: 7, target: 6 },
        })
      }
      expect(await picture()).toEqual(before)
      await executor.rollback(7, options)
      expect(await executor.get(utf8('a'))).toEqual(utf8('7'))
      await expect(executor.rollback(6, options)).rejects.toMatchObject({ code: 'ROLLBACK_TOO_DEEP' })
      await run(8, 'a=x')
      await executor.rollback(7, options)
    })

    test('prune drops what is only needed below a height, but the last block stays repeatable', async () => {
      const { executor, run, kv } = await bench()
      for (let height = 1; height <= 6; height++) await run(height, `a=${height}`)
      await executor.prune(3, options)
      await executor.prune(2, options)
      for (const one of [executor, make({ kv })]) {
        await expect(one.rollback(2, options)).rejects.toMatchObject({ data: { lowest: 3 } })
      }
      await executor.rollback(4, options)
      const root = await run(5, 'a=5')
      await executor.prune(100, options)
      expect(await run(5, 'a=5')).toBe(root)
      await executor.rollback(4, options)
      await expect(executor.rollback(3, options)).rejects.toMatchObject({ code: 'ROLLBACK_TOO_DEEP' })
      await run(5, 'a=6')
      await run(6)
    })

    test('a crash in the middle leaves a height in between', async () => {
      const state = fragile(await emptyKv())
      const { executor, run } = await benchOver(make, state.kv)
      for (let height = 1; height <= 4; height++) await run(height, `a=${height}`)
      state.fail = 'after'
      await expect(executor.rollback(1, options)).rejects.toThrow('power cut')
      const next = await benchOver(make, state.kv)
      expect(await next.executor.latestHeight(options)).toBe(3)
      await next.executor.rollback(1, options)
      expect(await next.executor.get(utf8('a'))).toEqual(utf8('1'))
    })

    test('a lost block is noticed when the state is read', async () => {
      const { run, kv } = await bench()
      for (let height = 1; height <= 4; height++) await run(height, `a=${height}`)
      const undo = await collect(kv.keys({ gte: utf8('u'), lt: utf8('v') }))
      expect(undo).toHaveLength(4)
      await kv.batch(undo.slice(2, 3).map((key) => ({ type: 'del', key })))
      await expect(make({ kv }).latestHeight(options)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        verdict: 'halt',
      })
    })

    test('a final height only rises, until a rollback crosses it', async () => {
      const { executor, run, kv } = await bench()
      for (let height = 1; height <= 4; height++) await run(height)
      expect(await executor.finalHeight()).toBe(0)
      await executor.setFinal(2, options)
      await executor.setFinal(3, options)
      await executor.setFinal(1, options)
      expect(await executor.finalHeight()).toBe(3)
      expect(await make({ kv }).finalHeight()).toBe(3)
      await executor.rollback(3, options)
      expect(await executor.finalHeight()).toBe(3)
      await executor.rollback(1, options)
      expect(await executor.finalHeight()).toBe(1)
      expect(await make({ kv }).finalHeight()).toBe(1)
      await expect(executor.setFinal(0, options)).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT' })
    })

    test('whatever happens on the way, the state is that of the blocks that remain', async () => {
      const tx = fc.constantFrom('a=1', 'a=2', 'b=1', 'b=', 'c=1', '/../c=2', 'rubbish', ' d = 4 ')
      const step = fc.oneof(
        { weight: 5, arbitrary: fc.record({ txs: fc.array(tx, { maxLength: 4 }) }) },
        { weight: 2, arbitrary: fc.record({ again: fc.array(tx, { maxLength: 4 }) }) },
        { weight: 2, arbitrary: fc.record({ back: fc.nat(4) }) },
        { weight: 1, arbitrary: fc.constant({ reopen: true }) },
        { weight: 1, arbitrary: fc.constantFrom({ fail: 'before' as const }, { fail: 'after' as const }) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
          const state = fragile(createMemoryKv())
          await state.kv.start()
          let own = await benchOver(make, state.kv)
          const blocks: string[][] = []
          for (const one of steps) {
            if ('txs' in one) {
              blocks.push(one.txs)
            } else if ('again' in one) {
              if (blocks.length > 0) blocks.splice(-1, 1, one.again)
            } else if ('back' in one) {
              blocks.splice(Math.max(0, blocks.length - one.back))
              await own.executor.rollback(blocks.length, options)
            } else if ('fail' in one) {
              blocks.push(['a=fail'])
              state.fail = one.fail
              await own.run(blocks.length, 'a=other').catch(() => undefined)
            } else {
              own = await benchOver(make, state.kv)
            }
            if (blocks.length > 0) await own.run(blocks.length, ...(blocks.at(-1) ?? []))
          }
          const fresh = await benchOver(make, await emptyKv())
          for (const [index, txs] of blocks.entries()) await fresh.run(index + 1, ...txs)
          expect(await own.picture()).toEqual(await fresh.picture())
          expect(await (await benchOver(make, state.kv)).picture()).toEqual(await fresh.picture())
        }),
        { numRuns: 60 },
      )
    })
  })

  describe(`executor ${name}: mempool and limits`, () => {
    test('submitted transactions wait in order until they are executed', async () => {
      const { executor, run } = await bench()
      const texts = ['a=1', 'b=1', 'a=1', 'c=1']
      for (const text of texts) await executor.submitTx(utf8(text))
      const expected = ['a=1', 'b=1', 'c=1'].map(utf8)
      expect(await executor.getTxs(options)).toEqual(expected)
      expect(await executor.getTxs(options)).toEqual(expected)
      await run(1, 'b=1', 'z=1')
      expect(await executor.getTxs(options)).toEqual(['a=1', 'c=1'].map(utf8))
      await executor.submitTx(utf8('b=1'))
      expect(await executor.getTxs(options)).toEqual(['a=1', 'c=1', 'b=1'].map(utf8))
    })

    test('a block that fails leaves them waiting', async () => {
      const state = fragile(await emptyKv())
      const { executor, run } = await benchOver(make, state.kv)
      await executor.submitTx(utf8('a=1'))
      state.fail = 'before'
      await expect(run(1, 'a=1')).rejects.toThrow('power cut')
      expect(await executor.getTxs(options)).toEqual([utf8('a=1')])
    })

    test('the mempool is bounded in transactions and bytes', async () => {
      const { executor, run } = await bench({ maxTxs: 3, maxBytes: 100 })
      await executor.submitTx(utf8('a=1'))
      await expect(executor.submitTx(utf8(`b=${'x'.repeat(96)}`))).rejects.toThrow(/mempool/)
      await executor.submitTx(utf8('b=1'))
      await executor.submitTx(utf8('c=1'))
      await expect(executor.submitTx(utf8('d=1'))).rejects.toMatchObject({
        code: 'TX_NO_ROOM',
        verdict: 'retry',
      })
      await executor.submitTx(utf8('c=1'))
      await run(1, 'a=1', 'b=1', 'c=1')
      await executor.submitTx(utf8(`b=${'x'.repeat(96)}`))
      expect(await executor.getTxs(options)).toHaveLength(1)
    })

    test('one transaction is bounded too', async () => {
      const { executor } = await bench({ maxTxBytes: 5 })
      await executor.submitTx(utf8('a=123'))
      await expect(executor.submitTx(utf8('a=1234'))).rejects.toMatchObject({
        code: 'TX_REFUSED',
        verdict: 'reject',
        data: { bytes: 6, limit: 5 },
      })
      expect(await executor.getTxs(options)).toEqual([utf8('a=123')])
    })

    test('listeners are told when a transaction came in, and each is the same array every time', async () => {
      const { executor, run } = await bench()
      let told = 0
      const leave = executor.onTxs(() => told++)
      await executor.submitTx(utf8('a=1'))
      await executor.submitTx(utf8('a=1'))
      await executor.submitTx(utf8('b=1'))
      expect(told).toBe(2)
      const [, b] = await executor.getTxs(options)
      await run(1, 'a=1')
      expect((await executor.getTxs(options))[0]).toBe(b)
      leave()
      await executor.submitTx(utf8('c=1'))
      expect(told).toBe(2)
    })

    test('it counts the blocks it executed, and the transactions that made sense', async () => {
      const { executor, run } = await bench()
      await run(1, 'a=1', 'rubbish', 'a=1')
      await run(2)
      await expect(run(5, 'a=1')).rejects.toMatchObject({ code: 'UNEXPECTED_HEIGHT' })
      expect(executor.executed()).toEqual({ blocks: 2, txs: 2 })
    })

    test('what makes no sense is not taken in', async () => {
      const { executor } = await bench()
      for (const tx of ['', 'novalue', ' =1'])
        await expect(executor.submitTx(utf8(tx))).rejects.toThrow(/key=value/)
      expect(await executor.getTxs(options)).toEqual([])
    })

    test('a transaction that the sender changes afterwards stays as it was', async () => {
      const { executor } = await bench()
      const tx = utf8('a=1')
      await executor.submitTx(tx)
      tx.fill(0)
      expect(await executor.getTxs(options)).toEqual([utf8('a=1')])
    })

    test('there is no gas', async () => {
      const { executor } = await bench()
      expect(await executor.getExecutionInfo(options)).toEqual({ maxGas: 0n })
    })

    test.for([
      { txs: ['a=1', 'b=1'], maxBytes: 0, forced: true, expected: 'ok ok' },
      { txs: ['', 'rubbish', 'a=1', '=x'], maxBytes: 0, forced: true, expected: 'remove remove ok remove' },
      { txs: ['', 'rubbish', 'a=1', '=x'], maxBytes: 0, forced: false, expected: 'remove ok ok ok' },
      { txs: ['a=1', 'b=1', 'c=1'], maxBytes: 6, forced: false, expected: 'ok ok postpone' },
      { txs: ['a=1', 'bb=12', 'c=1'], maxBytes: 7, forced: false, expected: 'ok postpone postpone' },
      { txs: ['a=12345', 'b=1', 'c=1'], maxBytes: 4, forced: false, expected: 'remove ok postpone' },
      {
        txs: ['a=1', 'b=1', '', 'c=123', 'd=1'],
        maxBytes: 4,
        forced: false,
        expected: 'ok postpone remove remove postpone',
      },
      { txs: [], maxBytes: 4, forced: true, expected: '' },
    ])('filterTxs: $txs within $maxBytes bytes', async ({ txs, maxBytes, forced, expected }) => {
      const { executor } = await bench()
      const statuses = await executor.filterTxs(
        { txs: txs.map(utf8), maxBytes, maxGas: 1n, hasForcedTransactions: forced },
        options,
      )
      expect(statuses.join(' ')).toBe(expected)
    })
  })
}
