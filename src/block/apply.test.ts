import { describe, expect, test } from 'vitest'
import { eventOf, type ExecutedChain, makeExecutedChain, SEEDS } from '../../test/support/executed-chain.ts'
import { createFaultyKv } from '../../test/support/faulty-kv.ts'
import { createRecorder } from '../../test/support/recorder.ts'
import { createStrictExecutor } from '../../test/support/strict-executor.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createProposers } from '../core/proposers.ts'
import { createBlockStore } from '../store/block-store.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { headerHash, type SignedHeader, signHeader } from '../types/header.ts'
import { initialState } from '../types/state.ts'
import { EMPTY_BYTES, utf8 } from '../util/bytes.ts'
import { type Applier, createApplier } from './apply.ts'
import { createPatientExecutor } from './execute.ts'

const { signal } = new AbortController()

async function rig(chain: ExecutedChain) {
  const time = createVirtualEnv()
  const { logger, metrics } = createRecorder()
  const kv = createFaultyKv(createMemoryKv())
  const blockStore = createBlockStore({ kv })
  await kv.start()
  await blockStore.start()
  const { genesis } = chain
  const executor = createStrictExecutor({ proposerAfter: chain.proposerAfter })
  const { chainId, initialHeight, startTime } = genesis
  await executor.initChain({ time: startTime, initialHeight, chainId }, { signal })
  const state = initialState(genesis, chain.root(0))
  await blockStore.saveState(state)
  const proposers = createProposers(1, genesis.proposerAddress)
  const patient = createPatientExecutor({ env: time.env, logger, metrics })
  const applier: Applier = createApplier(
    { blockStore, executor, patient, proposers, env: time.env, logger, metrics },
    { state, lastDataHash: EMPTY_BYTES },
  )
  return { applier, blockStore, executor, proposers, kv, time }
}

/** A header as its maker has it before signing. */
function unsigned({ header, signer }: SignedHeader): SignedHeader {
  return { header, signature: EMPTY_BYTES, signer }
}

describe('applying blocks', () => {
  test('saves block, state and height, names the proposer, and moves the tip', async () => {
    const chain = makeExecutedChain({ count: 3, rotateAt: 3 })
    const { applier, blockStore, proposers } = await rig(chain)
    await applier.apply(eventOf(chain.at(1)), { signal })
    await applier.apply(eventOf(chain.at(2), { daHeight: 17 }), { signal })
    expect(await blockStore.height()).toBe(2)
    expect(await blockStore.block(2)).toMatchObject(chain.at(2))
    const state = await blockStore.state()
    expect(state?.appHash).toEqual(chain.root(2))
    expect(state?.daHeight).toBe(17)
    expect(state?.nextProposerAddress).toEqual(chain.at(3).header.header.proposerAddress)
    expect(applier.tip.state).toEqual(state)
    expect(proposers.provenUpTo).toBe(3)
    expect(proposers.expected(3)).toEqual(chain.at(3).header.header.proposerAddress)
    await applier.apply(eventOf(chain.at(3)), { signal })
    expect(applier.tip.state.appHash).toEqual(chain.root(3))
  })

  test('several executed blocks go into one batch', async () => {
    const chain = makeExecutedChain({ count: 5 })
    const { applier, blockStore, kv } = await rig(chain)
    let batches = 0
    kv.fail = () => {
      batches++
      return undefined
    }
    const executed = []
    let { tip } = applier
    for (const block of chain.blocks) {
      const one = await applier.execute(tip, eventOf(block), { signal })
      executed.push(one)
      ;({ tip } = one)
    }
    expect(await blockStore.height()).toBe(0)
    await applier.save(executed)
    expect(batches).toBe(1)
    expect(await blockStore.height()).toBe(5)
    expect(applier.tip.state.appHash).toEqual(chain.root(5))
  })

  test('a wrong block is neither executed nor saved', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const { applier, blockStore, executor } = await rig(chain)
    const wrong = { header: chain.at(1).header, data: { ...chain.at(1).data, txs: [] } }
    await expect(applier.apply(eventOf(wrong), { signal })).rejects.toMatchObject({ code: 'DATA_MISMATCH' })
    expect(executor.executed).toEqual([])
    expect(await blockStore.height()).toBe(0)
    await applier.apply(eventOf(chain.at(1)), { signal })
    expect(await blockStore.height()).toBe(1)
  })

  test.each([
    ['proven and stored', { stored: true, proven: true }, undefined],
    ['proven, but not stored', { stored: false, proven: true }, 'INVALID_SIGNATURE'],
    ['stored, but not proven', { stored: true, proven: false }, 'INVALID_SIGNATURE'],
  ])('a signature is checked unless the block is %s', async (_, facts, code) => {
    const chain = makeExecutedChain({ count: 1 })
    const { applier } = await rig(chain)
    const signature = new Uint8Array(64)
    const event = eventOf({ ...chain.at(1), header: { ...chain.at(1).header, signature } }, facts)
    let found: unknown
    try {
      await applier.execute(applier.tip, event, { signal })
    } catch (error) {
      found = error
    }
    if (code === undefined) expect(found).toBeUndefined()
    else expect(found).toMatchObject({ code })
  })

  test('after a failed save the same block is saved without being executed again', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const { applier, blockStore, executor, kv } = await rig(chain)
    kv.fail = () => 'before'
    await expect(applier.apply(eventOf(chain.at(1)), { signal })).rejects.toMatchObject({ code: 'STORE_IO' })
    expect(applier.tip.state.lastBlockHeight).toBe(0)
    kv.fail = undefined
    await applier.apply(eventOf(chain.at(1)), { signal })
    expect(executor.executed).toEqual([1])
    expect(await blockStore.height()).toBe(1)
    await applier.apply(eventOf(chain.at(2)), { signal })
    expect(await blockStore.height()).toBe(2)
  })

  test('an executed height belongs to its block until that is saved', async () => {
    const chain = makeExecutedChain({ count: 1 })
    const other = makeExecutedChain({ count: 1, txsAt: () => [utf8('another block')] })
    const { applier, executor, kv } = await rig(chain)
    kv.fail = () => 'before'
    await expect(applier.apply(eventOf(chain.at(1)), { signal })).rejects.toMatchObject({ code: 'STORE_IO' })
    kv.fail = undefined
    await expect(applier.apply(eventOf(other.at(1)), { signal })).rejects.toMatchObject({
      code: 'HEIGHT_TAKEN',
      verdict: 'retry',
    })
    expect(executor.executed).toEqual([1])
    await applier.apply(eventOf(chain.at(1)), { signal })
    expect(applier.tip.state.appHash).toEqual(chain.root(1))
  })
})

describe('applying blocks of our own', () => {
  test('they are signed after execution and before anything is saved', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const { applier, blockStore, executor } = await rig(chain)
    for (const block of chain.blocks) {
      const own = eventOf({ header: unsigned(block.header), data: block.data })
      const { height } = block.header.header
      const signed = await applier.apply(own, {
        signal,
        sign: async ({ header }, after) => {
          expect(executor.executed).toHaveLength(height)
          expect(await blockStore.height()).toBe(height - 1)
          expect(after.appHash).toEqual(chain.root(height))
          return signHeader(header, SEEDS.first)
        },
      })
      expect(signed).toEqual(block)
      expect(await blockStore.block(height)).toMatchObject(block)
    }
  })

  test('a failed signer, then a failed save: executed once, signed once', async () => {
    const chain = makeExecutedChain({ count: 1 })
    const { applier, blockStore, executor, kv } = await rig(chain)
    const own = eventOf({ header: unsigned(chain.at(1).header), data: chain.at(1).data })
    let signatures = 0
    const failing = async (): Promise<SignedHeader> => await Promise.reject(new Error('no hand free'))
    await expect(applier.apply(own, { signal, sign: failing })).rejects.toThrow('no hand free')
    const sign = async ({ header }: SignedHeader): Promise<SignedHeader> => {
      signatures++
      return signHeader(header, SEEDS.first)
    }
    kv.fail = () => 'before'
    await expect(applier.apply(own, { signal, sign })).rejects.toMatchObject({ code: 'STORE_IO' })
    kv.fail = undefined
    await applier.apply(own, { signal, sign })
    expect([executor.executed, signatures]).toEqual([[1], 1])
    expect(headerHash((await blockStore.header(1))?.header ?? chain.at(1).header.header)).toEqual(
      applier.tip.state.lastHeaderHash,
    )
  })

  test.each<[string, (header: SignedHeader) => SignedHeader]>([
    ['by another key', ({ header }) => signHeader(header, SEEDS.stranger)],
    ['of another header', ({ header }) => signHeader({ ...header, time: header.time + 1n }, SEEDS.first)],
    ['missing', (header) => header],
  ])('a signature %s halts before anything is saved', async (_, sign) => {
    const chain = makeExecutedChain({ count: 1 })
    const { applier, blockStore } = await rig(chain)
    const own = eventOf({ header: unsigned(chain.at(1).header), data: chain.at(1).data })
    await expect(applier.apply(own, { signal, sign: async (header) => sign(header) })).rejects.toMatchObject({
      code: 'INVALID_OWN_SIGNATURE',
      verdict: 'halt',
    })
    expect(await blockStore.height()).toBe(0)
  })
})

describe('a save whose success did not reach us', () => {
  test('is found in the store and not repeated', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const { applier, blockStore, executor } = await rig(chain)
    const saveBlocks = blockStore.saveBlocks.bind(blockStore)
    let failed = false
    Object.assign(blockStore, {
      async saveBlocks(blocks: Parameters<typeof saveBlocks>[0]) {
        await saveBlocks(blocks)
        if (failed) return
        failed = true
        throw new Error('connection lost')
      },
    })
    await expect(applier.apply(eventOf(chain.at(1)), { signal })).rejects.toThrow('connection lost')
    await applier.apply(eventOf(chain.at(1)), { signal })
    await applier.apply(eventOf(chain.at(2)), { signal })
    expect(executor.executed).toEqual([1, 2])
    expect(await blockStore.height()).toBe(2)
  })

  test('another block in its place halts', async () => {
    const chain = makeExecutedChain({ count: 1 })
    const other = makeExecutedChain({ count: 1, txsAt: () => [utf8('another block')] })
    const { applier, blockStore, kv } = await rig(chain)
    kv.fail = () => 'before'
    await expect(applier.apply(eventOf(chain.at(1)), { signal })).rejects.toMatchObject({ code: 'STORE_IO' })
    kv.fail = undefined
    const state = { ...applier.tip.state, lastBlockHeight: 1 }
    await blockStore.saveBlocks([{ ...other.at(1), state, stored: false }])
    await expect(applier.apply(eventOf(chain.at(1)), { signal })).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
      verdict: 'halt',
    })
  })
})
