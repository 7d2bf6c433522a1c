import { expect, test } from 'vitest'
import { createWake } from '../../util/async.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import type { DaBlock } from './found.ts'
import { createInbox } from './inbox.ts'

function setUp(options: { readonly most?: number; readonly end?: Error; readonly count?: number } = {}) {
  const { most = 4, end, count = 100 } = options
  const stop = new AbortController()
  let read = 0
  async function* blocks(): AsyncGenerator<DaBlock, void> {
    for (let height = 1; height <= count; height++) {
      read = height
      yield { height, hash: EMPTY_BYTES, previousHash: EMPTY_BYTES, headers: [], data: [] }
    }
    if (end !== undefined) throw end
  }
  const arrived = createWake()
  const inbox = createInbox(blocks(), arrived, most)
  return { inbox, stop, reads: () => read, wait: async () => await arrived.wait(stop.signal) }
}

/** Lets everything go on that does not wait for something outside. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve()
}

test('blocks gather, in their order, as many as are allowed, and reading waits', async () => {
  const { inbox, wait, reads } = setUp()
  await wait()
  await settle()
  expect(reads()).toBe(4)
  expect(inbox.take().map(({ height }) => height)).toEqual([1, 2, 3, 4])
  expect(inbox.take()).toEqual([])
  await wait()
  await settle()
  expect(inbox.take().map(({ height }) => height)).toEqual([5, 6, 7, 8])
  await inbox.close()
  expect(reads()).toBeLessThanOrEqual(12)
})

test('what ends the reading is thrown once the blocks before it are taken', async () => {
  const end = new Error('the end')
  const { inbox, wait } = setUp({ count: 2, end })
  await wait()
  await settle()
  expect(inbox.take()).toHaveLength(2)
  await wait()
  expect(() => inbox.take()).toThrow(end)
  await inbox.close()
})
