import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { benchOver, emptyKv, executorSuite } from '../../test/suites/executor-suite.ts'
import { createKvExecutor } from './kv-executor.ts'

executorSuite('kv', createKvExecutor)

/** Root after blocks of transactions on an empty state. */
async function rootAfter(...blocks: readonly string[][]): Promise<string> {
  const { run } = await benchOver(createKvExecutor, await emptyKv())
  let root = ''
  for (const [index, txs] of blocks.entries()) root = await run(index + 1, ...txs)
  return root
}

test('the root is that of the state alone, whatever led there', async () => {
  const root = await rootAfter(['a=1', 'b=2'])
  expect(await rootAfter(['b=2', 'a=1'])).toBe(root)
  expect(await rootAfter(['a=1'], ['b=2'])).toBe(root)
  expect(await rootAfter(['b=2'], [], ['a=1'])).toBe(root)
  expect(await rootAfter(['a=9', 'b=2'], ['a=1'])).toBe(root)
  expect(await rootAfter(['a=1', 'b=2'], ['a=7', 'b=8'], ['b=2', 'a=1'])).toBe(root)
  expect(await rootAfter(['a=1', 'b=3'])).not.toBe(root)
})

test('distinct keys give one root in any order and any cut into blocks', async () => {
  const txs = ['a=1', 'b=1', 'c=2', 'd=', 'e=1', 'f=x=y']
  const root = await rootAfter(txs)
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(txs, { minLength: txs.length }),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }),
      async (order, sizes) => {
        const blocks: string[][] = []
        const rest = [...order]
        for (const size of sizes) blocks.push(rest.splice(0, size))
        expect(await rootAfter(...blocks, rest)).toBe(root)
      },
    ),
    { numRuns: 25 },
  )
})

test('key and value are told apart', async () => {
  const roots = [['ab=c'], ['a=bc'], ['a=b', 'c='], ['a=', 'b=c'], ['abc=']]
  const found = await Promise.all(roots.map(async (txs) => await rootAfter(txs)))
  expect(new Set(found).size).toBe(roots.length)
})

test('roots stay what they are across versions', async () => {
  // Computed apart from this code, with Python's hashlib.
  expect(await rootAfter([])).toBe('879947bd4a40d758252567c09d8f223db9c754fe0bcb1fd48a21b4793a97f4e5')
  expect(await rootAfter(['a=1', 'b=2'])).toBe(
    '0b3f898bc7101019ac2847e1fe68326feb0bcba116051aa8d25c089ef95e5bb4',
  )
  const long = `long=${'x'.repeat(10_000)}`
  expect(await rootAfter(['a=1', 'b=2', 'ä=ö'], ['a=9', long], ['b=2', 'long=short', 'c='])).toBe(
    'bf7f7b7fa162aae05bcd258647fefa1b1af62346027cacbea8d43ee563db7a60',
  )
})
