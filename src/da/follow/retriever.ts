/*
 * Reads DA height by height, each in full, and waits at the head for the next.
 */
import type { Blob, DaClient, DaHeader } from '../../core/da.ts'
import { type Env, sleep } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { linkSignals } from '../../util/async.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { type DaBlock, decodeFound, type DropReason, type FoundData, type FoundHeader } from './found.ts'
import { createDaHead, daBackoff, daReorg } from './head.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import { createOutage } from './outage.ts'

/** Bytes of blobs that are read ahead of their turn. */
const MAX_AHEAD_BYTES = 64 * 1024 * 1024

/** What a {@link Retriever} needs. */
export interface RetrieverDeps {
  readonly client: DaClient
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Where our chain lies on DA. Defaults in brackets. */
export interface RetrieverOptions {
  /** 29 bytes each; may be equal. */
  readonly headerNamespace: Uint8Array
  readonly dataNamespace: Uint8Array
  /** Milliseconds between DA blocks; 0 when not known. */
  readonly blockTime: number
  /** DA heights read at a time [16]. */
  readonly parallel?: number
  /** Larger blobs are passed over [5 MiB]. */
  readonly maxBlobBytes?: number
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

/** A DA height as the DA node answered. */
interface Raw {
  readonly header: DaHeader
  readonly blobs: readonly Blob[]
  readonly bytes: number
}

/** Makes a {@link Retriever}. */
export function createRetriever(deps: RetrieverDeps, options: RetrieverOptions): Retriever {
  const { client, env, metrics } = deps
  const { headerNamespace, dataNamespace, parallel = 16, maxBlobBytes = 5 * 1024 * 1024 } = options
  const logger = deps.logger.child({ component: 'da-retriever' })
  const outage = createOutage(logger)
  const head = createDaHead({ client, env, logger, outage }, options)
  const namespaces = equalBytes(headerNamespace, dataNamespace)
    ? [headerNamespace]
    : [headerNamespace, dataNamespace]

  /** The answer to a question about a height, sooner or later; undefined when the height does not exist. */
  async function persist<T>(
    height: number,
    signal: AbortSignal,
    question: () => Promise<T>,
  ): Promise<T | undefined> {
    const backoff = daBackoff(head.poll)
    for (;;) {
      signal.throwIfAborted()
      try {
        const answer = await question()
        outage.over()
        return answer
      } catch (error) {
        signal.throwIfAborted()
        if (isEvolveError(error, 'DA_FROM_FUTURE')) return undefined
        outage.failed(error, { height })
        await sleep(env, backoff.next(), signal)
      }
    }
  }

  async function blobsOf(height: number, namespace: Uint8Array, signal: AbortSignal): Promise<Blob[]> {
    try {
      return await client.getAll(height, [namespace], { signal })
    } catch (error) {
      if (isEvolveError(error, 'DA_NOT_FOUND')) return []
      throw error
    }
  }

  async function fetch(height: number, signal: AbortSignal): Promise<Raw | undefined> {
    return await persist(height, signal, async () => {
      const [header, ...lists] = await Promise.all([
        client.header(height, { signal }),
        ...namespaces.map(async (namespace) => await blobsOf(height, namespace, signal)),
      ])
      const blobs = lists.flat()
      return { header, blobs, bytes: blobs.reduce((sum, { data }) => sum + data.length, 0) }
    })
  }

  function decode(height: number, { header, blobs }: Raw): DaBlock {
    const headers: FoundHeader[] = []
    const data: FoundData[] = []
    const drops = new Map<DropReason, number>()
    for (const blob of blobs) {
      const one = decodeFound(blob.data, maxBlobBytes)
      if (one.kind === 'header') headers.push(one.found)
      else if (one.kind === 'data') data.push(one.found)
      else drops.set(one.reason, (drops.get(one.reason) ?? 0) + 1)
    }
    for (const [reason, count] of drops) metrics.count(FOLLOW_METRICS.dropped, count, { reason })
    const { hash, previousHash } = header
    return { height, hash, previousHash, headers, data }
  }

  async function* read(from: number, { signal: outer, known }: ReadOptions): AsyncGenerator<DaBlock, void> {
    const scope = linkSignals(outer)
    const { signal } = scope
    const watching = head.watch(headerNamespace, signal)
    let ahead = linkSignals(signal)
    let begun: Promise<Raw | undefined>[] = []
    let height = Math.max(1, from)
    let below = known(height - 1)
    let held = 0
    /** Bytes that a height had lately, falling slowly: what those on the way may have. */
    let usual = MAX_AHEAD_BYTES / 4

    async function weigh(of: typeof begun, one: Promise<Raw | undefined>): Promise<void> {
      const raw = await one
      if (of !== begun || raw === undefined) return
      held += raw.bytes
      usual = Math.max(raw.bytes, usual * 0.9)
    }

    function begin(): void {
      while (height + begun.length <= head.height && begun.length < parallel) {
        if (begun.length > 0 && held + usual * begun.length >= MAX_AHEAD_BYTES) return
        const one = fetch(height + begun.length, ahead.signal)
        // Whoever takes it hears of a failure.
        weigh(begun, one).catch(() => undefined)
        begun.push(one)
      }
    }

    function giveUpAhead(): void {
      ahead.abort()
      ahead = linkSignals(signal)
      begun = []
      held = 0
    }

    try {
      for (;;) {
        await head.reach(height, { signal, consumed: below !== undefined })
        begin()
        const first = begun.shift()
        const raw = await first
        if (raw === undefined) {
          giveUpAhead()
          head.notYet(height)
          continue
        }
        const { hash, previousHash } = raw.header
        if (differ(previousHash, below)) throw reorg(height - 1, below, previousHash)
        if (differ(hash, known(height))) throw reorg(height, known(height), hash)
        held -= raw.bytes
        metrics.gauge(FOLLOW_METRICS.head, head.height)
        yield decode(height, raw)
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
      const raw = await fetch(height, signal)
      return raw === undefined ? undefined : decode(height, raw)
    },
    hashAt: async (height, { signal }) =>
      await persist(height, signal, async () => (await client.header(height, { signal })).hash),
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
