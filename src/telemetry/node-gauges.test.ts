import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { PeerConnection } from '../core/node-view.ts'
import type { NodeStatus } from '../core/status.ts'
import { reportNode } from './node-gauges.ts'

const NOW = 1_700_000_000_000_000_000n

const status: NodeStatus = {
  role: 'follower',
  phase: 'catching-up',
  height: 40,
  headerHeight: 60,
  dataHeight: 50,
  targetHeight: 100,
  finalHeight: 30,
  earliestHeight: 5,
  peers: 2,
  da: { next: 12, head: 14, reachable: false, pending: 0 },
  lastBlockTime: NOW - 2_500_000_000n,
  stateRoot: new Uint8Array(),
  lastHeaderHash: new Uint8Array(),
  rates: { blocks: 1, transactions: 0, headers: 0, daHeights: 0 },
  estimate: undefined,
}

const connection: PeerConnection = {
  peer: 'a',
  address: '/ip4/127.0.0.1/tcp/1',
  direction: 'inbound',
  openedAt: NOW,
  encryption: undefined,
  protocols: [],
  agent: '',
  configured: false,
}

/** What is reported of a node, by name and labels. */
function reported(changed: Partial<NodeStatus>, connections: readonly PeerConnection[] = []) {
  const values: Record<string, number> = {}
  const metrics = {
    count() {},
    observe() {},
    gauge(name: string, value: number, labels: Readonly<Record<string, string>> = {}) {
      values[[name, ...Object.values(labels)].join(' ')] = value
    },
  }
  const node = {
    status: () => ({ ...status, ...changed }),
    connections: () => [...connections],
    addresses: () => ['/ip4/127.0.0.1/tcp/1'],
    genesis: {
      chainId: 'a',
      startTime: 0n,
      initialHeight: 1,
      proposerAddress: new Uint8Array(32),
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    },
    blockTime: 1_000,
    lazy: undefined,
  }
  const ready = { windowSeconds: 15, maxBlocksBehind: 15 }
  reportNode({ node, ready, metrics, env: createVirtualEnv(NOW).env, version: '1.2.3', runtime: 'v24' })
  return values
}

test('a node that catches up shows every stage, and how far it is behind', () => {
  expect(reported({}, [connection, connection, { ...connection, direction: 'outbound' }])).toMatchObject({
    'build_info 1.2.3 v24 follower': 1,
    'node_phase catching-up': 1,
    'node_phase following': 0,
    sequencer_height: 40,
    node_sync_lag_blocks: 60,
    node_target_height: 100,
    node_header_height: 60,
    node_data_height: 50,
    node_final_height: 30,
    node_earliest_height: 5,
    node_last_block_age_seconds: 2.5,
    node_da_next_height: 12,
    da_client_reachable: 0,
    'p2p_connections inbound': 2,
    'p2p_connections outbound': 1,
    'node_ready running': 1,
    'node_ready peers': 1,
    'node_ready behind': 0,
  })
})

test('before the first block, and without DA, what is not known is not there', () => {
  const values = reported({ height: 0, lastBlockTime: 0n, da: undefined, peers: 0, targetHeight: 0 })
  for (const name of [
    'sequencer_height',
    'node_last_block_age_seconds',
    'node_da_next_height',
    'da_client_reachable',
  ]) {
    expect(values).not.toHaveProperty(name)
  }
  expect(values).toMatchObject({
    node_sync_lag_blocks: 0,
    'node_ready peers': 0,
    'node_ready blocks': 0,
  })
})

test('readiness tells its criteria apart', () => {
  expect(reported({ height: 98 })['node_ready behind']).toBe(1)
  expect(reported({ phase: 'halted' })['node_ready running']).toBe(0)
  expect(reported({ peers: 0 })['node_ready peers']).toBe(0)
  expect(reported({ peers: 0, role: 'aggregator' })['node_ready peers']).toBe(1)
})
