import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { type LogFields, noopLogger } from '../core/logger.ts'
import type { NodeStatus } from '../core/status.ts'
import { createProgressReporter } from './progress-reporter.ts'

function setUp(interactive: boolean) {
  const virtual = createVirtualEnv()
  const lines: (string | undefined)[] = []
  const logged: [string, LogFields | undefined][] = []
  let status: NodeStatus = {
    role: 'follower',
    phase: 'catching-up',
    height: 0,
    headerHeight: 1_000,
    dataHeight: 1_000,
    targetHeight: 1_000,
    earliestHeight: 1,
    rates: { blocks: 0, transactions: 0, headers: 0, daHeights: 0 },
    estimate: undefined,
    finalHeight: 0,
    peers: 2,
    da: undefined,
    lastBlockTime: 0n,
    stateRoot: new Uint8Array(),
    lastHeaderHash: new Uint8Array(),
  }
  const reporter = createProgressReporter(
    {
      status: () => status,
      terminal: { interactive, width: 90, write() {}, live: (line) => lines.push(line) },
      env: virtual.env,
      logger: { ...noopLogger, info: (message, fields) => logged.push([message, fields]) },
    },
    { color: false },
  )
  const set = (change: Partial<NodeStatus>): void => {
    status = { ...status, ...change }
  }
  return { virtual, lines, logged, reporter, set }
}

test('on a terminal a line moves until the tip is reached, and comes back when the node falls behind', async () => {
  const { virtual, lines, logged, reporter, set } = setUp(true)
  reporter.start()
  set({ height: 100 })
  await virtual.advance(200)
  expect(lines.at(-1)).toMatch(/^syncing .* 10\.0 % .* 500 blocks\/s .* 2s left$/)
  set({ phase: 'following', height: 1_000 })
  await virtual.advance(200)
  expect(lines.at(-1)).toBeUndefined()
  expect(logged).toEqual([['caught up', { height: 1_000, peers: 2 }]])
  set({ phase: 'catching-up', targetHeight: 2_000 })
  await virtual.advance(200)
  expect(lines.at(-1)).toContain('50.0 %')
  reporter.stop()
  expect(lines.at(-1)).toBeUndefined()
  expect(virtual.timers).toBe(0)
})

test('elsewhere a line is logged each five seconds', async () => {
  const { virtual, logged, reporter, set } = setUp(false)
  reporter.start()
  set({ height: 500 })
  await virtual.advance(4_999)
  expect(logged).toEqual([])
  await virtual.advance(1)
  expect(logged).toEqual([
    [
      'catching up',
      {
        phase: 'catching-up',
        height: 500,
        header_height: 1_000,
        target_height: 1_000,
        blocks_per_second: 100,
        peers: 2,
      },
    ],
  ])
  set({ phase: 'following', height: 1_000 })
  await virtual.advance(20_000)
  expect(logged.slice(1)).toEqual([['caught up', { height: 1_000, peers: 2 }]])
  reporter.stop()
  expect(virtual.timers).toBe(0)
})
