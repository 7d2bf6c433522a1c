import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readRecording } from '../../scripts/recorded/recording.ts'
import { benchOver, emptyKv, executorSuite } from '../../test/suites/executor-suite.ts'
import { equalBytes, fromUtf8, toHex, utf8 } from '../util/bytes.ts'
import { createTestappExecutor, testappKey } from './testapp-executor.ts'

executorSuite('testapp', createTestappExecutor)

const options = { signal: new AbortController().signal }

/** The root after blocks of transactions, as text. */
async function rootAfter(...blocks: readonly string[][]): Promise<string> {
  const { run, executor } = await benchOver(createTestappExecutor, await emptyKv())
  for (const [index, txs] of blocks.entries()) await run(index + 1, ...txs)
  return fromUtf8(await executor.stateRoot()) ?? ''
}

test('the root is every entry in byte order of its path', async () => {
  expect(await rootAfter()).toBe('')
  expect(await rootAfter(['b=2', 'a=1'], ['a=3'])).toBe('/height/1/a:1;/height/1/b:2;/height/2/a:3;')
  const blocks = Array.from({ length: 11 }, (_, index) => [`k=${index + 1}`])
  expect(await rootAfter(...blocks)).toMatch(
    /^\/height\/1\/k:1;\/height\/10\/k:10;\/height\/11\/k:11;\/height\/2\/k:2;/,
  )
})

test.for([
  ['a', '/height/7/a'],
  ['a/b', '/height/7/a/b'],
  ['/a//b/', '/height/7/a/b'],
  ['./a/./b/.', '/height/7/a/b'],
  ['a/../b', '/height/7/b'],
  ['..', '/height'],
  ['../..', '/height'],
  ['../../../x', '/height/x'],
  ['../8/x', '/height/8/x'],
  ['.', '/height/7'],
  ['...', '/height/7/...'],
  ['a b', '/height/7/a b'],
])('the key %s of height 7 is the path %s', ([key, path]) => {
  expect(fromUtf8(testappKey(7, utf8(key ?? '')))).toBe(path)
})

test('bytes that are no text pass into the path unchanged', () => {
  expect(toHex(testappKey(1, Uint8Array.of(0xff, 0x00, 0xc3)))).toBe(`${toHex(utf8('/height/1/'))}ff00c3`)
})

test('a key may reach into another height; get goes by the path', async () => {
  const { executor, run } = await benchOver(createTestappExecutor, await emptyKv())
  await run(1, '../9/a=early')
  await run(2, 'a=late', 'deep/a=1')
  expect(await executor.get(utf8('a'))).toEqual(utf8('early'))
  expect(await executor.get(utf8('deep/a'))).toEqual(utf8('1'))
  expect(await executor.get(utf8('deep'))).toBeUndefined()
})

test('the recorded chain executes to the roots in its headers', async () => {
  const folder = fileURLToPath(new URL('../../test/fixtures/recorded-chain', import.meta.url))
  const { genesis, blocks, final } = readRecording(folder)
  expect(blocks).toHaveLength(2_264)
  const kv = await emptyKv()
  const executor = createTestappExecutor({ kv })
  const { startTime: time, initialHeight, chainId } = genesis
  let root = await executor.initChain({ time, initialHeight, chainId }, options)
  const wrong: number[] = []
  for (const { header, data } of blocks) {
    const { height, appHash } = header.header
    if (!equalBytes(root, appHash)) wrong.push(height)
    const request = { txs: data.txs, height, time: header.header.time, previousStateRoot: root }
    root = (await executor.executeTxs(request, options)).stateRoot
  }
  expect(wrong).toEqual([])
  expect(toHex(root)).toBe(toHex(final.stateRoot))
  expect(await executor.latestHeight(options)).toBe(final.height)
  // The same from what lies in the database, and for a stretch that is executed once more.
  const next = createTestappExecutor({ kv })
  expect(await next.stateRoot()).toEqual(root)
  await next.rollback(final.height - 1_000, options)
  for (const { header, data } of blocks.slice(-1_000)) {
    const { height, appHash, time: blockTime } = header.header
    expect(await next.stateRoot()).toEqual(appHash)
    await next.executeTxs({ txs: data.txs, height, time: blockTime, previousStateRoot: appHash }, options)
  }
  expect(await next.stateRoot()).toEqual(root)
})
