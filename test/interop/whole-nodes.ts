/* Whole nodes in one network, one side's aggregator and the other's full node, both of which go and come back. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../src/util/bytes.ts'
import { startGoPeer } from './go-peer.ts'
import { startOurProcess } from './our-process.ts'
import type { Peer, PeerEvent } from './peer-process.ts'

const BLOCK_TIME = 100
const CHAIN_ID = 'interop-nodes'
/** So many blocks pass between one event of a test and the next. */
const STRIDE = 15

function home(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evolve-interop-home-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What an address of the loopback is without the peer id, so that one can listen there again. */
const portOf = ({ addresses }: Peer): string => (addresses[0] ?? '').replace(/\/p2p\/.*/, '')

/** Transactions of every kind that the application executes, none given twice. */
function transactions(name: string): readonly string[] {
  return [
    ...Array.from({ length: 20 }, (_, index) => `${name}${index}=${index}`),
    ` spaced ${name}\t=\u00a0value of ${name} `,
    `${name}=a=b`,
    `${name}/deep=1`,
    `../../${name}=above`,
    `empty${name}=`,
  ]
}

/** Transactions that an application takes into a block and passes over. */
const malformed: readonly string[] = ['=no key', 'no value', '', ' = ', '\u0000']

/** Resolves with the block that brings a node's transactions to a number. */
async function holding(peer: Peer, txs: number): Promise<PeerEvent> {
  let found = 0
  return await peer.event(`block with transaction ${txs}`, (line) => {
    if (line.event !== 'block') return false
    found += line.txs ?? 0
    return found >= txs
  })
}

/** Resolves when a node has executed a height. */
async function reached(peer: Peer, height: number): Promise<void> {
  await peer.event(`block ${height}`, (line) => line.event === 'block' && line.height === height)
}

const blocksOf = ({ events }: Peer): readonly PeerEvent[] => events.filter(({ event }) => event === 'block')

/** What each node said of each height up to the last must be the same, state roots included. */
function expectSameChain(last: number, made: Peer, ...others: readonly Peer[]): void {
  const expected = blocksOf(made).slice(0, last)
  expect(expected.map(({ height }) => height)).toEqual(Array.from({ length: last }, (_, index) => index + 1))
  for (const [index, block] of expected.entries()) {
    const above = expected[index + 1]
    if (above !== undefined) expect(above.appHash).toBe(block.stateRoot)
  }
  for (const other of others) {
    const told = blocksOf(other).slice(0, last)
    expect(told).toEqual(expected.slice(0, told.length))
  }
}

/** Declares the tests. */
export function wholeNodes(): void {
  describe('in one network with nodes of ev-node v1.0.0-beta.11', () => {
    test('our full node follows their aggregator: it is killed and comes back, they restart', async () => {
      const [theirHome, ourHome] = [home(), home()]
      const aggregator = { home: theirHome, 'chain-id': CHAIN_ID, 'block-time': `${BLOCK_TIME}ms` }
      const first = await startGoPeer('beta11', 'aggregate', aggregator)
      const follower = {
        home: ourHome,
        genesis: join(theirHome, 'config', 'genesis.json'),
        peers: first.addresses.join(','),
        'block-time': BLOCK_TIME,
      }
      const killed = await startOurProcess(follower)
      const one = [...malformed, ...transactions('one')]
      await first.ask('tx', { txs: one })
      const { height: early = 0 } = await holding(killed, one.length)
      await reached(killed, early + STRIDE)
      await killed.kill()

      const two = transactions('two')
      await first.ask('tx', { txs: two })
      const { height: missed = 0 } = await holding(first, one.length + two.length)
      const ours = await startOurProcess(follower)
      await reached(ours, missed + STRIDE)
      await first.stop()

      const second = await startGoPeer('beta11', 'aggregate', { ...aggregator, listen: portOf(first) })
      const three = transactions('three')
      await second.ask('tx', { txs: three })
      const total = one.length + two.length + three.length
      const { height: late = 0 } = await holding(ours, total)
      const last = late + STRIDE
      await Promise.all([reached(ours, last), reached(second, last)])
      expectSameChain(last, second, first, killed, ours)
      expect(blocksOf(ours).length).toBeGreaterThanOrEqual(last)
    })

    test('their full node follows our aggregator: it is killed and comes back, they restart', async () => {
      const [ourHome, theirHome] = [home(), home()]
      const aggregator = {
        home: ourHome,
        genesis: join(ourHome, 'genesis.json'),
        'chain-id': CHAIN_ID,
        // A machine signs with a key in one process only, and other runs of this suite may go on.
        proposer: toHex(crypto.getRandomValues(new Uint8Array(32))),
        'block-time': BLOCK_TIME,
      }
      const killed = await startOurProcess(aggregator)
      const follower = {
        home: theirHome,
        genesis: aggregator.genesis,
        peers: killed.addresses.join(','),
        'block-time': `${BLOCK_TIME}ms`,
      }
      const first = await startGoPeer('beta11', 'full', follower)
      const one = transactions('one')
      await killed.ask('tx', { txs: one })
      const { height: early = 0 } = await holding(first, one.length)
      await reached(first, early + STRIDE)
      await killed.kill()

      const ours = await startOurProcess({
        ...aggregator,
        listen: portOf(killed),
        peers: first.addresses.join(','),
      })
      const two = transactions('two')
      await ours.ask('tx', { txs: two })
      const { height: middle = 0 } = await holding(first, one.length + two.length)
      await reached(first, middle + STRIDE)
      await first.stop()

      const three = transactions('three')
      await ours.ask('tx', { txs: three })
      const total = one.length + two.length + three.length
      const { height: missed = 0 } = await holding(ours, total)
      const second = await startGoPeer('beta11', 'full', follower)
      const last = missed + STRIDE
      await Promise.all([reached(second, last), reached(ours, last)])
      expectSameChain(last, ours, killed, first, second)
      expect(blocksOf(second).length).toBeGreaterThanOrEqual(last)
    })
  })
}
