/*
 * From the messages of the wire to what a client is told. What does not fit is `RPC_BAD_RESPONSE`.
 */
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { DaSubmission, PeerConnection } from '../../core/node-view.ts'
import type { NodeRole } from '../../core/status.ts'
import { decodeData } from '../../types/codec-data.ts'
import { decodeSignedHeader } from '../../types/codec-header.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import * as evnode from '../gen/evnode/v1/evnode_pb.ts'
import * as chain from '../gen/evolve/v1/chain_pb.ts'
import * as network from '../gen/evolve/v1/network_pb.ts'
import type {
  Block,
  BlockSummary,
  FinalBlock,
  NetworkInfo,
  NodeInfo,
  NodeStatus,
  Transaction,
  TransactionInBlock,
  TransactionPage,
} from './types.ts'

/** The error of an answer that no node gives. */
export function badResponse(message: string, cause?: unknown): EvolveError {
  return new EvolveError('RPC_BAD_RESPONSE', message, { cause })
}

/** What must be there. */
function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw badResponse(`the node's answer has no ${what}`)
  return value
}

/** A count or height. */
export function numberOf(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badResponse(`${what} is above 2^53 - 1: ${value}`)
  return Number(value)
}

/** A height of DA, where 0 stands for none. */
function daHeightOf(value: bigint): number | undefined {
  return value === 0n ? undefined : numberOf(value, 'a DA height')
}

function roleOf(role: chain.Role): NodeRole {
  if (role === chain.Role.AGGREGATOR) return 'aggregator'
  if (role === chain.Role.LIGHT) return 'light'
  if (role === chain.Role.FOLLOWER) return 'follower'
  throw badResponse(`the node has a role that is not known here: ${role}`)
}

export function infoOf(message: chain.GetInfoResponse): NodeInfo {
  return {
    chainId: message.chainId,
    version: message.version,
    role: roleOf(message.role),
    initialHeight: numberOf(message.initialHeight, 'the initial height'),
    genesisTime: message.genesisTime,
    proposerAddress: message.proposerAddress,
    namespaces:
      message.headerNamespace.length === 0
        ? undefined
        : { header: message.headerNamespace, data: message.dataNamespace },
    blockTime: numberOf(message.blockTimeMs, 'the block time'),
    lazyInterval:
      message.lazyIntervalMs === undefined
        ? undefined
        : numberOf(message.lazyIntervalMs, 'the lazy block interval'),
    transactionIndex: message.transactionIndex,
    peerId: message.peerId,
    started: message.started,
  }
}

export function statusOf(status: chain.NodeStatus | undefined): NodeStatus {
  const message = present(status, 'status')
  const { da, rates } = message
  return {
    role: roleOf(message.role),
    phase: message.phase,
    height: numberOf(message.height, 'height'),
    headerHeight: numberOf(message.headerHeight, 'header height'),
    dataHeight: numberOf(message.dataHeight, 'data height'),
    targetHeight: numberOf(message.targetHeight, 'target height'),
    finalHeight: numberOf(message.finalHeight, 'final height'),
    earliestHeight: numberOf(message.earliestHeight, 'earliest height'),
    peers: message.peers,
    da:
      da === undefined
        ? undefined
        : {
            next: numberOf(da.next, 'next DA height'),
            head: numberOf(da.head, 'DA head'),
            reachable: da.reachable,
            pending: numberOf(da.pending, 'pending blocks'),
          },
    lastBlockTime: message.lastBlockTime,
    stateRoot: message.stateRoot,
    lastHeaderHash: message.lastHeaderHash,
    rates: {
      blocks: rates?.blocks ?? 0,
      transactions: rates?.transactions ?? 0,
      headers: rates?.headers ?? 0,
      daHeights: rates?.daHeights ?? 0,
    },
    estimate: message.estimateMs === undefined ? undefined : numberOf(message.estimateMs, 'estimate'),
  }
}

export function summaryOf(summary: chain.BlockSummary | undefined): BlockSummary {
  const message = present(summary, 'summary of the block')
  return {
    height: numberOf(message.height, 'height'),
    time: message.time,
    hash: message.hash,
    previousHash: message.previousHash,
    dataHash: message.dataHash,
    appHash: message.appHash,
    stateRoot: message.stateRoot,
    proposerAddress: message.proposerAddress,
    txCount: message.txCount,
    txBytes: numberOf(message.txBytes, 'size of the transactions'),
    final: message.final,
    headerDaHeight: daHeightOf(message.headerDaHeight),
    dataDaHeight: daHeightOf(message.dataDaHeight),
  }
}

/** A message's canonical bytes through the codec of our own: its rules hold for what a node says, too. */
function recoded<Desc extends DescMessage, T>(
  schema: Desc,
  message: MessageShape<Desc> | undefined,
  what: string,
  decode: (bytes: Uint8Array) => T,
): T {
  const bytes = toBinary(schema, present(message, what))
  try {
    return decode(bytes)
  } catch (cause) {
    throw badResponse(`the ${what} of a block cannot be read: ${describeError(cause)}`, cause)
  }
}

/** A whole block, from whichever message holds one. */
export function blockOf(message: {
  readonly summary?: chain.BlockSummary | undefined
  readonly header?: evnode.SignedHeader | undefined
  readonly data?: evnode.Data | undefined
}): Block {
  return {
    summary: summaryOf(message.summary),
    header: recoded(evnode.SignedHeaderSchema, message.header, 'header', decodeSignedHeader),
    data: recoded(evnode.DataSchema, message.data, 'data', decodeData),
  }
}

function transactionOf(transaction: chain.Transaction | undefined): Transaction {
  const message = present(transaction, 'transaction')
  return {
    hash: message.hash,
    height: numberOf(message.height, 'height'),
    index: message.index,
    data: message.data,
    size: numberOf(message.size, 'size'),
  }
}

export function transactionPageOf(message: chain.ListTransactionsResponse): TransactionPage {
  return { transactions: message.transactions.map(transactionOf), total: message.total }
}

export function transactionInBlockOf(message: chain.GetTransactionResponse): TransactionInBlock {
  return { transaction: transactionOf(message.transaction), block: summaryOf(message.block) }
}

export function finalBlockOf(message: chain.SubscribeFinalityResponse): FinalBlock {
  return {
    height: numberOf(message.height, 'height'),
    hash: message.hash,
    headerDaHeight: numberOf(message.headerDaHeight, 'DA height of the header'),
    dataDaHeight: numberOf(message.dataDaHeight, 'DA height of the data'),
  }
}

function peerOf(message: network.Peer): PeerConnection {
  return {
    peer: message.id,
    address: message.address,
    direction: message.direction === network.Direction.OUTBOUND ? 'outbound' : 'inbound',
    openedAt: message.opened,
    encryption: message.encryption === '' ? undefined : message.encryption,
    protocols: message.protocols,
    agent: message.agent,
    configured: message.configured,
  }
}

export function networkInfoOf(message: network.ListPeersResponse): NetworkInfo {
  return {
    peerId: message.peerId,
    addresses: message.listenAddresses,
    peers: message.peers.map(peerOf),
  }
}

export function submissionOf(message: network.Submission): DaSubmission {
  return {
    number: numberOf(message.number, 'number'),
    time: message.time,
    kind: message.kind === 'header' ? 'header' : 'data',
    firstHeight: numberOf(message.firstHeight, 'height'),
    lastHeight: numberOf(message.lastHeight, 'height'),
    blobs: message.blobs,
    bytes: numberOf(message.bytes, 'size'),
    namespace: message.namespace,
    commitments: message.commitments,
    daHeight: daHeightOf(message.daHeight),
    failure: message.code === '' ? undefined : { code: message.code, message: message.message },
    duration: message.durationMs,
  }
}
