/*
 * Asks a node for blocks at random heights, in every protocol. Argument: an AskRpcOrder as JSON. Tells `{ rates }`.
 */
import { createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node'
import { Agent, request } from 'node:http'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { createClient as createOurClient } from '../../src/rpc/client/index.ts'
import {
  GetBlockRequestSchema,
  GetBlockResponseSchema,
  StoreService,
} from '../../src/rpc/gen/evnode/v1/state_rpc_pb.ts'
import type { AskedRate, AskRpcOrder } from '../rpc.ts'

/** Requests that are under way together. */
const TOGETHER = 32

const { url, blocks, span }: AskRpcOrder = JSON.parse(process.argv[2] ?? '{}')

// The same heights in every run.
let seed = 1
function randomHeight(): number {
  seed = (seed * 48_271) % 2_147_483_647
  return 1 + (seed % blocks)
}

async function rateOf(task: () => Promise<unknown>): Promise<number> {
  let until = performance.now() + span / 3
  const lane = async (): Promise<number> => {
    let done = 0
    while (performance.now() < until) {
      await task()
      done++
    }
    return done
  }
  const lanes = async (): Promise<number> => {
    const counts = await Promise.all(Array.from({ length: TOGETHER }, lane))
    return counts.reduce((sum, count) => sum + count, 0)
  }
  await lanes()
  const begun = performance.now()
  until = begun + span
  const done = await lanes()
  return (done * 1_000) / (performance.now() - begun)
}

const agent = new Agent({ keepAlive: true, maxSockets: TOGETHER })
const target = `${url}/evnode.v1.StoreService/GetBlock`

/** A call as a client without a library makes it, and its answer decoded. */
async function plainCall(): Promise<void> {
  const message = create(GetBlockRequestSchema, {
    identifier: { case: 'height', value: BigInt(randomHeight()) },
  })
  const body = toBinary(GetBlockRequestSchema, message)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const sent = request(
    target,
    {
      agent,
      method: 'POST',
      headers: { 'content-type': 'application/proto', 'content-length': body.length },
    },
    (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(`HTTP ${response.statusCode}`))
        fromBinary(GetBlockResponseSchema, Buffer.concat(pieces))
        resolve()
      })
    },
  )
  sent.on('error', reject)
  sent.end(body)
  await promise
}

function byTransport(transport: Transport): () => Promise<unknown> {
  const client = createClient(StoreService, transport)
  return async () => await client.getBlock({ identifier: { case: 'height', value: BigInt(randomHeight()) } })
}

const ours = createOurClient(url)
const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['Connect, HTTP/1.1, no library', plainCall],
  [
    'Connect, HTTP/1.1',
    byTransport(createConnectTransport({ baseUrl: url, httpVersion: '1.1', nodeOptions: { agent } })),
  ],
  ['Connect, HTTP/2', byTransport(createConnectTransport({ baseUrl: url, httpVersion: '2' }))],
  ['gRPC, HTTP/2', byTransport(createGrpcTransport({ baseUrl: url }))],
  ['evolve-node/client, blocks with their summary', async () => await ours.block(randomHeight())],
]
const rates: AskedRate[] = []
for (const [name, task] of ways) rates.push({ name, perSecond: await rateOf(task) })
process.send?.({ rates })
process.once('disconnect', () => process.exit())
