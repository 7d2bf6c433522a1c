/*
 * What must hold between keys. Source: ev-node v1.2.3 pkg/config, Validate. Rules about raft and kms are missing
 * as long as those are not supported at all, see support.ts.
 */
import { formatDuration, fromMilliseconds } from './duration.ts'
import type { Problem } from './problems.ts'
import type { Config } from './schema.ts'

/** A rule over several keys. The first of `keys` is the one a problem is reported at. */
interface Rule {
  readonly keys: readonly [string, ...string[]]
  /** What is wrong, or undefined. */
  broken(config: Config): string | undefined
}

function exclude(a: string, b: string, both: (config: Config) => boolean): Rule {
  return {
    keys: [a, b],
    broken: (config) => (both(config) ? `it cannot be combined with ${b}` : undefined),
  }
}

function need(
  keys: readonly [string, ...string[]],
  broken: (config: Config) => boolean,
  message: string,
): Rule {
  return { keys, broken: (config) => (broken(config) ? message : undefined) }
}

const span = (milliseconds: number): string => formatDuration(fromMilliseconds(milliseconds))

const prunes = (config: Config): boolean => config.pruning.pruningMode !== 'disabled'

const RULES: readonly Rule[] = [
  exclude('node.light', 'node.aggregator', ({ node }) => node.light && node.aggregator),
  exclude('node.promotable', 'node.based_sequencer', ({ node }) => node.promotable && node.basedSequencer),
  exclude('node.promotable', 'node.light', ({ node }) => node.promotable && node.light),
  exclude('node.promotable', 'raft.enable', ({ node, raft }) => node.promotable && raft.enable),
  exclude('node.catchup_timeout', 'raft.enable', ({ node, raft }) => node.catchupTimeout > 0 && raft.enable),
  need(
    ['node.based_sequencer', 'node.aggregator'],
    ({ node }) => node.basedSequencer && !node.aggregator,
    'it needs node.aggregator: true',
  ),
  need(
    ['node.catchup_timeout', 'node.aggregator'],
    ({ node }) => node.catchupTimeout > 0 && !node.aggregator,
    'it needs node.aggregator: true',
  ),
  {
    keys: ['node.lazy_block_interval', 'node.lazy_mode', 'node.block_time'],
    broken: ({ node }) =>
      node.lazyMode && node.lazyBlockInterval <= node.blockTime
        ? `in lazy mode it must be longer than node.block_time (${span(node.blockTime)}), got ${span(node.lazyBlockInterval)}`
        : undefined,
  },
  need(
    ['da.namespace', 'da.address'],
    ({ da }) => da.address.trim() !== '' && da.namespace === '',
    "it is needed with da.address: the namespace that the chain's aggregator posts to",
  ),
  {
    keys: ['pruning.pruning_interval', 'pruning.pruning_mode', 'node.block_time'],
    broken: (config) =>
      prunes(config) && config.pruning.pruningInterval < config.node.blockTime
        ? `it must be at least node.block_time (${span(config.node.blockTime)}), got ${span(config.pruning.pruningInterval)}`
        : undefined,
  },
  need(
    ['pruning.pruning_keep_recent', 'pruning.pruning_mode'],
    (config) => prunes(config) && config.pruning.pruningKeepRecent === 0,
    'it must be at least 1 when pruning',
  ),
  need(
    ['instrumentation.tracing_endpoint', 'instrumentation.tracing'],
    ({ instrumentation }) => instrumentation.tracing && instrumentation.tracingEndpoint.trim() === '',
    'it is needed with instrumentation.tracing',
  ),
]

/** The rules between keys that `config` breaks; those that touch a key in `skip` are passed over. */
export function brokenRules(config: Config, skip: ReadonlySet<string>): Problem[] {
  return RULES.flatMap((rule) => {
    if (rule.keys.some((key) => skip.has(key))) return []
    const message = rule.broken(config)
    return message === undefined ? [] : [{ key: rule.keys[0], origin: undefined, message }]
  })
}
