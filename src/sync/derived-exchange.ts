/*
 * Data of a block without transactions follows from its header and the data below. So only blocks with
 * transactions are asked from peers; the rest is derived. On most chains that is most of the blocks.
 */
import { type Env, sleep } from '../core/env.ts'
import type { Exchange, FetchedRange, HeaderStore } from '../core/header.ts'
import type { P2PData } from '../types/data.ts'
import { dataHash, emptyDataFor, isEmptyCommitment } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { linkSignals } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'

/** Deps of {@link createDerivedExchange}. */
export interface DerivedExchangeDeps {
  /** Asks peers. */
  readonly exchange: Exchange<P2PData>
  /** Headers that vouch for the data. */
  readonly headers: HeaderStore<P2PSignedHeader>
  /** Data that is there already: what lies below the first asked height links to it. */
  readonly data: HeaderStore<P2PData>
  readonly env: Env
}

/** Options of {@link createDerivedExchange}. */
export interface DerivedExchangeOptions {
  readonly initialHeight: number
  /** Milliseconds that gossip has to bring what is new before peers are asked for it. Default 250. */
  readonly gossipPatience?: number
}

/** Heights from `from` up to and without `to`, all derived or all fetched. */
interface Segment {
  readonly empty: boolean
  readonly from: number
  to: number
}

/** Headers looked at for one plan. */
const PLAN_HEIGHTS = 1024
/** So few empty blocks between two with transactions are fetched along: one request instead of two. */
const FETCH_ALONG = 16
/** Requests begun before their turn. */
const AHEAD = 8
const DERIVED_PIECE = 256
/** So few heights below the target count as its tip. */
const TIP = 2

/**
 * An {@link Exchange} for data that derives empty blocks and asks `exchange` for the others. It asks for no
 * heights above the header store.
 */
export function createDerivedExchange(
  { exchange, headers, data, env }: DerivedExchangeDeps,
  { initialHeight, gossipPatience = 250 }: DerivedExchangeOptions,
): Exchange<P2PData> {
  const hashBelow = async (height: number): Promise<Uint8Array | undefined> => {
    if (height === initialHeight) return EMPTY_BYTES
    const below = await data.at(height - 1)
    return below === undefined ? undefined : dataHash(below)
  }

  return {
    start: async (options) => await exchange.start(options),
    stop: async () => await exchange.stop(),
    // The head of data is where the headers end; no peer has to be asked for it.
    head: async () => undefined,
    get: async (hash, options) => await exchange.get(hash, options),
    async at(height, options) {
      const header = await headers.at(height)
      if (header !== undefined && isEmptyCommitment(header.header.dataHash)) {
        const below = await hashBelow(height)
        if (below !== undefined) return emptyDataFor(header.header, below)
      }
      return await exchange.at(height, options)
    },
    async *range(from, to, options): AsyncGenerator<FetchedRange<P2PData>> {
      let next = from
      let below = await hashBelow(from)
      // Requests begun before their turn end with the iteration, whoever ends it.
      const ahead = linkSignals(options.signal)
      try {
        while (next < to) {
          const planned = await headers.range(next, Math.min(to, next + PLAN_HEIGHTS))
          if (planned.length === 0 || below === undefined) return
          const segments = plan(planned, next)
          const begun = new Map<Segment, AsyncIterator<FetchedRange<P2PData>>>()
          for (const [index, segment] of segments.entries()) {
            if (segment.empty) {
              for (let start = segment.from; start < segment.to; start += DERIVED_PIECE) {
                const items: P2PData[] = []
                for (let height = start; height < Math.min(segment.to, start + DERIVED_PIECE); height++) {
                  const header = planned[height - next]
                  if (header === undefined) throw outOfPlan(height)
                  const item = emptyDataFor(header.header, below)
                  below = dataHash(item)
                  items.push(item)
                }
                yield { items, peer: undefined, blame() {} }
              }
              continue
            }
            // At the tip gossip is about to bring it; the store ends this iteration when it has.
            if (gossipPatience > 0 && to - segment.from <= TIP) await sleep(env, gossipPatience, ahead.signal)
            beginAhead(segments.slice(index), begun, (begin) =>
              exchange.range(begin.from, begin.to, { signal: ahead.signal }),
            )
            let reached = segment.from
            const iterator = begun.get(segment)
            for (
              let piece = await iterator?.next();
              piece !== undefined && piece.done !== true;
              piece = await iterator?.next()
            ) {
              const last = piece.value.items.at(-1)
              if (last !== undefined) below = dataHash(last)
              reached += piece.value.items.length
              yield piece.value
            }
            begun.delete(segment)
            if (reached < segment.to) return
          }
          next += planned.length
        }
      } finally {
        ahead.abort()
      }
    },
  }
}

function outOfPlan(height: number): EvolveError {
  return new EvolveError('INTERNAL', `height ${height} is outside of the planned headers`)
}

/** Cuts consecutive headers, the first at `from`, into segments. */
function plan(headers: readonly P2PSignedHeader[], from: number): Segment[] {
  const segments: Segment[] = []
  for (const [index, { header }] of headers.entries()) {
    const empty = isEmptyCommitment(header.dataHash)
    const last = segments.at(-1)
    if (last !== undefined && last.empty === empty) {
      last.to = from + index + 1
      continue
    }
    const beforeLast = segments.at(-2)
    if (!empty && last !== undefined && beforeLast !== undefined && last.to - last.from <= FETCH_ALONG) {
      beforeLast.to = from + index + 1
      segments.pop()
      continue
    }
    segments.push({ empty, from: from + index, to: from + index + 1 })
  }
  return segments
}

/** Begins the iteration of the next fetched segments so that their requests are under way. */
function beginAhead(
  segments: readonly Segment[],
  begun: Map<Segment, AsyncIterator<FetchedRange<P2PData>>>,
  begin: (segment: Segment) => AsyncIterable<FetchedRange<P2PData>>,
): void {
  for (const segment of segments.filter(({ empty }) => !empty).slice(0, AHEAD)) {
    if (begun.has(segment)) continue
    begun.set(segment, eager(begin(segment)))
  }
}

/** Asks for the first element at once; a failure is kept for whoever takes it. */
function eager<T>(iterable: AsyncIterable<T>): AsyncIterator<T> {
  const iterator = iterable[Symbol.asyncIterator]()
  let first: Promise<IteratorResult<T>> | undefined = iterator.next()
  first.catch(() => undefined)
  return {
    async next() {
      const taken = first ?? iterator.next()
      first = undefined
      return await taken
    },
  }
}
