/* Clients written in Go ask a node of ours, in every protocol that they have. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createDevnet, type Devnet } from '../../src/node/devnet/devnet.ts'
import type { FullNode } from '../../src/node/full-node.ts'
import { ConfigService, GetNamespaceResponseSchema } from '../../src/rpc/gen/evnode/v1/config_pb.ts'
import { DataSchema, SignedHeaderSchema } from '../../src/rpc/gen/evnode/v1/evnode_pb.ts'
import {
  GetPeerInfoResponseSchema,
  NetInfoSchema,
  P2PService,
  PeerInfoSchema,
} from '../../src/rpc/gen/evnode/v1/p2p_rpc_pb.ts'
import { StateSchema } from '../../src/rpc/gen/evnode/v1/state_pb.ts'
import {
  GetBlockResponseSchema,
  GetP2PStoreInfoResponseSchema,
  P2PStoreSnapshotSchema,
  StoreService,
} from '../../src/rpc/gen/evnode/v1/state_rpc_pb.ts'
import type { Block } from '../../src/core/block-store.ts'
import { encodeData, encodeSignedHeader } from '../../src/types/codec.ts'
import { headerHash } from '../../src/types/header.ts'
import { fromHex, toHex, uint64BigEndian } from '../../src/util/bytes.ts'
import { sha256 } from '../../src/util/crypto.node.ts'
import { type GoProgram, startGoPeer } from './go-peer.ts'

/** As the clients of connect-go and grpc-go say it; `evnode` is gRPC over HTTP/1.1, as ev-node's own client does it. */
const PROTOCOLS = ['evnode', 'connect', 'json', 'connect2', 'grpc', 'grpcweb', 'grpcgo'] as const

const INVALID_ARGUMENT = 'error 3'
const NOT_FOUND = 'error 5'

/** A height that is final when the tests begin. */
const FINAL = 3

type Answers = ReadonlyMap<string, readonly string[]>

let folder = ''
let network: Devnet

/** The node that is asked, and where. */
function asked(): { readonly node: FullNode; readonly url: string } {
  const aggregator = network.nodes[0]
  if (aggregator === undefined) throw new Error('the devnet does not run')
  return { node: aggregator.node, url: network.status().rpc }
}

/** What a Go program was answered, by what it asked. */
async function answersOf(
  program: GoProgram,
  command: string,
  flags: Readonly<Record<string, string | number>>,
): Promise<Answers> {
  const peer = await startGoPeer(program, command, flags)
  await peer.event('done', ({ event }) => event === 'done' || event === 'failed')
  const failure = peer.events.find(({ event }) => event === 'failed')
  if (failure !== undefined) throw new Error(failure.message)
  const answers = peer.events.filter(({ event }) => event === 'answer')
  return new Map(answers.map(({ message = '', found = [] }) => [message, found]))
}

function bytesOf(answers: Answers, what: string): Uint8Array {
  const text = answers.get(what)?.[0]
  const bytes = text === undefined ? undefined : fromHex(text)
  if (bytes === undefined) throw new Error(`${what}: ${text ?? 'no answer'}`)
  return bytes
}

/** A height as the metadata of Go nodes has it. */
const littleEndian = (height: number): string => toHex(uint64BigEndian(height).toReversed())

/** What must be answered about a block. */
function expectBlock(bytes: Uint8Array, { header, data }: Block): void {
  const { block } = fromBinary(GetBlockResponseSchema, bytes)
  if (block?.header === undefined || block.data === undefined) throw new Error('half a block')
  expect(toHex(toBinary(SignedHeaderSchema, block.header))).toBe(toHex(encodeSignedHeader(header)))
  expect(toHex(toBinary(DataSchema, block.data))).toBe(toHex(encodeData(data)))
}

/** Declares the tests. */
export function rpc(): void {
  describe('asked by clients in Go', () => {
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'evolve-interop-rpc-'))
      network = createDevnet(
        { env: systemEnv, logger: noopLogger, metrics: noopMetrics },
        { root: folder, blockTime: 100, daBlockTime: 300 },
      )
      await network.start()
      const { node } = asked()
      await new Promise<void>((resolve) => {
        const unwatch = node.onFinal((height) => {
          if (height < FINAL) return
          unwatch()
          resolve()
        })
      })
    })
    afterAll(async () => {
      await network.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    test.each(PROTOCOLS)('%s', async (protocol) => {
      const { node, url } = asked()
      const block = await node.blocks.block(FINAL)
      const inclusion = await node.blocks.inclusionOf(FINAL)
      if (block === undefined || inclusion === undefined) throw new Error('the block is not final')
      const hashes = {
        header: toHex(headerHash(block.header.header)),
        signed: toHex(sha256(encodeSignedHeader(block.header))),
        unknown: 'ab'.repeat(32),
        short: 'abcd',
      }
      const genesisDaHeight = toHex((await node.blocks.metadata('gdh')) ?? new Uint8Array())
      const answers = await answersOf('rpc', 'read', {
        url,
        protocol,
        height: FINAL,
        hashes: Object.values(hashes).join(','),
        keys: `d,gdh,rhb/${FINAL}/h,rhb/${FINAL}/d,last-submitted-header-height,no such key`,
      })

      for (const what of ['block', `hash ${hashes.header}`, `hash ${hashes.signed}`]) {
        const bytes = bytesOf(answers, what)
        expectBlock(bytes, block)
        const { headerDaHeight, dataDaHeight } = fromBinary(GetBlockResponseSchema, bytes)
        expect({ headerDaHeight, dataDaHeight }).toEqual({
          headerDaHeight: BigInt(inclusion.headerDaHeight),
          dataDaHeight: BigInt(inclusion.dataDaHeight),
        })
      }
      const latest = fromBinary(GetBlockResponseSchema, bytesOf(answers, 'latest'))
      const height = Number(latest.block?.header?.header?.height)
      expect(height).toBeGreaterThanOrEqual(FINAL)
      const stored = await node.blocks.block(height)
      if (stored === undefined) throw new Error('there is no such block')
      expectBlock(bytesOf(answers, 'latest'), stored)
      expect(answers.get('missing')).toEqual([NOT_FOUND])
      expect(answers.get('beyond')).toEqual([INVALID_ARGUMENT])
      expect(answers.get(`hash ${hashes.unknown}`)).toEqual([NOT_FOUND])
      expect(answers.get(`hash ${hashes.short}`)).toEqual([INVALID_ARGUMENT])

      const state = fromBinary(StateSchema, bytesOf(answers, 'state'))
      const header = await node.blocks.header(Number(state.lastBlockHeight))
      const stateAt = await node.blocks.stateAt(Number(state.lastBlockHeight))
      if (header === undefined) throw new Error('there is no such header')
      expect(state).toMatchObject({ chainId: node.genesis.chainId, initialHeight: 1n })
      expect(toHex(state.lastHeaderHash)).toBe(toHex(headerHash(header.header)))
      expect(toHex(state.appHash)).toBe(toHex(stateAt?.appHash ?? new Uint8Array()))
      const { seconds = 0n, nanos = 0 } = state.lastBlockTime ?? {}
      expect(seconds * 1_000_000_000n + BigInt(nanos)).toBe(header.header.time)

      expect(answers.get('metadata gdh')).toEqual([genesisDaHeight])
      expect(answers.get(`metadata rhb/${FINAL}/h`)).toEqual([littleEndian(inclusion.headerDaHeight)])
      expect(answers.get(`metadata rhb/${FINAL}/d`)).toEqual([littleEndian(inclusion.dataDaHeight)])
      expect(bytesOf(answers, 'metadata d').length).toBe(8)
      expect(bytesOf(answers, 'metadata last-submitted-header-height').length).toBe(8)
      expect(answers.get('metadata no such key')).toEqual([NOT_FOUND])

      const { stores } = fromBinary(GetP2PStoreInfoResponseSchema, bytesOf(answers, 'stores'))
      expect(stores.map(({ label }) => label)).toEqual(['Header Store', 'Data Store'])
      for (const store of stores) {
        expect(store.height).toBe(store.head?.height)
        expect(store.tail).toMatchObject({ height: 1n })
        expect(store.head?.hash.length).toBe(32)
      }

      const connected = [...new Set(node.connections().map(({ peer }) => peer))]
      const { peers } = fromBinary(GetPeerInfoResponseSchema, bytesOf(answers, 'peers'))
      expect(peers.map(({ id }) => id)).toEqual(connected)
      for (const { id, address } of peers)
        expect(address).toMatch(new RegExp(`^\\{${id}: \\[/ip4/\\S+\\]\\}$`))
      const net = fromBinary(NetInfoSchema, bytesOf(answers, 'net'))
      expect(net).toMatchObject({
        id: node.peerId,
        listenAddresses: node.addresses(),
        connectedPeers: connected,
      })
      expect(connected.length).toBe(1)
      expect(fromBinary(GetNamespaceResponseSchema, bytesOf(answers, 'namespace'))).toMatchObject({
        headerNamespace: `0x${toHex(node.da?.headerNamespace ?? new Uint8Array())}`,
        dataNamespace: `0x${toHex(node.da?.dataNamespace ?? new Uint8Array())}`,
      })
    })

    test('the client of ev-node v1.0.0-beta.11', async () => {
      const { node, url } = asked()
      const block = await node.blocks.block(FINAL)
      if (block === undefined) throw new Error('the block is not there')
      const header = toHex(headerHash(block.header.header))
      const signed = toHex(sha256(encodeSignedHeader(block.header)))
      const unknown = 'ab'.repeat(32)
      const answers = await answersOf('beta11', 'ask', {
        url,
        height: FINAL,
        hashes: `${header},${signed},${unknown}`,
        keys: `rhb/${FINAL}/h,no such key`,
      })
      for (const what of ['block', `hash ${header}`, `hash ${signed}`])
        expectBlock(bytesOf(answers, what), block)
      expect(answers.get(`hash ${unknown}`)).toEqual([NOT_FOUND])
      expect(bytesOf(answers, 'latest').length).toBeGreaterThan(100)
      expect(fromBinary(StateSchema, bytesOf(answers, 'state')).chainId).toBe(node.genesis.chainId)
      expect(bytesOf(answers, `metadata rhb/${FINAL}/h`).length).toBe(8)
      expect(answers.get('metadata no such key')).toEqual([NOT_FOUND])
      expect(fromBinary(NetInfoSchema, bytesOf(answers, 'net')).id).toBe(node.peerId)
      expect(fromBinary(GetNamespaceResponseSchema, bytesOf(answers, 'namespace')).headerNamespace).toMatch(
        /^0x[\da-f]{58}$/,
      )
      for (const label of ['Header Store', 'Data Store']) {
        const store = fromBinary(P2PStoreSnapshotSchema, bytesOf(answers, `store ${label}`))
        expect(store.tail).toMatchObject({ height: 1n })
      }
      for (const { peer } of node.connections()) {
        expect(fromBinary(PeerInfoSchema, bytesOf(answers, `peer ${peer}`)).address).toContain(peer)
      }
    })

    test.each(['v1', 'v1alpha'])('reflection %s is all that a client needs to know', async (version) => {
      const { node, url } = asked()
      const answers = await answersOf('rpc', 'reflect', { url, version })
      const services = answers.get('services') ?? []
      for (const { typeName, methods } of [StoreService, P2PService, ConfigService]) {
        expect(services).toContain(typeName)
        expect(answers.get('methods')).toEqual(
          expect.arrayContaining(methods.map(({ name }) => `${typeName}.${name}`)),
        )
      }
      expect(answers.get('called')).toEqual([toHex(node.genesis.proposerAddress)])
      expect(answers.get('unknown')).toEqual(['code 5'])
    })
  })
}
