import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createRateMeter } from './rates.ts'

test('rates are those of the last seconds', async () => {
  const { env, advance } = createVirtualEnv()
  const totals = { blocks: 1_000, transactions: 0, headers: 5_000, daHeights: 0 }
  const meter = createRateMeter({ env, totals: () => ({ ...totals }) })
  expect(meter.rates().blocks).toBe(0)
  await meter.start()
  for (let second = 0; second < 20; second++) {
    totals.blocks += second < 10 ? 100 : 10
    totals.transactions += 3
    await advance(1_000)
  }
  expect(meter.rates()).toEqual({ blocks: 10, transactions: 3, headers: 0, daHeights: 0 })
  totals.headers = 0
  expect(meter.rates().headers).toBe(0)
  await meter.stop()
  expect(meter.rates().blocks).toBe(0)
})
