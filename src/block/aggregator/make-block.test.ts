import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { recordedBlocks, recordedGenesis } from '../../../test/support/recorded-chain.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { createSingleSequencer } from '../../sequencer/single.ts'
import { subKv } from '../../store/sub-kv.ts'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import type { Sequencer } from '../../core/sequencer.ts'
import {
  decodeP2PData,
  decodeP2PSignedHeader,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeSignedData,
} from '../../types/codec.ts'
import { headerHash, rawPublicKey } from '../../types/header.ts'
import { initialState, nextState } from '../../types/state.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { type Tip, tipAfter } from '../validate-block.ts'
import { largestTx, makeBlock, roomForTxs, takeBatch } from './make-block.ts'

const { signal } = new AbortController()
const chainId = 'batch-chain'

describe('a block', () => {
  test('of the recorded chain comes out byte for byte, from the state before it', () => {
    const blocks = recordedBlocks().map(({ header, data }) => ({
      bytes: { header, data },
      header: decodeP2PSignedHeader(header),
      data: decodeP2PData(data),
    }))
    let tip: Tip = {
      state: initialState(recordedGenesis(), blocks[0]?.header.header.appHash ?? EMPTY_BYTES),
      lastDataHash: EMPTY_BYTES,
    }
    for (const [index, { bytes, header, data }] of blocks.entries()) {
      const { time } = header.header
      const publicKey = rawPublicKey(header.signer)
      const made = makeBlock(tip, { txs: data.txs, time, publicKey })
      // All but the signature, which only its key could make.
      const signed = { ...made.header, signature: header.signature }
      expect(encodeP2PSignedHeader(signed)).toEqual(bytes.header)
      expect(encodeP2PData(made.data)).toEqual(bytes.data)
      expect(headerHash(made.header.header)).toEqual(headerHash(header.header))
      const stateRoot = blocks[index + 1]?.header.header.appHash ?? EMPTY_BYTES
      const state = nextState(tip.state, made.header, { stateRoot, nextProposerAddress: EMPTY_BYTES })
      tip = tipAfter(state, made.data)
    }
    expect(tip.state.lastBlockHeight).toBe(blocks.length)
  })

  test('cannot be made when the data below is not known', () => {
    const state = initialState(recordedGenesis(), EMPTY_BYTES)
    const parts = { txs: [], time: 1n, publicKey: new Uint8Array(32) }
    expect(() => makeBlock({ state, lastDataHash: undefined }, parts)).toThrow(
      expect.objectContaining({ code: 'LAST_DATA_MISSING', verdict: 'halt' }),
    )
  })
})

async function filled(txs: readonly Uint8Array[]): Promise<Sequencer> {
  const kv = createMemoryKv()
  await kv.start()
  const part = subKv(kv, Uint8Array.of(1))
  const deps = { kv: part, env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  const sequencer = createSingleSequencer(deps)
  await sequencer.start()
  await sequencer.submit(txs, { signal })
  return sequencer
}

/** Bytes of the data as it lies on DA and as peers send it, whichever is more. */
function encodedBytes(txs: readonly Uint8Array[]): number {
  const metadata = { chainId, height: 2 ** 53 - 1, time: 2n ** 62n, lastDataHash: new Uint8Array(32) }
  const data = { metadata, txs }
  const signer = { address: new Uint8Array(32), publicKey: new Uint8Array(36).fill(1) }
  const signed = encodeSignedData({ data, signature: new Uint8Array(64), signer })
  return Math.max(signed.length, encodeP2PData({ ...data, daHeightHint: 2 ** 53 - 1 }).length)
}

describe('a batch', () => {
  test('of very many tiny transactions fills the block and is not too large for it', async () => {
    const txs = Array.from({ length: 20_000 }, (_, i) => utf8(i.toString(36)))
    const sequencer = await filled(txs)
    const maxBlockBytes = 50_000
    const batch = await takeBatch(sequencer, roomForTxs(maxBlockBytes, chainId), { signal })
    expect(batch.txs).toEqual(txs.slice(0, batch.txs.length))
    expect(encodedBytes(batch.txs)).toBeLessThanOrEqual(maxBlockBytes)
    expect(encodedBytes(batch.txs)).toBeGreaterThan(maxBlockBytes - 1_200)
    // Those that found no room are still there.
    sequencer.committed(batch.upTo, 1)
    expect((await sequencer.next({ maxBytes: 10, signal })).txs[0]).toEqual(txs[batch.txs.length])
  })

  test('takes the largest transaction a block has room for', async () => {
    const maxBlockBytes = 5_000
    const tx = new Uint8Array(largestTx(maxBlockBytes, chainId)).fill(7)
    const batch = await takeBatch(await filled([tx]), roomForTxs(maxBlockBytes, chainId), { signal })
    expect(batch.txs).toEqual([tx])
    expect(encodedBytes(batch.txs)).toBeLessThanOrEqual(maxBlockBytes)
  })

  test('of any transactions is the longest run that fits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 300 }), { selector: String }),
        fc.integer({ min: 0, max: 3_000 }),
        async (txs, room) => {
          const sequencer = await filled(txs)
          const batch = await takeBatch(sequencer, room, { signal })
          const size = (count: number): number =>
            txs.slice(0, count).reduce((sum, { length }) => sum + length + (length < 128 ? 2 : 3), 0)
          expect(batch.txs).toEqual(txs.slice(0, batch.txs.length))
          expect(size(batch.txs.length)).toBeLessThanOrEqual(room)
          if (batch.txs.length < txs.length) expect(size(batch.txs.length + 1)).toBeGreaterThan(room)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('is refused when the sequencer does not keep to what it is asked for', async () => {
    const next = async () => ({ txs: [new Uint8Array(100)], upTo: 1 })
    const sequencer = { ...(await filled([])), next }
    await expect(takeBatch(sequencer, 50, { signal })).rejects.toMatchObject({
      code: 'BATCH_TOO_LARGE',
      verdict: 'halt',
    })
  })
})
