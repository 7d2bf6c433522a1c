/*
 * Reads DA height by height, each in full, and waits at the head for the next.
 */
import type { DaClient } from '../../core/da.ts'
import type { Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { SignatureChecker } from '../../core/signatures.ts'
import { linkSignals } from '../../util/async.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { createAhead } from './ahead.ts'
import { createFetcher, crowdedOutOf, type Sifted } from './fetcher.ts'
import type { DaBlock } from './found.ts'
import { createDaHead, daPoll, daReorg } from './head.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import { createOutage } from './outage.ts'
import type { SieveProposers } from './sieve.ts'

/** DA heights read at a time: with 100 ms to each answer, some 200 a second. */
const PARALLEL = 24

/** DA blocks without failure after which an outage is over. */
const CALM_POLLS = 2

/** What a {@link Retriever} needs. */
export interface RetrieverDeps {
  readonly client: DaClient
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Whose halves are kept when strangers fill a DA height. Without, all are, within the client's bounds. */
  readonly proposers?: SieveProposers
  /** Checks many signatures of halves at once, while these wait for their turn. */
  readonly signatures?: SignatureChecker
}

/** Where our chain lies on DA. Defaults in brackets. */
export interface RetrieverOptions {
  /** 29 bytes each; may be equal. */
  readonly headerNamespace: Uint8Array
  readonly dataNamespace: Uint8Array
  /** Milliseconds between DA blocks; 0 when not known. */
  readonly blockTime: number
  /** DA heights read at a time [24]. */
  readonly parallel?: number
  /** Larger blobs are passed over [5 MiB]. */
  readonly maxBlobBytes?: number
  /** Halves of other chains are passed over [none are]. */
  readonly chainId?: string
  /** Bytes of halves of a DA height, beyond which only those of the expected proposer are kept [8 MiB]. */
  readonly crowdedBytes?: number
}

/** Options of {@link Retriever.read}. */
export interface ReadOptions {
  readonly signal: AbortSignal
  /** Hash of a DA height that was read before; empty when the DA node did not tell, undefined when not remembered. */
  readonly known: (height: number) => Uint8Array | undefined
}

/** Reads our namespaces on DA. Failures of DA are waited out, for as long as it takes. */
export interface Retriever {
  /** Highest DA height known; 0 before the first answer. */
  readonly head: number
  readonly reachable: boolean
  /** The failure that is being waited out. */
  readonly lastError: string | undefined
  /**
   * Every DA height from `from` on, in order, without end. Signatures are not checked. Rejects with `DA_REORG`
   * (`data.height`: the lowest height that is known to be another now) when a height does not follow what was read
   * before; and with the signal's reason.
   */
  read(from: number, options: ReadOptions): AsyncIterableIterator<DaBlock>
  /** Asks for the head of DA. */
  askHead(options: { readonly signal: AbortSignal }): Promise<number>
  /** One DA height; undefined when it does not exist. */
  blockAt(height: number, options: { readonly signal: AbortSignal }): Promise<DaBlock | undefined>
  /** Hash of one DA height; undefined when it does not exist. */
  hashAt(height: number, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>
}

/** Makes a {@link Retriever}. */
export function createRetriever(deps: RetrieverDeps, options: RetrieverOptions): Retriever {
  const { client, env, metrics, proposers, signatures } = deps
  const { headerNamespace, dataNamespace, parallel = PARALLEL } = options
  const logger = deps.logger.child({ component: 'da-retriever' })
  const outage = createOutage({ env, logger }, { calm: CALM_POLLS * daPoll(options.blockTime) })
  const head = createDaHead({ client, env, logger, outage }, options)
  const namespaces = equalBytes(headerNamespace, dataNamespace)
    ? [headerNamespace]
    : [headerNamespace, dataNamespace]

  const fetcher = createFetcher(
    { client, env, outage, proposers, signatures },
    { ...options, namespaces, poll: head.poll },
  )

  /** A height whose turn has come. It is read again when its blobs were sorted by a proposer that changed since. */
  async function upToDate(
    height: number,
    fetched: Sifted | undefined,
    signal: AbortSignal,
  ): Promise<Sifted | undefined> {
    let sifted = fetched
    while (sifted !== undefined && crowdedOutOf(sifted.sieves) !== undefined) {
      const now = proposers?.expected(Number.MAX_SAFE_INTEGER)
      if (sifted.proposer === undefined || now === undefined || equalBytes(sifted.proposer, now)) break
      sifted = await fetcher.fetch(height, signal)
    }
    return sifted
  }

  function blockOf(height: number, { header: { hash, previousHash }, sieves }: Sifted): DaBlock {
    for (const { drops } of sieves) {
      for (const [reason, count] of drops) metrics.count(FOLLOW_METRICS.dropped, count, { reason })
    }
    const headers = sieves.flatMap((sieve) => sieve.headers)
    const data = sieves.flatMap((sieve) => sieve.data)
    return { height, hash, previousHash, headers, data, crowdedOut: crowdedOutOf(sieves) }
  }

  async function* read(from: number, { signal: outer, known }: ReadOptions): AsyncGenerator<DaBlock, void> {
    const scope = linkSignals(outer)
    const { signal } = scope
    const watching = head.watch(headerNamespace, signal)
    const ahead = createAhead(async (...what) => await fetcher.fetch(...what), { parallel, signal })
    let height = Math.max(1, from)
    let below = known(height - 1)

    try {
      for (;;) {
        await head.reach(height, { signal, consumed: below !== undefined })
        ahead.begin(height, head.height)
        const sifted = await upToDate(height, await ahead.take(), signal)
        if (sifted === undefined) {
          ahead.clear()
          head.notYet(height)
          continue
        }
        const { hash, previousHash } = sifted.header
        if (differ(previousHash, below)) throw reorg(height - 1, below, previousHash)
        if (differ(hash, known(height))) throw reorg(height, known(height), hash)
        metrics.gauge(FOLLOW_METRICS.head, head.height)
        yield blockOf(height, sifted)
        below = hash
        height++
      }
    } finally {
      scope.abort()
      await watching
    }
  }

  return {
    get head() {
      return head.height
    },
    get reachable() {
      return outage.reachable
    },
    get lastError() {
      return outage.lastError
    },
    read,
    askHead: async (asked) => await head.ask(asked),
    async blockAt(height, { signal }) {
      const sifted = await fetcher.fetch(height, signal)
      return sifted === undefined ? undefined : blockOf(height, sifted)
    },
    hashAt: async (height, { signal }) =>
      await fetcher.persist(height, signal, async () => (await client.header(height, { signal })).hash),
  }
}

/** Whether two hashes are known to be of different DA blocks. */
function differ(found: Uint8Array, expected: Uint8Array | undefined): boolean {
  if (expected === undefined || expected.length === 0 || found.length === 0) return false
  return !equalBytes(found, expected)
}

function reorg(height: number, expected: Uint8Array | undefined, found: Uint8Array): Error {
  return daReorg(
    height,
    `DA height ${height} is another block now: expected hash ${toHex(expected ?? found)}, got ${toHex(found)}`,
  )
}
