import { expect, test } from 'vitest'
import { createBlob } from '../blob.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { type Deferred, deferred } from '../../util/async.ts'
import { createAhead } from './ahead.ts'
import type { Sifted } from './fetcher.ts'
import type { Sieve } from './sieve.ts'

const MIB = 1024 * 1024
const namespace = namespaceBytes('ahead')

/** A height of which so many bytes are kept. */
function sifted(height: number, bytes: number): Sifted {
  const sieve: Sieve = {
    headers: [],
    data: [],
    drops: new Map(),
    crowdedOut: undefined,
    keptBytes: bytes,
    seenBytes: bytes,
    keep: () => true,
    take: () => createBlob(namespace, new Uint8Array(1)),
  }
  return {
    header: { height, hash: EMPTY_BYTES, previousHash: EMPTY_BYTES, time: 0n },
    sieves: [sieve],
    proposer: undefined,
  }
}

function setUp() {
  const stop = new AbortController()
  const asked: {
    readonly height: number
    readonly signal: AbortSignal
    readonly answer: Deferred<Sifted>
    readonly kept: (bytes: number) => void
  }[] = []
  const ahead = createAhead(
    async (height, signal, kept = () => undefined) => {
      const answer = deferred<Sifted>()
      signal.addEventListener('abort', () => answer.reject(signal.reason), { once: true })
      asked.push({ height, signal, answer, kept })
      return await answer.promise
    },
    { parallel: 6, signal: stop.signal },
  )
  const under = (): number[] => asked.filter(({ signal }) => !signal.aborted).map(({ height }) => height)
  const answer = (height: number, bytes: number): void =>
    asked.findLast((one) => one.height === height)?.answer.resolve(sifted(height, bytes))
  /** Reads on along small heights, after which many are read at a time. */
  const calm = async (to: number): Promise<void> => {
    for (let height = 1; height <= to; height++) {
      ahead.begin(height, 100)
      answer(height, 10)
      await ahead.take()
    }
  }
  return { ahead, asked, under, answer, calm, stop }
}

test('heights are read in parallel and taken in their order', async () => {
  const { ahead, under, answer, calm } = setUp()
  await calm(20)
  ahead.begin(21, 100)
  expect(under().slice(-6)).toEqual([21, 22, 23, 24, 25, 26])
  for (const height of [26, 25, 24, 23, 22, 21]) answer(height, 10)
  for (const height of [21, 22, 23]) expect((await ahead.take())?.header.height).toBe(height)
  ahead.begin(24, 27)
  expect(under().at(-1)).toBe(27)
})

test('when heights turn out large, those needed last are given up and read again later', async () => {
  const { ahead, asked, answer, calm } = setUp()
  await calm(20)
  ahead.begin(21, 100)
  for (const height of [22, 23, 24, 25, 26]) answer(height, 20 * MIB)
  await Promise.resolve()
  answer(21, 20 * MIB)
  for (const height of [21, 22, 23]) expect((await ahead.take())?.header.height).toBe(height)
  expect(asked.filter(({ signal }) => signal.aborted).map(({ height }) => height)).toEqual([24, 25, 26])
  const before = asked.length
  ahead.begin(24, 100)
  // Three have room if they are as large as those before them.
  expect(asked.slice(before).map(({ height }) => height)).toEqual([24, 25, 26])
})

test('what comes of a height counts before all of it has come', async () => {
  const { ahead, asked, under, answer, calm } = setUp()
  await calm(20)
  ahead.begin(21, 100)
  for (const { height, kept } of asked.slice(-6)) {
    kept(5 * MIB)
    kept((height === 21 ? 20 : 12) * MIB)
  }
  expect(under().slice(-4)).toEqual([21, 22, 23, 24])
  answer(21, 20 * MIB)
  expect((await ahead.take())?.header.height).toBe(21)
})

test('what was begun is given up together', async () => {
  const { ahead, asked, calm } = setUp()
  await calm(20)
  ahead.begin(21, 100)
  ahead.clear()
  expect(asked.filter(({ signal }) => signal.aborted).map(({ height }) => height)).toHaveLength(6)
  ahead.begin(21, 100)
  expect(asked.at(-1)?.height).toBe(26)
})
