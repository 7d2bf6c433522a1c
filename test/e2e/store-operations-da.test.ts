/*
 * What is done with the store of nodes that follow DA: finality comes again after a rollback, goes on after an import,
 * and nothing is pruned before it is final.
 */
import { join } from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { systemEnv } from '../../src/core/env.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { withStores } from '../../src/node/offline.ts'
import { rollBack } from '../../src/node/rollback.ts'
import { exportSnapshot } from '../../src/node/snapshot-export.ts'
import { importSnapshot } from '../../src/node/snapshot-import.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { headerHash } from '../../src/types/header.ts'
import { toHex } from '../../src/util/bytes.ts'
import { type DaNetwork, startDaNetwork } from '../support/da-network.ts'

const { signal } = new AbortController()

const networks: DaNetwork[] = []
afterEach(async () => {
  for (const network of networks.splice(0)) await network.stop()
})

async function start(): Promise<DaNetwork> {
  const network = await startDaNetwork()
  networks.push(network)
  return network
}

test('blocks that were final become final again after a rollback, from DA alone', async () => {
  const network = await start()
  const seq = await network.aggregator()
  const kv = createMemoryKv()
  const before = await network.follower({ kv })
  await before.final(100)
  const hash = headerHash((await before.node.blocks.header(90))?.header ?? expect.fail('no block 90'))
  await before.node.stop()

  await kv.start()
  const executor = createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) })
  const done = await rollBack({ kv, executor }, { height: 40, belowFinal: true, signal })
  expect(done.daHeight).toBeGreaterThan(0)
  await kv.stop()

  const after = await network.follower({ kv })
  await after.final(150)
  // Only from where the first block lies that went.
  expect(Math.min(...after.reads.map(({ height }) => height))).toBe(done.daHeight)
  expect(await after.node.blocks.heightOf(hash)).toBe(90)
  expect(await after.node.blocks.inclusionOf(90)).toEqual(await seq.node.blocks.inclusionOf(90))
  expect(await after.rootAt(150)).toBe(await seq.rootAt(150))
})

test('a node from a snapshot reads DA on from where the snapshot was, and finality goes on', async () => {
  const network = await start()
  const seq = await network.aggregator()
  const kv = createMemoryKv()
  const before = await network.follower({ kv })
  await before.final(100)
  await before.node.stop()
  const read = before.node.status().da?.next ?? 0

  const folder = await mkdtemp(join(tmpdir(), 'snapshot-da-'))
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }))
  const [file, directory] = [join(folder, 'file'), join(folder, 'kv')]
  const deps = { genesis: network.genesis, application: 'kv', env: systemEnv }
  const { manifest } = await withStores(kv, async ({ blocks }) => {
    const executor = createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) })
    return await exportSnapshot({ ...deps, kv, blocks, executor }, file, { recent: 5, signal })
  })
  await importSnapshot({ ...deps, executor: (part) => createKvExecutor({ kv: part }) }, file, {
    directory,
    signal,
  })

  const after = await network.follower({ kv: createLevelKv({ path: directory }) })
  expect(after.node.status()).toMatchObject({ earliestHeight: manifest.firstHeight })
  expect(after.node.status().finalHeight).toBeGreaterThanOrEqual(manifest.finalHeight)
  const target = manifest.height + 50
  await after.final(target)
  expect(Math.min(...after.reads.map(({ height }) => height))).toBeGreaterThanOrEqual(read - 2)
  expect(await after.rootAt(target)).toBe(await seq.rootAt(target))
})

test('nodes prune while they make and follow blocks, up to what is final, and start again', async () => {
  const network = await start()
  const pruning = { mode: 'all', keepRecent: 20, interval: 50 } as const
  const seq = await network.aggregator({ pruning })
  // What is pruned can be compared no more.
  const roots = [new Map<number, string>(), new Map<number, string>()] as const
  seq.node.onBlock(({ height, stateRoot }) => roots[0].set(height, toHex(stateRoot)))
  const kv = createMemoryKv()
  const follower = await network.follower({ kv, pruning, peers: seq.node.addresses() })
  for (const one of [seq, follower]) {
    const { node } = one
    await one.final(120)
    const pruned = Promise.withResolvers<void>()
    node.onBlock(() => {
      if (node.status().earliestHeight > 60) pruned.resolve()
    })
    await pruned.promise
    const { earliestHeight, finalHeight, height } = node.status()
    expect(earliestHeight).toBeLessThanOrEqual(finalHeight + 1)
    expect(height - earliestHeight).toBeGreaterThanOrEqual(19)
    expect(await node.blocks.block(50)).toBeUndefined()
    expect(await node.blocks.stateAt(50)).toBeUndefined()
    expect(Math.min(node.headers.tailHeight, node.data.tailHeight)).toBeGreaterThan(50)
  }
  // DA gone: nothing becomes final, so nothing more is removed.
  await network.daDown()
  const { finalHeight } = seq.node.status()
  await seq.executed(finalHeight + 60)
  expect(seq.node.status().earliestHeight).toBeLessThanOrEqual(seq.node.status().finalHeight + 1)
  await network.daUp()
  await follower.node.stop()
  const again = await network.follower({ kv, pruning, peers: seq.node.addresses() })
  again.node.onBlock(({ height, stateRoot }) => roots[1].set(height, toHex(stateRoot)))
  expect(again.node.status().earliestHeight).toBeGreaterThan(60)
  const target = again.node.status().height + 80
  await again.final(target)
  expect(roots[1].get(target)).toBe(roots[0].get(target) ?? 'none')
})
