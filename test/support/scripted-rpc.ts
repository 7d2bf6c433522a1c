import { createServer } from 'node:http'
import { create, fromBinary } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { DataSchema, SignedHeaderSchema } from '../../src/rpc/gen/evnode/v1/evnode_pb.ts'
import { AdminService } from '../../src/rpc/gen/evolve/v1/admin_pb.ts'
import {
  BlockSummarySchema,
  ChainService,
  type GetBlockResponse,
  GetBlockResponseSchema,
  Role,
} from '../../src/rpc/gen/evolve/v1/chain_pb.ts'
import { Direction, NetworkService } from '../../src/rpc/gen/evolve/v1/network_pb.ts'
import { encodeData, encodeSignedHeader } from '../../src/types/codec.ts'
import type { Data } from '../../src/types/data.ts'
import { headerHash, type SignedHeader } from '../../src/types/header.ts'

/** What an RPC server in a test answers where the usual answers will not do. */
export interface RpcScript {
  readonly chain?: Partial<ServiceImpl<typeof ChainService>>
  readonly network?: Partial<ServiceImpl<typeof NetworkService>>
  readonly admin?: Partial<ServiceImpl<typeof AdminService>>
}

/** The usual answer to who the node is. */
export const INFO = {
  chainId: 'rpc-chain',
  version: '1.2.3',
  role: Role.FOLLOWER,
  initialHeight: 1n,
  genesisTime: 1_700_000_000_000_000_000n,
  proposerAddress: new Uint8Array(32).fill(7),
  blockTimeMs: 1_000n,
  transactionIndex: true,
  peerId: '12D3KooWTestTestTestTestTestTestTestTestTestTestTest',
  started: 1_700_000_000_000_000_000n,
}

/** The usual answer to how it stands. */
export const STATUS = {
  role: Role.FOLLOWER,
  phase: 'catching-up',
  height: 1_200n,
  headerHeight: 1_900n,
  dataHeight: 1_800n,
  targetHeight: 2_000n,
  finalHeight: 1_100n,
  earliestHeight: 1n,
  peers: 2,
  da: { next: 41n, head: 50n, reachable: true, pending: 3n },
  lastBlockTime: 1_700_000_900_000_000_000n,
  stateRoot: new Uint8Array(32).fill(1),
  lastHeaderHash: new Uint8Array(32).fill(2),
  rates: { blocks: 120.5, transactions: 0.5, headers: 700, daHeights: 3 },
  estimateMs: 6_640n,
}

/** Its usual connections. */
export const PEERS = {
  peerId: INFO.peerId,
  listenAddresses: ['/ip4/127.0.0.1/tcp/7676/p2p/12D3KooWTest', '/ip4/10.0.0.1/tcp/7676/p2p/12D3KooWTest'],
  peers: [
    {
      id: '12D3KooWPeerA',
      address: '/ip4/203.0.113.7/tcp/7676/p2p/12D3KooWPeerA',
      direction: Direction.OUTBOUND,
      protocols: ['/ipfs/id/1.0.0'],
      agent: 'evolve/1',
      opened: 1_700_000_000_000_000_000n,
      configured: true,
    },
    {
      id: '12D3KooWPeerB',
      address: '/ip4/203.0.113.8/tcp/50000',
      direction: Direction.INBOUND,
      protocols: [],
      agent: 'evil\u001b[2J',
      opened: 1_700_000_000_000_000_000n,
      configured: false,
    },
  ],
}

/** A block as a node answers it. */
export function blockAnswer(header: SignedHeader, data: Data): GetBlockResponse {
  return create(GetBlockResponseSchema, {
    summary: create(BlockSummarySchema, {
      height: BigInt(header.header.height),
      time: header.header.time,
      hash: headerHash(header.header),
      txCount: data.txs.length,
    }),
    header: fromBinary(SignedHeaderSchema, encodeSignedHeader(header)),
    data: fromBinary(DataSchema, encodeData(data)),
  })
}

/** Starts a server that answers as a node would, on a port of its own; resolves with its URL and how to end it. */
export async function startScriptedRpc(
  script: RpcScript = {},
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  let level = 'info'
  const handler = connectNodeAdapter({
    routes(router) {
      router.service(ChainService, {
        getInfo: () => INFO,
        getStatus: () => ({ status: STATUS }),
        async *subscribeStatus() {
          yield { status: STATUS }
        },
        ...script.chain,
      })
      router.service(NetworkService, { listPeers: () => PEERS, ...script.network })
      router.service(AdminService, {
        getLogLevel: () => ({ level }),
        setLogLevel(request) {
          const previous = level
          level = request.level
          return { previous }
        },
        ...script.admin,
      })
    },
  })
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
