import { describe, expect, test } from 'vitest'
import type { NodeView } from './node-view.ts'
import type { NodeStatus } from './status.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { readiness } from './readiness.ts'

const SECOND = 1_000_000_000n
const NOW = 1_000_000n * SECOND

interface Standing {
  readonly status?: Partial<NodeStatus>
  readonly blockTime?: number
  readonly lazy?: { readonly interval: number }
  readonly addresses?: readonly string[]
}

const DA = { next: 9, head: 10, reachable: true, pending: 0 }

/** A follower of ten blocks, the last of which is a second old. */
function ask({ status, blockTime = 1_000, lazy, addresses = ['/ip4/127.0.0.1/tcp/1'] }: Standing) {
  const standing: NodeStatus = {
    role: 'follower',
    phase: 'following',
    height: 10,
    headerHeight: 10,
    dataHeight: 10,
    targetHeight: 10,
    finalHeight: 5,
    earliestHeight: 1,
    peers: 1,
    da: undefined,
    lastBlockTime: NOW - SECOND,
    stateRoot: EMPTY_BYTES,
    lastHeaderHash: EMPTY_BYTES,
    rates: { blocks: 0, transactions: 0, headers: 0, daHeights: 0 },
    estimate: undefined,
    ...status,
  }
  const node: Pick<NodeView, 'status' | 'addresses' | 'genesis' | 'blockTime' | 'lazy'> = {
    status: () => standing,
    addresses: () => [...addresses],
    genesis: {
      chainId: 'health',
      startTime: 0n,
      initialHeight: 1,
      proposerAddress: EMPTY_BYTES,
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    },
    blockTime,
    lazy,
  }
  return readiness({ env: { now: () => NOW }, node }, { windowSeconds: 15, maxBlocksBehind: 15 })
}

const old = { lastBlockTime: NOW - 3_600n * SECOND }

describe('a node is ready', () => {
  test.each<[string, Standing]>([
    ['that follows', {}],
    ['that makes blocks, without peers', { status: { role: 'aggregator', phase: 'producing', peers: 0 } }],
    ['that reads DA alone', { status: { peers: 0, da: DA } }],
    ['that does not listen but has peers', { addresses: [] }],
    [
      'of a chain with rare blocks',
      { blockTime: 3_600_000, status: { lastBlockTime: NOW - 1_800n * SECOND } },
    ],
    ['of a lazy chain', { lazy: { interval: 3_600_000 }, status: old }],
    ['that has every block there is, however old', { status: old }],
    ['that verifies headers alone', { status: { role: 'light', height: 0, dataHeight: 0, ...old } }],
    ['a few blocks behind', { status: { targetHeight: 25 } }],
  ])('%s', (_name, standing) => {
    expect(ask(standing)).toMatchObject({ ready: true, text: 'READY' })
  })
})

describe('a node is not ready, and says why', () => {
  test.each<[string, Standing]>([
    ['P2P not listening for connections', { addresses: [], status: { peers: 0 } }],
    ['no peers connected', { status: { peers: 0 } }],
    ['no peers connected', { status: { peers: 0, da: { ...DA, reachable: false } } }],
    ['state unavailable', { status: { phase: 'stopped' } }],
    ['no blocks yet', { status: { height: 0 } }],
    ['node halted by an error', { status: { phase: 'halted' } }],
    ['aggregator not producing blocks at expected rate', { status: { role: 'aggregator', ...old } }],
    ['node not executing blocks', { status: { targetHeight: 11, ...old } }],
    ['best-known height unknown', { status: { targetHeight: 0 } }],
    ['behind best-known head', { status: { targetHeight: 26 } }],
  ])('%s', (problem, standing) => {
    expect(ask(standing)).toMatchObject({ ready: false, text: `UNREADY: ${problem}` })
  })

  test('the first problem is told, and all criteria are listed', () => {
    const { text, criteria } = ask({ status: { peers: 0, height: 0 } })
    expect(text).toBe('UNREADY: no peers connected')
    expect(criteria.filter(({ problem }) => problem !== undefined).map(({ name }) => name)).toEqual([
      'peers',
      'blocks',
    ])
  })
})
