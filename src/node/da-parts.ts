/*
 * The parts of a node that deal with DA: reading it, finality, and, for an aggregator, posting to it.
 */
import { createPatientExecutor } from '../block/execute.ts'
import type { BlockStore } from '../core/block-store.ts'
import type { DaClient, DaSubmitOptions } from '../core/da.ts'
import type { Env } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { DaView } from '../core/node-view.ts'
import type { ItemSink } from '../core/header.ts'
import type { KvPart } from '../core/kv.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Proposers } from '../core/proposers.ts'
import type { SignatureChecker } from '../core/signatures.ts'
import type { Signer } from '../core/signer.ts'
import { createRetriever } from '../da/follow/retriever.ts'
import { createDaSource, type DaSource } from '../da/follow/source.ts'
import { createInclusionTracker, type InclusionTracker } from '../da/inclusion.ts'
import { createSubmitter, type Submitter } from '../da/submit/submitter.ts'
import type { P2PData } from '../types/data.ts'
import type { Genesis } from '../types/genesis.ts'
import type { P2PSignedHeader, SignedHeader } from '../types/header.ts'
import { namespaceBytes } from '../types/namespace.ts'

/** Where a chain lies on DA, and at which pace. Durations in milliseconds, defaults in brackets. */
export interface DaOptions {
  /** Namespace of headers, as configured: any text. */
  readonly namespace: string
  /** Namespace of data [the same]. */
  readonly dataNamespace?: string
  /** Time between DA blocks [6,000]. */
  readonly blockTime?: number
  /** First DA height to read when nothing was read yet [genesis's]. */
  readonly startHeight?: number
  /** DA heights read at a time [24]. */
  readonly parallel?: number
  readonly submit?: SubmitOptions
}

/** How an aggregator posts to DA. Durations in milliseconds, defaults in brackets. */
export interface SubmitOptions {
  /** When to post [`time`]. */
  readonly strategy?: 'immediate' | 'size' | 'time' | 'adaptive'
  /** For `size` and `adaptive`: how full a submission must be, 0 to 1 [0.8]. */
  readonly sizeThreshold?: number
  /** For `time` and `adaptive`: the longest wait [`blockTime`]. */
  readonly maxDelay?: number
  /** Headers or data that must wait before they are posted [1]. */
  readonly minItems?: number
  /** Attempts before a submission is given up for now [30]. */
  readonly maxAttempts?: number
  /** Passed to the DA node with every submission. */
  readonly submitOptions?: DaSubmitOptions
  /** DA accounts that take turns in paying. */
  readonly signingAddresses?: readonly string[]
}

/** Parts of {@link createDaParts}. */
export interface DaPartsDeps {
  readonly client: DaClient
  readonly kv: KvPart
  readonly submittedKv: KvPart
  readonly blocks: BlockStore
  readonly executor: Executor
  readonly headers: ItemSink<P2PSignedHeader>
  readonly data: ItemSink<P2PData>
  readonly proposers: Proposers
  /** Checks signatures off this thread. */
  readonly signatures?: SignatureChecker
  readonly genesis: Genesis
  /** Set on an aggregator. */
  readonly signer: Signer | undefined
  readonly conflict: (header: SignedHeader, daHeight: number) => void
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What a node does with DA. */
export interface DaParts {
  /** In the order they start. */
  readonly services: readonly Service[]
  readonly client: DaClient
  readonly view: DaView
  readonly source: DaSource
  readonly inclusion: InclusionTracker
  /** Set on an aggregator; the aggregator starts and stops it. */
  readonly submitter: Submitter | undefined
}

/** DA heights that an aggregator which never read DA looks through for blocks of its own: a lost database shows there. */
const LOOK_BACK = 1_000

/** Makes {@link DaParts}. */
export function createDaParts(deps: DaPartsDeps, options: DaOptions): DaParts {
  const { client, kv, blocks, executor, genesis, signer, env, logger, metrics } = deps
  const shared = { env, logger, metrics }
  const headerNamespace = namespaceBytes(options.namespace)
  const dataNamespace = namespaceBytes(options.dataNamespace ?? options.namespace)
  const where = { headerNamespace, dataNamespace, blockTime: options.blockTime ?? 6_000 }
  const patient = createPatientExecutor(shared)

  const retriever = createRetriever(
    {
      ...shared,
      client,
      proposers: deps.proposers,
      ...(deps.signatures === undefined ? {} : { signatures: deps.signatures }),
    },
    {
      ...where,
      chainId: genesis.chainId,
      ...(options.parallel === undefined ? {} : { parallel: options.parallel }),
    },
  )
  const source = createDaSource(
    {
      ...shared,
      retriever,
      kv,
      headers: deps.headers,
      data: deps.data,
      proposers: deps.proposers,
      genesis,
      conflict: deps.conflict,
    },
    {
      startHeight: options.startHeight ?? genesis.daStartHeight,
      ...(signer === undefined ? {} : { startBelowHead: LOOK_BACK }),
    },
  )
  const inclusion = createInclusionTracker({
    ...shared,
    kv,
    blockStore: blocks,
    setFinal: async (height, { signal }) =>
      await patient.call({
        what: 'telling the executor of a final height',
        height,
        signal,
        task: async (inner) => await executor.setFinal(height, { signal: inner }),
      }),
  })
  const submitter =
    signer === undefined
      ? undefined
      : createSubmitter(
          { ...shared, client, blockStore: blocks, signer, kv: deps.submittedKv, inclusion },
          { ...where, ...options.submit },
        )
  source.onConsumed((daHeight) => {
    inclusion.poke()
    submitter?.consumed(daHeight)
  })
  return {
    services: [client, source, inclusion],
    client,
    view: { headerNamespace, dataNamespace, client, submissions: () => submitter?.attempts() ?? [] },
    source,
    inclusion,
    submitter,
  }
}
