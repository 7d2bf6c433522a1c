/*
 * One DA height in full: its header and what lies in our namespaces. Each of its calls is repeated by itself until it
 * is answered, so that a DA node that fails now and then is read as well.
 */
import type { Blob, DaClient, DaHeader } from '../../core/da.ts'
import { type Env, sleep } from '../../core/env.ts'
import type { SignatureChecker } from '../../core/signatures.ts'
import { isEvolveError } from '../../util/errors.ts'
import { daBackoff } from './head.ts'
import type { Outage } from './outage.ts'
import { createSieve, type Sieve, type SieveProposers } from './sieve.ts'
import { checkAhead } from './signed.ts'

/** Bytes of halves that are kept of a DA height, whoever they are by. */
const CROWDED_BYTES = 8 * 1024 * 1024

/** What a DA height holds for us, by namespace, and who was the last proposer known when its reading began. */
export interface Sifted {
  readonly header: DaHeader
  readonly sieves: readonly Sieve[]
  readonly proposer: Uint8Array | undefined
}

/** Bytes that are kept of a DA height. */
export function keptOf(sieves: readonly Sieve[]): number {
  return sieves.reduce((sum, { keptBytes }) => sum + keptBytes, 0)
}

/** Bytes that were looked at of a DA height. */
export function seenOf(sieves: readonly Sieve[]): number {
  return sieves.reduce((sum, { seenBytes }) => sum + seenBytes, 0)
}

/** Highest block height of what was passed over because a DA height was crowded; undefined when nothing was. */
export function crowdedOutOf(sieves: readonly Sieve[]): number | undefined {
  const heights = sieves.flatMap(({ crowdedOut }) => crowdedOut ?? [])
  return heights.length === 0 ? undefined : Math.max(...heights)
}

/** What a {@link Fetcher} needs. */
export interface FetcherDeps {
  readonly client: DaClient
  readonly env: Env
  readonly outage: Outage
  readonly proposers: SieveProposers | undefined
  /** Checks signatures before the turn of their height comes. */
  readonly signatures: SignatureChecker | undefined
}

/** How a {@link Fetcher} reads. Defaults in brackets. */
export interface FetcherOptions {
  readonly namespaces: readonly Uint8Array[]
  /** Longest pause between two attempts, milliseconds. */
  readonly poll: number
  /** Larger blobs are passed over [5 MiB]. */
  readonly maxBlobBytes?: number
  /** Halves of other chains are passed over [none are]. */
  readonly chainId?: string
  /** Bytes of halves of a DA height, beyond which only those of the expected proposer are kept [8 MiB]. */
  readonly crowdedBytes?: number
}

/** Reads single DA heights. Rejects with a signal's reason only. */
export interface Fetcher {
  /** The answer to a question about a height, sooner or later; undefined when the height does not exist. */
  persist<T>(height: number, signal: AbortSignal, question: () => Promise<T>): Promise<T | undefined>
  /** All of a height; undefined when it does not exist. `kept` hears of the bytes that are kept of it so far. */
  fetch(height: number, signal: AbortSignal, kept?: (bytes: number) => void): Promise<Sifted | undefined>
}

/** Makes a {@link Fetcher}. */
export function createFetcher(deps: FetcherDeps, options: FetcherOptions): Fetcher {
  const { client, env, outage, proposers, signatures } = deps
  const { namespaces, poll, chainId } = options
  const { maxBlobBytes = 5 * 1024 * 1024, crowdedBytes = CROWDED_BYTES } = options

  async function persist<T>(
    height: number,
    signal: AbortSignal,
    question: () => Promise<T>,
  ): Promise<T | undefined> {
    const backoff = daBackoff(poll)
    for (;;) {
      signal.throwIfAborted()
      try {
        const answer = await question()
        outage.answered()
        return answer
      } catch (error) {
        signal.throwIfAborted()
        if (isEvolveError(error, 'DA_FROM_FUTURE')) return undefined
        outage.failed(error, { height })
        await sleep(env, backoff.next(), signal)
      }
    }
  }

  async function blobsOf(
    height: number,
    namespace: Uint8Array,
    keep: Sieve['keep'],
    signal: AbortSignal,
  ): Promise<Blob[]> {
    try {
      return await client.getAll(height, [namespace], { signal, keep })
    } catch (error) {
      if (isEvolveError(error, 'DA_NOT_FOUND')) return []
      throw error
    }
  }

  /** The blobs of a height. What an answer that broke off has brought is forgotten. */
  async function sift(
    height: number,
    signal: AbortSignal,
    kept: (bytes: number) => void,
  ): Promise<readonly Sieve[] | undefined> {
    const latest = new Map<Uint8Array, Sieve>()
    const ask = async (namespace: Uint8Array): Promise<Sieve> => {
      const keptBeside = (): number => {
        let bytes = 0
        for (const [of, { keptBytes }] of latest) if (of !== namespace) bytes += keptBytes
        return bytes
      }
      const sieve = createSieve({ maxBlobBytes, chainId, crowdedBytes, proposers, keptBeside })
      latest.set(namespace, sieve)
      const keep = (blob: Blob): boolean => {
        const wanted = sieve.keep(blob)
        if (wanted) kept(sieve.keptBytes + keptBeside())
        return wanted
      }
      sieve.take(await blobsOf(height, namespace, keep, signal))
      return sieve
    }
    const sieves = await Promise.all(
      namespaces.map(async (namespace) => await persist(height, signal, async () => await ask(namespace))),
    )
    const found = sieves.filter((sieve) => sieve !== undefined)
    return found.length < sieves.length ? undefined : found
  }

  return {
    persist,
    async fetch(height, signal, kept = () => undefined) {
      const proposer = proposers?.expected(Number.MAX_SAFE_INTEGER)
      let asked = 0
      const ask = async (): Promise<DaHeader> => {
        asked++
        return await client.header(height, { signal })
      }
      const [header, early] = await Promise.all([persist(height, signal, ask), sift(height, signal, kept)])
      if (header === undefined) return undefined
      // Blobs must not be older than the header: only a header tells that the chain has become another one.
      const sieves = asked > 1 ? await sift(height, signal, kept) : early
      if (sieves === undefined) return undefined
      if (signatures !== undefined && proposers !== undefined) {
        for (const sieve of sieves) await checkAhead(signatures, sieve, proposers.expected)
      }
      return { header, sieves, proposer }
    },
  }
}
