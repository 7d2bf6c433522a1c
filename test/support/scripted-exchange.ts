import type { Exchange, FetchedRange, ItemKind } from '../../src/core/header.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'
import { abortable } from '../../src/util/async.ts'

/** A peer of a {@link ScriptedExchange}: its name, and what it says when asked for heights. */
export interface ScriptedPeer<H> {
  readonly id: string
  answer(from: number, to: number): readonly H[]
}

/** An {@link Exchange} whose peers say what a test wants. */
export interface ScriptedExchange<H> extends Exchange<H> {
  /** Who is asked, in turn; blamed peers are gone. */
  peers: ScriptedPeer<H>[]
  /** Index of the peer to be asked next. */
  pick: (count: number) => number
  /** Awaited before each piece is given out. */
  gate: (from: number) => Promise<void>
  /** What the peers' head is. */
  onHead: (signal: AbortSignal) => Promise<H | undefined>
  headQuestions: number
  readonly asked: { readonly from: number; readonly to: number }[]
  readonly blamed: { readonly peer: string; readonly reason: unknown }[]
  readonly doubted: string[]
}

/** Answers honestly from `items`, whose first is of height `first`. */
export function honestPeer<H>(id: string, items: readonly H[], first = 1): ScriptedPeer<H> {
  return { id, answer: (from, to) => items.slice(Math.max(0, from - first), Math.max(0, to - first)) }
}

/** Makes a {@link ScriptedExchange} that gives out pieces of at most `pieceSize` items. */
export function createScriptedExchange<H>(
  kind: ItemKind<H>,
  { pieceSize = 64 }: { readonly pieceSize?: number } = {},
): ScriptedExchange<H> {
  const noPeers = (): EvolveError => new EvolveError('NO_PEERS', 'nobody to ask', { verdict: 'retry' })

  async function* range(
    from: number,
    to: number,
    signal: AbortSignal,
  ): AsyncGenerator<FetchedRange<H>, void> {
    exchange.asked.push({ from, to })
    if (exchange.peers.length === 0) throw noPeers()
    const lacking = new Set<string>()
    for (let next = from; next < to; ) {
      await abortable(exchange.gate(next), signal)
      signal.throwIfAborted()
      const able = exchange.peers.filter(({ id }) => !lacking.has(id))
      const peer = able[exchange.pick(able.length) % Math.max(able.length, 1)]
      if (peer === undefined) return
      const items = peer.answer(next, Math.min(to, next + pieceSize))
      if (items.length === 0) {
        lacking.add(peer.id)
        continue
      }
      lacking.clear()
      next += items.length
      yield {
        items,
        peer: peer.id,
        blame(reason) {
          exchange.blamed.push({ peer: peer.id, reason })
          exchange.peers = exchange.peers.filter(({ id }) => id !== peer.id)
        },
        doubt() {
          exchange.doubted.push(peer.id)
        },
      }
    }
  }

  const exchange: ScriptedExchange<H> = {
    peers: [],
    pick: () => 0,
    gate: async () => {},
    onHead: async () => undefined,
    headQuestions: 0,
    asked: [],
    blamed: [],
    doubted: [],
    async start() {},
    async stop() {},
    async head({ signal }) {
      exchange.headQuestions++
      return await abortable(exchange.onHead(signal), signal)
    },
    async get(hash) {
      for (const peer of exchange.peers) {
        const found = peer.answer(1, 1_000_000).find((item) => equalBytes(kind.hash(item), hash))
        if (found !== undefined) return found
      }
      throw new EvolveError('NOT_FOUND', 'nobody has it', { verdict: 'retry' })
    },
    async at(height) {
      for (const peer of exchange.peers) {
        const [found] = peer.answer(height, height + 1)
        if (found !== undefined) return found
      }
      throw exchange.peers.length === 0
        ? noPeers()
        : new EvolveError('NOT_FOUND', 'nobody has it', { verdict: 'retry' })
    },
    range: (from, to, { signal }) => range(from, to, signal),
  }
  return exchange
}
