/*
 * DA heights that strangers have filled, read from a local DA over its sockets.
 */
import { expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { makeChain } from '../../../test/support/chain.ts'
import { envelopeBytes, signedDataBytes } from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createScriptedDa } from '../../../test/support/scripted-da.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { Blob } from '../../core/da.ts'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { createProposers } from '../../core/proposers.ts'
import { signHeader } from '../../types/header.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { signerOfSeed } from '../../types/signer.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { createBlob } from '../blob.ts'
import { createDaClient } from '../client/client.node.ts'
import { CLIENT_METRICS } from '../client/metrics.ts'
import { createLocalDa } from '../local/local-da.node.ts'
import type { DaBlock, FoundHeader } from './found.ts'
import { createRetriever } from './retriever.ts'

const MIB = 1024 * 1024
const chain = makeChain({ count: 4 })
const { genesis, seed } = chain
const { chainId } = genesis
const headerNamespace = namespaceBytes('headers')
const dataNamespace = namespaceBytes('data')
const where = { headerNamespace, dataNamespace, chainId }

function blockAt(height: number) {
  const block = chain.blocks[height - 1]
  if (block === undefined) throw new Error(`no block ${height}`)
  return block
}

/** Header and data of a block, as they are posted. */
function posted(height: number): readonly Blob[] {
  const block = blockAt(height)
  return [
    createBlob(headerNamespace, envelopeBytes(block.header, seed)),
    createBlob(dataNamespace, signedDataBytes(block.data, seed)),
  ]
}

/** Data of our chain by a stranger. */
function strangersData(index: number, bytes: number): Uint8Array {
  const metadata = { chainId, height: 2 + index, time: 1n, lastDataHash: EMPTY_BYTES }
  const by = sha256(utf8(`stranger ${index}`))
  return signedDataBytes({ metadata, txs: [new Uint8Array(bytes).fill(index)] }, by)
}

const heightsOf = ({ headers, data }: DaBlock): unknown => ({
  headers: headers.map(({ header }) => header.header.height),
  data: data.filter(({ bytes }) => bytes.length < MIB).map(({ height }) => height),
})

test('30 MiB of strangers at a DA height, between our halves, are read past', async () => {
  const { signal } = new AbortController()
  const strangers = Array.from({ length: 30 }, (_, index) =>
    createBlob(dataNamespace, strangersData(index, MIB)),
  )
  const recorder = createRecorder()
  const da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 0 })
  await da.start()
  const { metrics } = recorder
  const shared = { env: systemEnv, logger: noopLogger, metrics }
  const client = createDaClient(shared, { address: da.address })
  await client.start()
  const proposers = createProposers(1, genesis.proposerAddress)
  const retriever = createRetriever({ ...shared, client, proposers }, { ...where, blockTime: 1_000 })
  try {
    await da.preload([
      { height: 1, blobs: [...posted(1), ...strangers, ...posted(2)] },
      { height: 2, blobs: posted(4) },
    ])
    const blocks: DaBlock[] = []
    for await (const block of retriever.read(1, { signal, known: () => undefined })) {
      blocks.push(block)
      if (block.height === 2) break
    }
    expect(blocks.map(heightsOf)).toEqual([
      { headers: [1, 2], data: [1, 2] },
      { headers: [4], data: [4] },
    ])
    expect(blocks[0]?.data.length).toBeLessThan(12)
    expect(blocks[0]?.crowdedOut).toBe(31)
    expect(recorder.value(CLIENT_METRICS.largeAnswers)).toBe(1)
    expect(retriever.reachable).toBe(true)
  } finally {
    await client.stop()
    await da.stop()
  }
})

test('a crowded height that was read ahead is read again when the proposer has changed since', async () => {
  const { signal } = new AbortController()
  const virtual = createVirtualEnv()
  const da = createScriptedDa()
  const next = sha256(utf8('the next proposer'))
  const own = signHeader({ ...blockAt(3).header.header, proposerAddress: signerOfSeed(next).address }, next)
  da.put(2, headerNamespace, envelopeBytes(own, next))
  da.grow(3)
  const proposers = createProposers(1, genesis.proposerAddress)
  const retriever = createRetriever(
    { client: da, env: virtual.env, logger: noopLogger, metrics: createRecorder().metrics, proposers },
    { ...where, blockTime: 1_000, crowdedBytes: -1 },
  )
  const blocks = retriever.read(1, { signal, known: () => undefined })
  await blocks.next()
  await virtual.settle()
  expect(da.calls.get('header:2')).toBe(1)
  proposers.name(3, signerOfSeed(next).address)
  const { value } = await blocks.next()
  expect(value.headers.map(({ header }: FoundHeader) => header.header.height)).toEqual([3])
  expect(value.crowdedOut).toBeUndefined()
  expect([da.calls.get('header:2'), da.calls.get('header:3')]).toEqual([2, 1])
  await blocks.return?.()
})
