import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DevnetStatus } from '../node/devnet/devnet.ts'
import type { NodePhase, NodeStatus } from '../core/status.ts'
import { type DevnetFacts, devnetLine, renderDevnet } from './devnet-view.ts'

function nodeStatus(given: Partial<NodeStatus>): NodeStatus {
  return {
    role: 'follower',
    phase: 'following',
    height: 1_234,
    headerHeight: 1_234,
    dataHeight: 1_234,
    targetHeight: 1_234,
    earliestHeight: 1,
    rates: { blocks: 0, transactions: 0, headers: 0, daHeights: 0 },
    estimate: undefined,
    finalHeight: 1_200,
    peers: 1,
    da: { next: 31, head: 30, reachable: true, pending: 0 },
    lastBlockTime: 0n,
    stateRoot: new Uint8Array(32).fill(0xab),
    lastHeaderHash: new Uint8Array(32),
    ...given,
  }
}

const status: DevnetStatus = {
  da: { address: 'http://127.0.0.1:7980', height: 30 },
  endpoint: 'http://127.0.0.1:9090',
  rpc: 'http://127.0.0.1:7331',
  nodes: [
    { name: 'aggregator', status: nodeStatus({ role: 'aggregator', phase: 'producing' }) },
    { name: 'follower', status: nodeStatus({ phase: 'catching-up', height: 7 }) },
    {
      name: 'da-only',
      status: nodeStatus({
        phase: 'waiting-peers',
        height: 0,
        finalHeight: 0,
        peers: 0,
        stateRoot: new Uint8Array(0),
      }),
    },
  ],
  txs: 12_345,
}

const facts: DevnetFacts = {
  status,
  elapsed: 65,
  txsPerSecond: 1_234.5,
  blocksPerSecond: 9.87,
  root: '/tmp/net',
  warning: undefined,
  ends: 'Ctrl-C stops',
}

const ESCAPE = '\u001b'
const COLOURS = new RegExp(`${ESCAPE}\\[\\d+m`, 'g')

describe('the table', () => {
  test('shows where things are, how fast, and a row a node', () => {
    expect(renderDevnet(facts, { width: 100, color: false }).join('\n')).toBe(
      `evolve devnet   1m05s   Ctrl-C stops
DA            http://127.0.0.1:7980   height 30
explorer      http://127.0.0.1:7331
transactions  http://127.0.0.1:9090/tx   12,345 in blocks
speed         9.9 blocks/s   1,235 tx/s
home          /tmp/net

node        state        height  final  DA read  peers  state root
aggregator  producing     1,234  1,200       30      1  abababababababab
follower    catching-up       7  1,200       30      1  abababababababab
da-only     waiting           0      0       30      0  –`,
    )
  })

  test('in colours says the same', () => {
    const plain = renderDevnet(facts, { width: 100, color: false })
    const coloured = renderDevnet(facts, { width: 100, color: true })
    expect(coloured.map((line) => line.replaceAll(COLOURS, ''))).toEqual(plain)
    expect(coloured.join('\n')).toContain('\u001b[32mproducing\u001b[39m')
    expect(coloured.join('\n')).toContain('\u001b[33mcatching-up\u001b[39m')
  })

  test('shows the last warning', () => {
    const lines = renderDevnet({ ...facts, warning: 'DA does not answer' }, { width: 100, color: false })
    expect(lines.at(-1)).toBe('last warning  DA does not answer')
  })

  test('keeps to its lines, whatever an error quotes', () => {
    const lines = renderDevnet({ ...facts, warning: 'a\nb\u001b[2J' }, { width: 100, color: false })
    expect(lines.at(-1)).toBe('last warning  a·b·[2J')
  })

  test('never reaches the edge of the terminal, whatever stands in it', () => {
    const phases = fc.constantFrom<NodePhase>('producing', 'waiting-executor', 'halted', 'catching-up')
    fc.assert(
      fc.property(
        fc.integer({ min: 21, max: 200 }),
        fc.nat(),
        phases,
        fc.string(),
        (width, height, phase, text) => {
          const nodes = status.nodes.map((node) => ({ ...node, status: nodeStatus({ height, phase }) }))
          const lines = renderDevnet(
            { ...facts, status: { ...status, nodes, txs: height }, warning: text, root: `/${text}` },
            { width, color: true },
          )
          for (const line of lines) expect(line.replaceAll(COLOURS, '').length).toBeLessThan(width)
        },
      ),
    )
  })
})

test('where no terminal is one line tells it all', () => {
  expect(devnetLine(facts)).toBe(
    'DA 30 · aggregator producing 1234 (final 1200) · follower catching-up 7 (final 1200) · da-only waiting 0 (final 0) · 10 blocks/s · 1235 tx/s',
  )
})
