import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { sleep } from '../../core/env.ts'
import { createBlockClock } from './clock.ts'

const { signal } = new AbortController()

/** Blocks made in a second at 10 ms block time when making the fifth takes `stall` milliseconds. */
async function blocksInASecond(stall: number): Promise<number> {
  const virtual = createVirtualEnv()
  const stopping = new AbortController()
  const clock = createBlockClock(virtual, {
    blockTime: 10,
    lazyMode: false,
    lazyBlockInterval: 60_000,
    txsWait: () => false,
  })
  let made = 0
  const work = async (): Promise<void> => {
    clock.begin(10)
    for (;;) {
      await clock.wait({ signal: stopping.signal })
      made++
      if (made === 5) await sleep(virtual.env, stall, signal)
    }
  }
  const over = work().catch(() => undefined)
  await virtual.advance(1_000)
  stopping.abort()
  await over
  return made
}

test('a short stall is made good, a long one is not', async () => {
  expect(await blocksInASecond(0)).toBe(101)
  expect(await blocksInASecond(150)).toBe(101)
  // From the end of the stall on, one every 10 ms.
  expect(await blocksInASecond(500)).toBe(52)
})
