import { expect, test } from 'vitest'
import { utf8 } from '../util/bytes.ts'
import { createFollowedTxs } from './followed-txs.ts'

const [a, b, c] = ['a=1', 'b=2', 'c=3'].map(utf8)
const blocks = new Map([
  [4, [a]],
  [5, []],
  [6, [b, a]],
])
const store = {
  async data(height: number) {
    const txs = blocks.get(height)?.filter((tx) => tx !== undefined)
    return txs === undefined ? undefined : { txs }
  },
}

function offered(...txs: readonly (Uint8Array | undefined)[]): Uint8Array[] {
  return txs.filter((tx) => tx !== undefined)
}

test('what came to rest while following is left out of blocks, and nothing else', async () => {
  const followed = createFollowedTxs(store)
  expect(followed.without(offered(a, b, c), ['ok', 'ok', 'ok'])).toEqual(['ok', 'ok', 'ok'])
  await followed.read(5, 7)
  expect(followed.without(offered(a, c, b), ['ok', 'ok', 'postpone'])).toEqual(['remove', 'ok', 'postpone'])
})

test('blocks before the following began say nothing', async () => {
  const followed = createFollowedTxs(store)
  await followed.read(5, 6)
  expect(followed.without(offered(a, b), ['ok', 'ok'])).toEqual(['ok', 'ok'])
})
