import { describe, expect, it } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { HeightEvent } from '../../core/block-source.ts'
import type { Block } from '../../core/block-store.ts'
import type { Executor } from '../../core/executor.ts'
import { type Logger, noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { createProposers } from '../../core/proposers.ts'
import { createBlockStore } from '../../store/block-store.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { signHeader } from '../../types/header.ts'
import { EMPTY_BYTES, toHex, utf8 } from '../../util/bytes.ts'
import { sha256 } from '../../util/crypto.node.ts'
import type { FollowerOptions } from './follower.ts'
import { createFollower } from './syncer.ts'

const chain = makeChain({ count: 12 })
const rootAfter = (height: number): Uint8Array => sha256(utf8(`state before ${height + 1}`))
const never = new AbortController().signal

/** Gives the roots that the test chain's headers carry, and notes what it executed. */
function scriptedExecutor(executed: number[]): Executor {
  return {
    initChain: async () => EMPTY_BYTES,
    getTxs: async () => [],
    async executeTxs({ height }) {
      executed.push(height)
      return { stateRoot: rootAfter(height), nextProposerAddress: EMPTY_BYTES }
    },
    setFinal: async () => undefined,
    getExecutionInfo: async () => ({ maxGas: 0n }),
    filterTxs: async ({ txs }) => txs.map(() => 'ok'),
  }
}

function blockAt(height: number): Block {
  const block = chain.blocks[height - 1]
  if (block === undefined) throw new RangeError(`no block ${height}`)
  return block
}

const logged: unknown[] = []
const logger: Logger = {
  ...noopLogger,
  debug: (message, fields) => void logged.push([message, fields]),
  child: () => logger,
}

async function bench(options: FollowerOptions = {}) {
  const clock = createVirtualEnv()
  const kv = createMemoryKv()
  const blockStore = createBlockStore({ kv })
  await kv.start()
  await blockStore.start()
  const executed: number[] = []
  const rejected: unknown[] = []
  const dropped: number[] = []
  const follower = createFollower(
    {
      blockStore,
      executor: scriptedExecutor(executed),
      proposers: createProposers(1, chain.genesis.proposerAddress),
      genesis: chain.genesis,
      env: clock.env,
      logger,
      metrics: noopMetrics,
    },
    options,
  )
  const eventOf = (block: Block, height: number): HeightEvent => ({
    ...block,
    height,
    source: 'test',
    daHeight: undefined,
    stored: false,
    rejected: async (reason) => void rejected.push(reason),
    dropped: () => void dropped.push(height),
  })
  return {
    follower,
    blockStore,
    executed,
    rejected,
    dropped,
    settle: async () => await clock.settle(),
    offer: async (block: Block) =>
      await follower.offer(eventOf(block, block.header.header.height), { signal: never }),
    offerAs: async (block: Block, height: number) =>
      await follower.offer(eventOf(block, height), { signal: never }),
  }
}

describe('follower', () => {
  it('executes every height once, in order, however events arrive', async () => {
    const { follower, offer, executed, settle } = await bench()
    await follower.start()
    for (const height of [3, 2, 2, 5, 1, 1, 4, 3]) await offer(blockAt(height))
    await settle()
    expect(executed).toEqual([1, 2, 3, 4, 5])
    expect(follower.status()).toMatchObject({ height: 5, parked: 0, parkedBytes: 0, stateRoot: rootAfter(5) })
    await follower.stop()
  })

  it('drops wrong blocks, tells their source, and goes on', async () => {
    const { follower, offer, offerAs, executed, rejected, settle } = await bench()
    await follower.start()
    const good = blockAt(1)
    await offer({ ...good, header: { ...good.header, signature: new Uint8Array(64) } })
    await offer({ ...good, header: signHeader(good.header.header, sha256(utf8('a stranger'))) })
    await offer({ ...good, data: { ...good.data, txs: [utf8('other=1')] } })
    await offerAs(blockAt(2), 1)
    await offer(good)
    await settle()
    const codes = ['INVALID_SIGNATURE', 'INVALID_HEADER', 'DATA_MISMATCH', 'UNEXPECTED_HEIGHT']
    expect(rejected).toEqual(codes.map((code) => expect.objectContaining({ code, verdict: 'reject' })))
    expect(executed).toEqual([1])
    await follower.stop()
  })

  it('ends with height, expected and found when the proposer contradicts our state', async () => {
    const { follower, offer, settle } = await bench()
    await follower.start()
    await offer(blockAt(1))
    const { header, data } = blockAt(2)
    const found = sha256(utf8('another root'))
    await offer({ header: signHeader({ ...header.header, appHash: found }, chain.seed), data })
    const error = await follower.failed
    await settle()
    expect(error).toMatchObject({ code: 'APP_HASH_MISMATCH', verdict: 'halt' })
    expect(error.message).toContain('block 2')
    expect(error.message).toContain(toHex(rootAfter(1)))
    expect(error.message).toContain(toHex(found))
    expect(follower.status()).toMatchObject({ phase: 'halted', height: 1 })
    await expect(offer(blockAt(2))).rejects.toMatchObject({ code: 'FOLLOWER_STOPPED' })
    await follower.stop()
    await expect(follower.start()).rejects.toBe(error)
  })

  it('parks no more than its bounds and tells what it lets go of', async () => {
    const { follower, offer, dropped, settle } = await bench({ parkedHeights: 3 })
    await follower.start()
    for (const height of [2, 3, 4, 5, 9]) await offer(blockAt(height))
    await settle()
    expect(follower.status().parked).toBe(3)
    expect(dropped).toEqual([5, 9])
    await follower.stop()
    expect(follower.status()).toMatchObject({ phase: 'stopped', parked: 0, parkedBytes: 0 })
  })

  it('goes on where it was after a restart', async () => {
    const { follower, offer, executed, settle, blockStore } = await bench()
    await follower.start()
    await offer(blockAt(1))
    await offer(blockAt(2))
    await settle()
    await follower.stop()
    await expect(offer(blockAt(3))).rejects.toMatchObject({ code: 'FOLLOWER_STOPPED' })
    await follower.start()
    for (const height of [1, 2, 3]) await offer(blockAt(height))
    await settle()
    expect(executed).toEqual([1, 2, 3])
    const facts = { height: 3, txs: blockAt(3).data.txs.length, source: 'test' }
    expect(logged.at(-1)).toEqual(['block applied', facts])
    expect(await blockStore.height()).toBe(3)
    await follower.stop()
  })
})
