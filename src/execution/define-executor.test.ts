import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { emptyKv, executorSuite, type MakeExecutor } from '../../test/suites/executor-suite.ts'
import type { Kv } from '../core/kv.ts'
import { type LogFields, type Logger, noopLogger } from '../core/logger.ts'
import { createHeldKv } from '../store/held-kv.ts'
import { subKv } from '../store/sub-kv.ts'
import { fromHex, fromUtf8, toHex, utf8 } from '../util/bytes.ts'
import { defineExecutor, type StateExecutor } from './define-executor.ts'
import { parseTransaction } from './transaction.ts'

const options = { signal: new AbortController().signal }
const GENESIS = { time: 1_700_000_000_000_000_000n, initialHeight: 1, chainId: 'chain' }

/** The application of the shared suite, as somebody would write it. */
const makeKeyValue: MakeExecutor = ({ kv }, suiteOptions = {}) => {
  const { state, ...executor } = defineExecutor(
    {
      name: 'key-value',
      genesis: (): Record<string, string> => ({}),
      decode(bytes) {
        const pair = parseTransaction(bytes)
        if (pair === undefined) throw new Error(`a transaction must be key=value, got ${bytes.length} bytes`)
        return { key: toHex(pair.key), value: toHex(pair.value) }
      },
      apply: (before, { key, value }) => ({ ...before, [key]: value }),
    },
    suiteOptions,
  )(kv)
  const bytes = (hex: string): Uint8Array => fromHex(hex) ?? utf8('no hex')
  return {
    ...executor,
    async get(key) {
      const value = (await state())[toHex(key)]
      return value === undefined ? undefined : bytes(value)
    },
    entries: () => ({
      async *[Symbol.asyncIterator]() {
        for (const [key, value] of Object.entries(await state()).toSorted(([a], [b]) => (a < b ? -1 : 1)))
          yield [bytes(key), bytes(value)]
      },
    }),
  }
}

executorSuite('of two functions', makeKeyValue)

interface Bank {
  readonly supply: bigint
  readonly balances: Readonly<Record<string, bigint>>
}

/** `from to amount`, in text. */
const bank = defineExecutor({
  name: 'bank',
  genesis: (): Bank => ({ supply: 100n, balances: { mint: 100n } }),
  decode(bytes) {
    const [from = '', to = '', amount = ''] = (fromUtf8(bytes) ?? '').split(' ')
    if (!/^\d+$/.test(amount)) throw new Error('expected from, to and amount')
    return { from, to, amount: BigInt(amount) }
  },
  apply(state, { from, to, amount }) {
    const has = state.balances[from] ?? 0n
    if (has < amount) return undefined
    if (from === to) return state
    const balances = { ...state.balances, [from]: has - amount, [to]: (state.balances[to] ?? 0n) + amount }
    return { ...state, balances }
  },
})

/** Runs blocks one after the other and gives the roots. */
async function runBlocks<S>(
  executor: StateExecutor<S>,
  blocks: readonly (readonly string[])[],
  first = 1,
): Promise<string[]> {
  let previousStateRoot = await executor.initChain(GENESIS, options)
  if (first > 1) previousStateRoot = await executor.stateRoot()
  const roots: string[] = []
  for (const [index, txs] of blocks.entries()) {
    const request = { txs: txs.map(utf8), height: first + index, time: GENESIS.time, previousStateRoot }
    previousStateRoot = (await executor.executeTxs(request, options)).stateRoot
    roots.push(toHex(previousStateRoot))
  }
  return roots
}

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex')

describe('an executor of two functions', () => {
  test('the state root is the hash of the state in its one form', async () => {
    const executor = bank(await emptyKv())
    expect(toHex(await executor.initChain(GENESIS, options))).toBe(
      hashed('{"balances":{"mint":{"$bigint":"100"}},"supply":{"$bigint":"100"}}'),
    )
    const [root] = await runBlocks(executor, [['mint ada 30']])
    const text = '{"balances":{"ada":{"$bigint":"30"},"mint":{"$bigint":"70"}},"supply":{"$bigint":"100"}}'
    expect(root).toBe(hashed(text))
    expect(await executor.state()).toStrictEqual({ supply: 100n, balances: { mint: 70n, ada: 30n } })
  })

  test('it goes on from the database, at whatever height, and goes back', async () => {
    const kv = await emptyKv()
    await runBlocks(bank(kv), [['mint ada 30'], [], ['ada bob 10', 'ada bob 1']])
    const next = bank(kv)
    expect(await next.latestHeight(options)).toBe(3)
    expect((await next.state()).balances).toEqual({ mint: 70n, ada: 19n, bob: 11n })
    await runBlocks(next, [['bob mint 11']], 4)
    await next.rollback(2, options)
    expect((await next.state()).balances).toEqual({ mint: 70n, ada: 30n })
    await next.rollback(0, options)
    expect((await next.state()).balances).toEqual({ mint: 100n })
  })

  test('a crash while its writes are held back leaves a whole state, before or after them', async () => {
    const whole = await emptyKv()
    const part = subKv(whole, Uint8Array.of(0x78))
    const held = createHeldKv(part)
    const executor = bank(held)
    await runBlocks(executor, [['mint ada 30']])
    held.hold()
    await runBlocks(executor, [['ada bob 10'], ['bob ada 3']], 2)
    const stands = async (): Promise<unknown> => {
      const next = bank(part)
      return [await next.latestHeight(options), (await next.state()).balances]
    }
    expect(await stands()).toEqual([1, { mint: 70n, ada: 30n }])
    await whole.batch(held.held().ops)
    expect(await stands()).toEqual([3, { mint: 70n, ada: 23n, bob: 7n }])
    const next = bank(part)
    await next.rollback(2, options)
    expect((await next.state()).balances).toEqual({ mint: 70n, ada: 20n, bob: 10n })
  })

  test('two nodes of which one is restarted after each block have the same roots', async () => {
    const blocks = [
      ['mint 9 1', 'mint 10 2'],
      ['mint é 3', '9 __proto__ 1'],
      ['mint constructor 4'],
      ['10 9 2'],
    ]
    const straight = await runBlocks(bank(await emptyKv()), blocks)
    const kv = await emptyKv()
    const restarted: string[] = []
    for (const [index, txs] of blocks.entries()) {
      restarted.push(...(await runBlocks(bank(kv), [txs], index + 1)))
    }
    expect(restarted).toEqual(straight)
    expect((await bank(kv).state()).balances['constructor']).toBe(4n)
  })

  test('a transaction that throws, changes what it was given, or gives no state is skipped, and the log says why', async () => {
    const lines: { readonly level: string; readonly fields: LogFields | undefined }[] = []
    const logger: Logger = {
      ...noopLogger,
      warn: (_message, fields) => lines.push({ level: 'warn', fields }),
      debug: (_message, fields) => lines.push({ level: 'debug', fields }),
      child: () => logger,
    }
    const rude = defineExecutor({
      genesis: (): { count: number; list: number[] } => ({ count: 0, list: [] }),
      apply(state, bytes) {
        const text = fromUtf8(bytes)
        if (text === 'throw') throw new Error('no')
        if (text === 'change') Reflect.apply(Array.prototype.push, state.list, [1])
        if (text === 'nothing') return undefined
        if (text === 'NaN') return { ...state, count: Number.NaN }
        return { ...state, count: state.count + 1 }
      },
    })
    const executor = rude(await emptyKv(), { logger })
    await runBlocks(executor, [['throw', 'add', 'change', 'NaN', 'nothing', 'add', 'throw']])
    expect(await executor.state()).toEqual({ count: 2, list: [] })
    expect(executor.executed()).toEqual({ blocks: 1, txs: 2 })
    expect(lines.map(({ level, fields }) => [level, fields?.['index'], String(fields?.['error'])])).toEqual([
      ['warn', 0, 'Error: no'],
      ['debug', 2, expect.stringMatching(/^TypeError: Cannot add property 0/)],
      ['debug', 3, 'EvolveError: the state at count is NaN; a number must be finite'],
      ['debug', 6, 'Error: no'],
    ])
  })

  test('a transaction knows its place', async () => {
    const seen: unknown[] = []
    const executor = defineExecutor({
      genesis: () => null,
      apply(_state, _tx, context) {
        seen.push(context)
        return undefined
      },
    })(await emptyKv())
    await runBlocks(executor, [['a'], ['b', 'c']])
    const place = { chainId: 'chain', time: GENESIS.time }
    expect(seen).toEqual([
      { ...place, height: 1, index: 0, bytes: utf8('a') },
      { ...place, height: 2, index: 0, bytes: utf8('b') },
      { ...place, height: 2, index: 1, bytes: utf8('c') },
    ])
  })

  test('it may name the next proposer after each block, empty ones too', async () => {
    const executor = defineExecutor({
      genesis: () => 0,
      apply: (count) => count + 1,
      nextProposer: (count, { height }) => (height > 1 ? new Uint8Array(32).fill(count) : undefined),
    })(await emptyKv())
    let previousStateRoot = await executor.initChain(GENESIS, options)
    const named: string[] = []
    for (const [index, txs] of [['a', 'b'], [], ['c']].entries()) {
      const request = { txs: txs.map(utf8), height: index + 1, time: 1n, previousStateRoot }
      const result = await executor.executeTxs(request, options)
      previousStateRoot = result.stateRoot
      named.push(toHex(result.nextProposerAddress))
    }
    expect(named).toEqual(['', '02'.repeat(32), '03'.repeat(32)])
  })

  test('what cannot be a state at first is told at once', () => {
    expect(() => defineExecutor({ genesis: () => ({ users: new Map() }), apply: () => undefined })).toThrow(
      'the state at users is an instance of Map; allowed is null, true, false, numbers, bigints, texts, and lists and plain objects of them',
    )
  })

  test('a transaction that makes no sense is refused when it comes', async () => {
    const executor = bank(await emptyKv())
    const submit = async (text: string): Promise<void> => await executor.submitTx(utf8(text), options)
    await expect(submit('mint ada much')).rejects.toThrow('expected from, to and amount')
    await expect(submit('')).rejects.toThrow('expected from')
    await submit('mint ada 1')
    expect(await executor.getTxs(options)).toEqual([utf8('mint ada 1')])
  })

  test.for([
    ['another name', { name: 'shop', genesis: () => ({ supply: 100n, balances: { mint: 100n } }) }],
    ['another state to begin with', { name: 'bank', genesis: () => ({ supply: 101n, balances: {} }) }],
  ] as const)('the database of an application with %s is refused', async ([, definition]) => {
    const kv = await emptyKv()
    await runBlocks(bank(kv), [['mint ada 30']])
    const other = defineExecutor({ ...definition, apply: () => undefined })(kv)
    await expect(other.initChain(GENESIS, options)).rejects.toMatchObject({ code: 'GENESIS_MISMATCH' })
  })

  test.for(['{', '{"a":{"$bigint":"x"}}', '\u0000'])('a damaged state %s is told', async (text) => {
    const kv: Kv = await emptyKv()
    await runBlocks(bank(kv), [['mint ada 30']])
    await kv.batch([{ type: 'put', key: utf8('estate'), value: utf8(text) }])
    await expect(bank(kv).state()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })
})
