import { expect, onTestFinished, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { createRecorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { makeSaves } from '../../test/suites/block-saves.ts'
import { evidenceKey } from '../block/follower/equivocation.ts'
import { createBlockStore, type KvBlockStore } from '../store/block-store.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { encodeSignedHeader } from '../types/codec.ts'
import { type SignedHeader, signHeader } from '../types/header.ts'
import type { EvolveError } from '../util/errors.ts'
import { createEvidence, type Evidence } from './evidence.ts'

const { initial, saves } = makeSaves({ count: 3 })
const { seed, blocks: chainBlocks } = makeChain({ count: 3 })

function at(height: number): SignedHeader {
  const found = chainBlocks[height - 1]
  if (found === undefined) throw new Error(`no block ${height} in the test chain`)
  return found.header
}

/** The second header its proposer signs for a height. */
function second(height: number): SignedHeader {
  const { header } = at(height)
  return signHeader({ ...header, time: header.time + 1n }, seed)
}

interface Rig {
  readonly evidence: Evidence
  readonly store: KvBlockStore
  readonly halts: EvolveError[]
  readonly settle: () => Promise<void>
}

/** Blocks 1 and 2 are saved; the header store has what `synced` says. */
async function open(synced: readonly SignedHeader[], mine = true): Promise<Rig> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  await store.saveBlocks(saves.slice(0, 2))
  const halts: EvolveError[] = []
  const evidence = createEvidence({
    ...createRecorder(),
    blocks: store,
    headers: {
      async at(height) {
        const found = synced.find(({ header }) => header.height === height)
        return found && { ...found, daHeightHint: 0 }
      },
    },
    ours: mine ? at(1).header.proposerAddress : undefined,
    halt: (error) => halts.push(error),
  })
  return { evidence, store, halts, settle: createVirtualEnv().settle }
}

test('our own block counts before what the header store has: what was just made is not there yet', async () => {
  for (const synced of [[], [second(2)]]) {
    const { evidence, store, halts, settle } = await open(synced)
    evidence.conflictAtHeight(second(2), 'peer')
    await settle()
    expect(halts).toMatchObject([{ code: 'EQUIVOCATION', data: { height: 2 } }])
    expect(await store.metadata(evidenceKey(2))).toEqual(encodeSignedHeader(second(2)))
  }
})

test('the same header is no evidence, whatever the header store has', async () => {
  for (const synced of [[], [at(2)], [second(2)]]) {
    const { evidence, store, halts, settle } = await open(synced)
    evidence.conflictAtHeight(at(2), 'peer')
    await settle()
    expect(halts).toEqual([])
    expect(await store.metadata(evidenceKey(2))).toBeUndefined()
  }
})

test('where there is no block the header store is asked', async () => {
  const { evidence, store, halts, settle } = await open([at(3)])
  evidence.conflictAtHeight(at(3), 'peer')
  await settle()
  expect(await store.metadata(evidenceKey(3))).toBeUndefined()
  evidence.conflictAtHeight(second(3), 'peer')
  await settle()
  expect(halts).toMatchObject([{ code: 'EQUIVOCATION', data: { height: 3 } }])
  expect(await store.metadata(evidenceKey(3))).toEqual(encodeSignedHeader(second(3)))
})

test('of a height that nobody has there is nothing to compare', async () => {
  const { evidence, store, halts, settle } = await open([])
  evidence.conflictAtHeight(second(3), 'peer')
  await settle()
  expect(halts).toEqual([])
  expect(await store.metadata(evidenceKey(3))).toBeUndefined()
})

test("a node that signs nothing keeps another's second signature and goes on", async () => {
  const { evidence, store, halts, settle } = await open([], false)
  evidence.conflictAtHeight(second(1), 'peer')
  await settle()
  expect(halts).toEqual([])
  expect(await store.metadata(evidenceKey(1))).toEqual(encodeSignedHeader(second(1)))
})
