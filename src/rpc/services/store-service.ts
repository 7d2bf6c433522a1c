import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect'
import type { HeaderStore } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { NodeView } from '../../core/node-view.ts'
import { dataHash } from '../../types/data.ts'
import { headerHash } from '../../types/header.ts'
import { EvolveError } from '../../util/errors.ts'
import type { SignedHeaderHashes } from '../signed-header-hashes.ts'
import { createBlockReader } from '../block-reader.ts'
import { answering, invalidRequest } from '../errors.ts'
import {
  GetBlockResponseSchema,
  GetGenesisDaHeightResponseSchema,
  GetMetadataResponseSchema,
  GetP2PStoreInfoResponseSchema,
  GetStateResponseSchema,
  type P2PStoreEntrySchema,
  type P2PStoreSnapshot,
  P2PStoreSnapshotSchema,
  StoreService,
} from '../gen/evnode/v1/state_rpc_pb.ts'
import { dataMessage, headerMessage, heightOf } from '../messages.ts'

/** Bytes of a height in metadata. */
const HEIGHT_BYTES = 8

/** Name under which the first DA height of a chain lies. */
const GENESIS_DA_HEIGHT = 'gdh'

const NANOS_PER_MS = 1_000_000n

/** What the service needs. */
export interface StoreServiceDeps {
  readonly node: NodeView
  readonly signedHeaders: SignedHeaderHashes
  readonly logger: Logger
}

/**
 * Adds `evnode.v1.StoreService`: the methods of ev-node v1.2.3. Blocks are found by the hash of their header, and by the
 * hash of the stored header's bytes, signature included, which Go clients compute.
 */
export function addStoreService(
  router: ConnectRouter,
  { node, signedHeaders, logger }: StoreServiceDeps,
): void {
  const reader = createBlockReader(node)
  const answer = answering(logger)

  async function heightBy(hash: Uint8Array, signal: AbortSignal): Promise<number> {
    if (hash.length !== 32) throw invalidRequest(`a hash has 32 bytes, got ${hash.length}`)
    const height = (await node.blocks.heightOf(hash)) ?? (await signedHeaders.heightOf(hash, { signal }))
    if (height === undefined) throw new EvolveError('BLOCK_NOT_FOUND', 'there is no block with this hash')
    return height
  }

  router.service(StoreService, {
    getBlock: answer('GetBlock', async ({ identifier }, { signal }) => {
      if (identifier.case === undefined) throw invalidRequest('expected a height or a hash')
      const height =
        identifier.case === 'height'
          ? await reader.resolve(heightOf(identifier.value))
          : await heightBy(identifier.value, signal)
      const [{ header, data }, inclusion] = await Promise.all([
        reader.block(height),
        node.blocks.inclusionOf(height),
      ])
      return create(GetBlockResponseSchema, {
        block: { header: headerMessage(header), data: dataMessage(data) },
        headerDaHeight: BigInt(inclusion?.headerDaHeight ?? 0),
        dataDaHeight: BigInt(inclusion?.dataDaHeight ?? 0),
      })
    }),
    getState: answer('GetState', async () => {
      const state = await node.blocks.state()
      if (state === undefined) throw new ConnectError('there is no state yet', Code.NotFound)
      return create(GetStateResponseSchema, {
        state: {
          version: { block: state.version.block, app: state.version.app },
          chainId: state.chainId,
          initialHeight: BigInt(state.initialHeight),
          lastBlockHeight: BigInt(state.lastBlockHeight),
          lastBlockTime: timestamp(state.lastBlockTime),
          daHeight: BigInt(state.daHeight),
          appHash: state.appHash,
          lastHeaderHash: state.lastHeaderHash,
          nextProposerAddress: state.nextProposerAddress,
        },
      })
    }),
    getMetadata: answer('GetMetadata', async ({ key }) => {
      const value = await node.blocks.metadata(key)
      if (value === undefined)
        throw new ConnectError(`there is no metadata ${JSON.stringify(key)}`, Code.NotFound)
      return create(GetMetadataResponseSchema, { value })
    }),
    getGenesisDaHeight: answer('GetGenesisDaHeight', async () => {
      const value = await node.blocks.metadata(GENESIS_DA_HEIGHT)
      if (value?.length !== HEIGHT_BYTES)
        throw new ConnectError('no block of this chain was seen on DA yet', Code.NotFound)
      return create(GetGenesisDaHeightResponseSchema, {
        height: new DataView(value.buffer, value.byteOffset, HEIGHT_BYTES).getBigUint64(0, true),
      })
    }),
    getP2PStoreInfo: answer('GetP2PStoreInfo', async () =>
      create(GetP2PStoreInfoResponseSchema, {
        stores: await Promise.all([
          snapshot('Header Store', node.headers, ({ header }) => ({
            height: header.height,
            hash: headerHash(header),
            time: header.time,
          })),
          snapshot('Data Store', node.data, (data) => ({
            height: data.metadata?.height ?? 0,
            hash: dataHash(data),
            time: data.metadata?.time ?? 0n,
          })),
        ]),
      }),
    ),
  })
}

/** A time for the wire. */
function timestamp(nanoseconds: bigint): ReturnType<typeof timestampFromMs> {
  const time = timestampFromMs(Number(nanoseconds / NANOS_PER_MS))
  return { ...time, nanos: Number(nanoseconds % 1_000_000_000n) }
}

async function snapshot<H>(
  label: string,
  store: HeaderStore<H>,
  entryOf: (item: H) => { readonly height: number; readonly hash: Uint8Array; readonly time: bigint },
): Promise<P2PStoreSnapshot> {
  const [head, tail] = await Promise.all([store.head(), store.tail()])
  const entry = (item: H): MessageInitShape<typeof P2PStoreEntrySchema> => {
    const { height, hash, time } = entryOf(item)
    return { height: BigInt(height), hash, time: timestamp(time) }
  }
  return create(P2PStoreSnapshotSchema, {
    label,
    height: BigInt(store.height),
    ...(head === undefined ? {} : { head: entry(head) }),
    ...(tail === undefined ? {} : { tail: entry(tail) }),
  })
}
