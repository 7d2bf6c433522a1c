import { z } from 'zod'
import { checkDaAddress, checkJsonObject } from '../addresses.ts'
import { choice, count, duration, fraction, list, type Section, text } from '../kinds.ts'

/** When pending headers and data are posted to DA. */
export type BatchingStrategy = 'immediate' | 'size' | 'time' | 'adaptive'

/** The data availability layer. Durations in milliseconds. */
export interface DaConfig {
  readonly address: string
  readonly authToken: string
  readonly submitOptions: string
  readonly signingAddresses: readonly string[]
  /** Empty in a file that was never initialised. */
  readonly namespace: string
  /** Empty: the same as `namespace`. */
  readonly dataNamespace: string
  /** Empty: off. */
  readonly forcedInclusionNamespace: string
  readonly blockTime: number
  readonly mempoolTtl: number
  readonly maxSubmitAttempts: number
  readonly requestTimeout: number
  readonly batchingStrategy: BatchingStrategy
  readonly batchSizeThreshold: number
  /** 0: `blockTime`. */
  readonly batchMaxDelay: number
  readonly batchMinItems: number
  /** 0: where the stored state or the genesis says. */
  readonly startHeight: number
}

/** Schema of {@link DaConfig}. */
export const daSection: Section<DaConfig> = z.strictObject({
  address: text('', "Address of the DA node's RPC. Empty: the node works with its peers alone.", {
    check: checkDaAddress,
  }),
  authToken: text('', 'Token sent to the DA node.', { secret: true }),
  submitOptions: text('', 'Options, as JSON, that are passed to the DA node with every submission.', {
    check: checkJsonObject,
  }),
  signingAddresses: list('DA accounts that take turns in paying for submissions.', { sequence: true }),
  namespace: text('', 'Namespace of headers on DA, and of data when da.data_namespace is empty.', {
    noDefault: true,
  }),
  dataNamespace: text('', 'Namespace of data on DA. Empty: the same as da.namespace.'),
  forcedInclusionNamespace: text('', 'Namespace of forced-inclusion transactions on DA. Empty: off.'),
  blockTime: duration('6s', 'Time between DA blocks. Examples: 6s, 15s, 1m.', { positive: true }),
  mempoolTtl: count(
    0,
    'DA blocks after which a submission counts as lost. Read by no node; kept for old files.',
  ),
  maxSubmitAttempts: count(30, 'Times a submission is tried before it is given up for now.'),
  requestTimeout: duration('1m0s', 'Time for one request to the DA node.', { positive: true }),
  batchingStrategy: choice(
    ['immediate', 'size', 'time', 'adaptive'],
    'time',
    'When to submit: immediate (whatever is there), size (a blob is full enough), time (at intervals), adaptive (size or time).',
  ),
  batchSizeThreshold: fraction(
    0.8,
    'Part of the largest blob that must be full before submitting, for size and adaptive. From 0 to 1.',
  ),
  batchMaxDelay: duration('0s', 'Longest time until a submission, for time and adaptive. 0s: da.block_time.'),
  batchMinItems: count(1, 'Headers or data that must be there before they are submitted.'),
  startHeight: count(0, 'DA height to read from, instead of where state and genesis say. 0: off.', {
    rare: true,
  }),
})
