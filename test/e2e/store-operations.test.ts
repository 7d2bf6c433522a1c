/*
 * What operators do with the store of a node, each node a process of its own: prune it, take it back, and start new ones
 * from its snapshot.
 */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../src/node/devnet/homes.ts'
import {
  type CliProcess,
  createCliScratch,
  DA_BLOCK_TIME,
  evolve,
  initChain,
  initFollower,
  postTx,
} from '../support/cli-network.ts'

const scratch = createCliScratch()
afterAll(async () => await scratch.clear())

const DEBUG = ['--evnode.log.level', 'debug']
const FAST = ['--evnode.node.block_time', '5ms']
/** Blocks of the chain before anything is done with it. */
const BLOCKS = 2_000

async function done(parameters: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { code, stdout, stderr } = await evolve([...parameters, '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return Object(JSON.parse(stdout))
}

/** Resolves when a follower has applied a block of at least this height. */
async function applied(one: CliProcess, height: number): Promise<void> {
  // The last lines are enough, and there are many.
  await one.saidWhen(() =>
    [...one.output.slice(-8_192).matchAll(/block applied height=(\d+)/g)].some(
      ([, at]) => Number(at) >= height,
    ),
  )
}

async function stopped(one: CliProcess): Promise<void> {
  const { code, stderr } = await one.stop()
  expect(stderr).not.toMatch(/WARN|ERROR|^\s+at /m)
  expect(code).toBe(0)
}

test('a node is made from a snapshot, follows, is pruned, taken back, and others still get all blocks', async () => {
  const chain = await initChain(scratch, 'operated', FAST)
  const da = scratch.start(['da', '--port', String(chain.daPort), '--block-time', DA_BLOCK_TIME])
  await da.said('local DA started')
  const seqAt = `127.0.0.1:${await freePort()}`
  const start = [...chain.start, '--kv-endpoint', seqAt, ...DEBUG]
  const seq = scratch.start(start)
  await seq.said('node started')
  expect((await postTx(seqAt, 'name=Ada')).status).toBe(202)
  await seq.said(`block made height=${BLOCKS} `)
  await stopped(seq)

  // What an aggregator has signed is not taken back just so.
  const refused = await evolve(['rollback', '--home', chain.home])
  expect({ code: refused.code, stderr: refused.stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining('--force'),
  })

  const file = join(scratch.folder, 'chain.snapshot')
  const written = await done(['snapshot', 'export', file, '--home', chain.home])
  const height = Number(written['height'])
  expect(height).toBeGreaterThanOrEqual(BLOCKS)
  const port = await freePort()
  const home = await initFollower(scratch, chain, 'from-snapshot', [
    '--evnode.p2p.peers',
    chain.peer,
    '--evnode.p2p.listen_address',
    `/ip4/127.0.0.1/tcp/${port}`,
    ...FAST,
  ])
  const imported = await done(['snapshot', 'import', file, '--home', home])
  expect(imported).toMatchObject({ height, header_hash: written['header_hash'] })

  // It goes on where the snapshot ends, with what peers bring.
  const again = scratch.start(start)
  await again.said('taking over')
  const follower = scratch.start(['start', '--home', home, ...DEBUG])
  await follower.said(`node started chain=operated height=${height}`)
  await applied(follower, height + 100)
  expect(follower.output).not.toContain('executing stored blocks again')
  await stopped(follower)
  await stopped(again)

  const common = height + 90
  const taken = await done(['rollback', '--home', home, '--height', String(common), '--sync-node'])
  expect(taken).toMatchObject({ to: common })
  // Pruned, it serves what it still has; who needs more gets it elsewhere.
  const pruned = await done(['prune', '--home', home, '--keep', '100'])
  expect(pruned).toMatchObject({ height: common, earliest_height: common - 99 })
  const server = scratch.start(['start', '--home', home, ...DEBUG])
  await server.said('node started')
  const [peer = ''] = /\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+/.exec(server.output) ?? []
  const byPeers = await initFollower(scratch, chain, 'by-peers', [
    '--evnode.p2p.peers',
    `${peer},${chain.peer}`,
    ...FAST,
  ])
  const byDa = await initFollower(scratch, chain, 'by-da', [
    '--evnode.p2p.peers',
    peer,
    '--evnode.da.address',
    chain.da,
    '--evnode.da.namespace',
    chain.namespace,
    ...FAST,
  ])
  const [peers, fromDa] = [byPeers, byDa].map((one) => scratch.start(['start', '--home', one, ...DEBUG]))
  if (peers === undefined || fromDa === undefined) throw new Error('not started')
  await Promise.all([peers.said('node started'), fromDa.said('node started')])
  await applied(fromDa, common - 100)
  const last = scratch.start(start)
  await last.said('taking over')
  const target = common + 200
  await Promise.all([applied(peers, target), applied(fromDa, target), applied(server, target)])
  const heights = await Promise.all(
    [peers, fromDa, server].map(async (one) => {
      const { stderr } = await one.stop()
      return Number(/node stopped height=(\d+)/.exec(stderr)?.[1])
    }),
  )
  await last.stop()
  await da.stop()

  // All have the same block and state.
  const lowest = Math.min(...heights)
  expect(lowest).toBeGreaterThanOrEqual(target)
  const ends = await Promise.all(
    [home, byPeers, byDa].map(async (one) => {
      const to = ['rollback', '--home', one, '--height', String(lowest), '--sync-node']
      const { header_hash: hash, state_root: root } = await done(to)
      return `${String(hash)} ${String(root)}`
    }),
  )
  expect(new Set(ends).size).toBe(1)
})
