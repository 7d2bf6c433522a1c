/*
 * Reads blocks at random heights from a home, in the ways that parts of a node do. Argument: a ReadOrder as JSON.
 * Tells `{ rates }`.
 */
import { createBlockStore } from '../../src/store/block-store.ts'
import { headerHash } from '../../src/types/header.ts'
import { EMPTY_BYTES } from '../../src/util/bytes.ts'
import type { ReadOrder, ReadRate } from '../store.ts'
import { openChain } from './chain-stores.ts'

/** Items of one answer of the exchange. */
const PAGE = 64
/** Reads that are under way together, as those of many clients. */
const TOGETHER = 16
const HASHES = 2_000

const { home, blocks, span }: ReadOrder = JSON.parse(process.argv[2] ?? '{}')
const stores = await openChain(home)
const { kv, headers } = stores
const store = createBlockStore({ kv })
await store.start()

// The same heights in every run.
let seed = 1
function randomHeight(below: number = blocks): number {
  seed = (seed * 48_271) % 2_147_483_647
  return 1 + (seed % below)
}

async function rateOf(task: () => Promise<unknown>, together: number): Promise<number> {
  const until = performance.now() + span
  const begun = performance.now()
  let done = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      if ((await task()) === undefined) throw new Error('a block is missing')
      done++
    }
  }
  await Promise.all(Array.from({ length: together }, lane))
  return (done * 1_000) / (performance.now() - begun)
}

const hashes: Uint8Array[] = []
for (let index = 0; index < HASHES; index++) {
  const header = await headers.at(randomHeight())
  hashes.push(header === undefined ? EMPTY_BYTES : headerHash(header.header))
}
let nextHash = 0
const someHash = (): Uint8Array => hashes[nextHash++ % hashes.length] ?? EMPTY_BYTES

const block = async (): Promise<unknown> => await store.block(randomHeight())
const rates: ReadRate[] = []
async function measure(
  name: string,
  unit: string,
  task: () => Promise<unknown>,
  together = 1,
): Promise<void> {
  const factor = unit === 'headers/s' ? PAGE : 1
  rates.push({ name, unit, perSecond: factor * (await rateOf(task, together)) })
}
await measure('blocks by number, one after another', '/s', block)
await measure(`blocks by number, ${TOGETHER} at a time`, '/s', block, TOGETHER)
await measure('states by number', '/s', async () => await store.stateAt(randomHeight()))
await measure('heights by hash, checked', '/s', async () => await store.heightOf(someHash()))
await measure('headers by number', '/s', async () => await headers.at(randomHeight()))
await measure('headers by hash', '/s', async () => await headers.get(someHash()))
await measure(`headers, ranges of ${PAGE}`, 'headers/s', async () => {
  const from = randomHeight(blocks - PAGE)
  return await headers.range(from, from + PAGE)
})
await measure(`headers as bytes, ranges of ${PAGE}`, 'headers/s', async () => {
  const from = randomHeight(blocks - PAGE)
  return await headers.rangeBytes(from, from + PAGE)
})
await store.stop()
await stores.stop()
process.send?.({ rates })
process.once('disconnect', () => process.exit())
