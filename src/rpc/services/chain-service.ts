import { create } from '@bufbuild/protobuf'
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect'
import { sha256 } from '#crypto'
import type { Logger } from '../../core/logger.ts'
import type { NodeView } from '../../core/node-view.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { mapAhead } from '../../util/map-ahead.ts'
import { type BlockReader, createBlockReader } from '../block-reader.ts'
import { answering, connectError, invalidRequest } from '../errors.ts'
import {
  ChainService,
  type GetBlockRequest,
  type GetBlockResponse,
  GetBlockResponseSchema,
  type ListBlocksRequest,
  type StreamBlocksRequest,
  type StreamBlocksResponse,
  StreamBlocksResponseSchema,
  SubscribeBlocksResponseSchema,
  SubscribeFinalityResponseSchema,
  SubscribeStatusResponseSchema,
} from '../gen/evolve/v1/chain_pb.ts'
import {
  dataMessage,
  headerMessage,
  heightOf,
  roleMessage,
  statusMessage,
  type SummaryParts,
  summaryMessage,
} from '../messages.ts'
import { serveSubscription } from '../subscriptions/serve.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import { createTransactionReader } from './transactions.ts'

/** What {@link addChainService} needs. */
export interface ChainServiceDeps {
  readonly node: NodeView
  readonly subscriptions: Subscriptions
  /** Version of the node's software. */
  readonly version: string
  /** When the node was started, unix nanoseconds. */
  readonly started: bigint
  readonly logger: Logger
}

/** Blocks of a list: usually, and at most. */
const LIST = { usual: 20, most: 100 }

/** Blocks that are read ahead of those who take a stream of them. */
const READ_AHEAD = 4

/** Adds evolve.v1.ChainService. */
export function addChainService(router: ConnectRouter, deps: ChainServiceDeps): void {
  const { node, subscriptions, logger } = deps
  const reader = createBlockReader(node)
  const transactions = createTransactionReader(node, reader)
  const answer = answering(logger)
  const from = (height: bigint): number | undefined => heightOf(height, 'from') || undefined

  router.service(ChainService, {
    getInfo: answer('GetInfo', async () => {
      const { genesis, da, lazy } = node
      return {
        chainId: genesis.chainId,
        version: deps.version,
        role: roleMessage(node.status().role),
        initialHeight: BigInt(genesis.initialHeight),
        genesisTime: genesis.startTime,
        proposerAddress: genesis.proposerAddress,
        ...(da === undefined ? {} : { headerNamespace: da.headerNamespace, dataNamespace: da.dataNamespace }),
        blockTimeMs: BigInt(Math.round(node.blockTime)),
        transactionIndex: node.transactions !== undefined,
        peerId: node.peerId,
        started: deps.started,
        ...(lazy === undefined ? {} : { lazyIntervalMs: BigInt(Math.round(lazy.interval)) }),
      }
    }),
    getStatus: answer('GetStatus', async () => ({ status: statusMessage(node.status()) })),
    getBlock: answer('GetBlock', async (request: GetBlockRequest) =>
      blockMessage(await reader.whole(await askedHeight(node, reader, request))),
    ),
    listBlocks: answer('ListBlocks', async (request: ListBlocksRequest) => ({
      blocks: (await listed(node, reader, request)).map(summaryMessage),
    })),
    async *streamBlocks(request: StreamBlocksRequest, context: HandlerContext) {
      try {
        yield* streamed(reader, request, context.signal)
      } catch (error) {
        if (!context.signal.aborted) throw connectError(logger, 'StreamBlocks', error)
      }
    },
    listTransactions: answer('ListTransactions', transactions.list),
    getTransaction: answer('GetTransaction', transactions.get),
    submitTransaction: answer('SubmitTransaction', async ({ data }, { signal }) => {
      await node.submit(data, { signal })
      return { hash: sha256(data) }
    }),
    subscribeBlocks: (request, context) =>
      serveSubscription(
        {
          schema: SubscribeBlocksResponseSchema,
          logger,
          method: 'SubscribeBlocks',
          heartbeat: (next) =>
            create(SubscribeBlocksResponseSchema, { heartbeat: { nextHeight: BigInt(next) } }),
        },
        context,
        async () => await subscriptions.blocks({ from: from(request.from), full: request.full }),
      ),
    subscribeFinality: (request, context) =>
      serveSubscription(
        {
          schema: SubscribeFinalityResponseSchema,
          logger,
          method: 'SubscribeFinality',
          heartbeat: (next) =>
            create(SubscribeFinalityResponseSchema, { heartbeat: { nextHeight: BigInt(next) } }),
        },
        context,
        async () => await subscriptions.finality({ from: from(request.from) }),
      ),
    subscribeStatus: (request, context) =>
      serveSubscription(
        {
          schema: SubscribeStatusResponseSchema,
          logger,
          method: 'SubscribeStatus',
          heartbeat: () => create(SubscribeStatusResponseSchema, { heartbeat: {} }),
        },
        context,
        async () => await subscriptions.status({ interval: request.intervalMs }),
      ),
  })
}

function blockMessage(parts: SummaryParts): GetBlockResponse {
  return create(GetBlockResponseSchema, {
    summary: summaryMessage(parts),
    header: headerMessage(parts.header),
    data: dataMessage(parts.data),
  })
}

async function askedHeight(
  node: NodeView,
  reader: BlockReader,
  { identifier }: GetBlockRequest,
): Promise<number> {
  if (identifier.case === 'height') return await reader.resolve(heightOf(identifier.value))
  if (identifier.case !== 'hash') throw invalidRequest('a block is asked for by its height or its hash')
  const { value: hash } = identifier
  if (hash.length !== 32) throw invalidRequest(`a hash must be of 32 bytes, got ${hash.length}`)
  const height = await node.blocks.heightOf(hash)
  if (height !== undefined) return height
  throw new EvolveError('BLOCK_NOT_FOUND', `there is no block whose header has the hash ${toHex(hash)}`)
}

async function listed(
  node: NodeView,
  reader: BlockReader,
  request: ListBlocksRequest,
): Promise<readonly SummaryParts[]> {
  const latest = await reader.latest()
  const asked = heightOf(request.from, 'from')
  const high = asked === 0 ? latest : Math.min(asked, latest)
  const limit = Math.min(request.limit === 0 ? LIST.usual : request.limit, LIST.most)
  const low = Math.max(high - limit + 1, node.genesis.initialHeight, node.status().earliestHeight)
  const heights = Array.from({ length: Math.max(0, high - low + 1) }, (_, index) => high - index)
  const found = await Promise.all(
    heights.map(async (height) => {
      try {
        return await reader.whole(height)
      } catch (error) {
        // Pruned while it was read.
        if (error instanceof EvolveError && error.code === 'BLOCK_PRUNED') return undefined
        throw error
      }
    }),
  )
  return found.filter((parts) => parts !== undefined)
}

async function* streamed(
  reader: BlockReader,
  request: StreamBlocksRequest,
  signal: AbortSignal,
): AsyncGenerator<StreamBlocksResponse, void> {
  const from = heightOf(request.from, 'from')
  const to = heightOf(request.to, 'to') || (await reader.latest())
  if (from === 0) throw invalidRequest('from must be the first height that is wanted')
  if (request.to > 0n && to < from) throw invalidRequest(`to must not be below from (${from}), got ${to}`)
  // Before the first is read ahead of: what is not here is said at once.
  await reader.block(from)
  async function* heights(): AsyncGenerator<number, void> {
    for (let height = from; height <= to; height++) yield height
  }
  const blocks = mapAhead({
    open: heights,
    map: async (height) => await reader.whole(height),
    depth: READ_AHEAD,
    signal,
  })
  for await (const parts of blocks) {
    signal.throwIfAborted()
    yield create(StreamBlocksResponseSchema, { block: blockMessage(parts) })
  }
}
