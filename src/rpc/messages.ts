/*
 * From what a node knows to the messages of the wire.
 */
import { create, fromBinary } from '@bufbuild/protobuf'
import type { BlockInclusion } from '../core/block-store.ts'
import type { DaSubmission, PeerConnection } from '../core/node-view.ts'
import type { NodeRole, NodeStatus } from '../core/status.ts'
import { encodeSignedHeader } from '../types/codec-header.ts'
import type { Data } from '../types/data.ts'
import { headerHash, type SignedHeader } from '../types/header.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { type Data as DataMessage, DataSchema } from './gen/evnode/v1/evnode_pb.ts'
import { type SignedHeader as HeaderMessage, SignedHeaderSchema } from './gen/evnode/v1/evnode_pb.ts'
import {
  type BlockSummary,
  BlockSummarySchema,
  type NodeStatus as StatusMessage,
  NodeStatusSchema,
  Role,
} from './gen/evolve/v1/chain_pb.ts'
import {
  Direction,
  type Peer,
  PeerSchema,
  type Submission,
  SubmissionSchema,
} from './gen/evolve/v1/network_pb.ts'
import { invalidRequest } from './errors.ts'

/** A height as a client gave it; 0 stands for one that was left out. Throws `INVALID_REQUEST` above 2^53 - 1. */
export function heightOf(value: bigint, name = 'height'): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw invalidRequest(`${name} must be at most ${Number.MAX_SAFE_INTEGER}, got ${value}`)
}

const ROLES: Readonly<Record<NodeRole, Role>> = {
  follower: Role.FOLLOWER,
  aggregator: Role.AGGREGATOR,
  light: Role.LIGHT,
}

/** What a node is, for the wire. */
export function roleMessage(role: NodeRole): Role {
  return ROLES[role]
}

/** A status for the wire. */
export function statusMessage(status: NodeStatus): StatusMessage {
  const { da, rates, estimate } = status
  return create(NodeStatusSchema, {
    role: roleMessage(status.role),
    phase: status.phase,
    height: BigInt(status.height),
    headerHeight: BigInt(status.headerHeight),
    dataHeight: BigInt(status.dataHeight),
    targetHeight: BigInt(status.targetHeight),
    finalHeight: BigInt(status.finalHeight),
    earliestHeight: BigInt(status.earliestHeight),
    peers: status.peers,
    ...(da === undefined
      ? {}
      : {
          da: {
            next: BigInt(da.next),
            head: BigInt(da.head),
            reachable: da.reachable,
            pending: BigInt(da.pending),
          },
        }),
    lastBlockTime: status.lastBlockTime,
    stateRoot: status.stateRoot,
    lastHeaderHash: status.lastHeaderHash,
    rates,
    ...(estimate === undefined ? {} : { estimateMs: BigInt(Math.max(0, Math.round(estimate))) }),
  })
}

/** A header for the wire, legacy fields and all: the bytes are those of our own codec. */
export function headerMessage(header: SignedHeader): HeaderMessage {
  return fromBinary(SignedHeaderSchema, encodeSignedHeader(header))
}

/** Data for the wire. */
export function dataMessage({ metadata, txs }: Data): DataMessage {
  return create(DataSchema, {
    ...(metadata === undefined
      ? {}
      : {
          metadata: {
            chainId: metadata.chainId,
            height: BigInt(metadata.height),
            time: metadata.time,
            lastDataHash: metadata.lastDataHash,
          },
        }),
    txs: [...txs],
  })
}

/** What a {@link BlockSummary} is made of. */
export interface SummaryParts {
  readonly header: SignedHeader
  readonly data: Data
  /** Undefined where it was pruned. */
  readonly stateRoot: Uint8Array | undefined
  /** Undefined where the block is not final. */
  readonly inclusion: BlockInclusion | undefined
}

/** A summary of a block for the wire. */
export function summaryMessage({ header: signed, data, stateRoot, inclusion }: SummaryParts): BlockSummary {
  const { header } = signed
  let txBytes = 0
  for (const tx of data.txs) txBytes += tx.length
  return create(BlockSummarySchema, {
    height: BigInt(header.height),
    time: header.time,
    hash: headerHash(header),
    previousHash: header.lastHeaderHash,
    dataHash: header.dataHash,
    appHash: header.appHash,
    stateRoot: stateRoot ?? EMPTY_BYTES,
    proposerAddress: header.proposerAddress,
    txCount: data.txs.length,
    txBytes: BigInt(txBytes),
    final: inclusion !== undefined,
    headerDaHeight: BigInt(inclusion?.headerDaHeight ?? 0),
    dataDaHeight: BigInt(inclusion?.dataDaHeight ?? 0),
  })
}

/** A connection for the wire. */
export function peerMessage(peer: PeerConnection): Peer {
  return create(PeerSchema, {
    id: peer.peer,
    address: peer.address,
    direction: peer.direction === 'outbound' ? Direction.OUTBOUND : Direction.INBOUND,
    protocols: [...peer.protocols],
    agent: peer.agent,
    opened: peer.openedAt,
    configured: peer.configured,
    encryption: peer.encryption ?? '',
  })
}

/** A submission to DA for the wire. */
export function submissionMessage(submission: DaSubmission): Submission {
  return create(SubmissionSchema, {
    number: BigInt(submission.number),
    time: submission.time,
    kind: submission.kind,
    firstHeight: BigInt(submission.firstHeight),
    lastHeight: BigInt(submission.lastHeight),
    blobs: submission.blobs,
    bytes: BigInt(submission.bytes),
    namespace: submission.namespace,
    daHeight: BigInt(submission.daHeight ?? 0),
    code: submission.failure?.code ?? '',
    message: submission.failure?.message ?? '',
    durationMs: Math.round(submission.duration),
    commitments: [...submission.commitments],
  })
}
