/* Blocks of several megabytes, which must pass the message limits of both sides. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeP2PData, encodeP2PSignedHeader } from '../../src/types/codec.ts'
import { dataHash } from '../../src/types/data.ts'
import { EMPTY_BYTES, toHex } from '../../src/util/bytes.ts'
import { makeChain } from '../support/chain.ts'
import { announce } from './announce.ts'
import { startGoPeer } from './go-peer.ts'
import { executed, startFollower, startPublisher } from './our-node.ts'
import type { Kind, PeerEvent } from './peer-process.ts'

/** What a message of 5 MiB, the limit of Go nodes, has room for beside its envelope. */
const LARGE = 5 * 1024 * 1024 - 4 * 1024
const STORED = 12
const LARGE_STORED = 5
const LARGE_GOSSIPED = 14
const kinds: readonly Kind[] = ['headerSync', 'dataSync']

const chain = makeChain({
  count: 16,
  chainId: 'interop-large',
  txsAt: (height) =>
    height === LARGE_STORED || height === LARGE_GOSSIPED ? [new Uint8Array(LARGE).fill(height)] : [],
  // The application passes over transactions that it cannot read, so its state stays empty.
  appHashAt: () => EMPTY_BYTES,
})
const blocks = chain.blocks.map(({ header, data }) => ({
  header: { ...header, daHeightHint: 0 },
  data: { ...data, daHeightHint: 0 },
}))

function lengthPrefixed(record: Uint8Array): Uint8Array[] {
  const prefix: number[] = []
  for (let rest = record.length; ; rest = Math.floor(rest / 128)) {
    prefix.push(rest < 128 ? rest : (rest % 128) | 128)
    if (rest < 128) return [Uint8Array.from(prefix), record]
  }
}

/** Writes the chain as Go's `serve` reads it. */
function chainFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evolve-large-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { chainId, initialHeight } = chain.genesis
  writeFileSync(
    join(folder, 'genesis.json'),
    JSON.stringify({ chain_id: chainId, initial_height: initialHeight }),
  )
  const records = blocks.flatMap(({ header, data }) => [
    ...lengthPrefixed(encodeP2PSignedHeader(header)),
    ...lengthPrefixed(encodeP2PData(data)),
  ])
  writeFileSync(join(folder, 'chain.bin.gz'), gzipSync(Buffer.concat(records), { level: 1 }))
  return folder
}

/** Declares the tests. */
export function large(): void {
  describe('blocks of nearly 5 MiB travel', () => {
    test('from Go to us', async () => {
      const go = await startGoPeer('goheader', 'serve', { chain: chainFolder(), until: STORED })
      const ours = await startFollower(chain.genesis, go.addresses)
      await executed(ours, STORED)
      for (const kind of kinds) await go.ask('subscribed', { kind, peer: ours.id })
      for (let height = STORED + 1; height <= blocks.length; height++) {
        for (const kind of kinds) await go.ask('publish', { kind, height })
        await executed(ours, height)
      }
      expect((await ours.node.data.at(LARGE_GOSSIPED))?.txs[0]?.length).toBe(LARGE)
    })

    test('from us to Go', async () => {
      const ours = await startPublisher(chain.genesis, blocks.slice(0, STORED))
      const go = await startGoPeer('goheader', 'follow', {
        'chain-id': chain.genesis.chainId,
        peers: ours.host.addresses().join(','),
        seed: 2,
      })
      const said = async (event: string, height: number, kind: Kind = 'dataSync'): Promise<PeerEvent> =>
        await go.event(
          `${event} of ${kind} ${height}`,
          (line) => line.event === event && line.kind === kind && line.height === height,
        )
      expect((await said('height', LARGE_STORED)).hash).toBe(hashAt(LARGE_STORED))
      await said('height', STORED)
      for (const kind of kinds) await go.ask('subscribed', { kind, peer: ours.host.id })
      await announce([STORED + 1, blocks.length], {
        async publish(height) {
          const block = blocks[height - chain.genesis.initialHeight]
          if (block !== undefined) await ours.publish(block)
        },
        async arrived(height) {
          for (const kind of kinds) await said('height', height, kind)
        },
      })
      expect(await said('gossip', LARGE_GOSSIPED)).toMatchObject({
        hash: hashAt(LARGE_GOSSIPED),
        verdict: 'accept',
      })
    })
  })
}

function hashAt(height: number): string | undefined {
  const block = blocks[height - chain.genesis.initialHeight]
  return block === undefined ? undefined : toHex(dataHash(block.data))
}
