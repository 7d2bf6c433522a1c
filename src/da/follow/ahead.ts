/*
 * DA heights that are read before their turn, within a bound of bytes.
 */
import { type LinkedController, linkSignals } from '../../util/async.ts'
import { type Fetcher, keptOf, seenOf, type Sifted } from './fetcher.ts'

/** Bytes of blobs that are read ahead of their turn. */
const MAX_BYTES = 64 * 1024 * 1024

/** How fast what a height may have is forgotten, from height to height. */
const FADING = 0.75

/** Heights that are being read. */
export interface Ahead {
  /** Begins to read: `height`, which is next, and those above it up to `head`, as far as there is room. */
  begin(height: number, head: number): void
  /** What the next height holds; undefined when it does not exist. Rejects with the signal's reason. */
  take(): Promise<Sifted | undefined>
  /** Gives up all that was begun. */
  clear(): void
}

/** A height that is being read, or was and waits for its turn. */
interface Reading {
  readonly fetched: Promise<Sifted | undefined>
  readonly scope: LinkedController
  /** Bytes that are kept of it so far. */
  kept: number
}

/** Makes {@link Ahead} of a fetch that ends with its signal; at most `parallel` heights at a time. */
export function createAhead(
  fetch: Fetcher['fetch'],
  { parallel, signal }: { readonly parallel: number; readonly signal: AbortSignal },
): Ahead {
  /** In their order, from the next one on. */
  const begun: Reading[] = []
  /** Bytes that are kept of them. */
  let held = 0
  /** Bytes that a height had lately, falling: what those on the way may have. */
  let usual = MAX_BYTES / 4

  function start(height: number): void {
    const scope = linkSignals(signal)
    const one = { scope, kept: 0, fetched: fetch(height, scope.signal, (bytes) => keep(one, bytes)) }
    begun.push(one)
    // Whoever takes it hears of a failure.
    weigh(one).catch(() => undefined)
  }

  async function weigh(one: Reading): Promise<void> {
    try {
      const sieves = (await one.fetched)?.sieves
      if (sieves === undefined) return
      usual = Math.max(seenOf(sieves), usual * FADING)
      keep(one, keptOf(sieves))
    } finally {
      one.scope.release()
    }
  }

  function keep(one: Reading, bytes: number): void {
    if (!begun.includes(one)) return
    held += bytes - one.kept
    one.kept = bytes
    // More came than was to be expected: what is needed last is read once more, in its turn.
    while (held > MAX_BYTES && begun.length > 1) giveUpLast()
  }

  function giveUpLast(): void {
    const last = begun.pop()
    held -= last?.kept ?? 0
    last?.scope.abort()
  }

  return {
    begin(height, head) {
      while (height + begun.length <= head && begun.length < parallel) {
        if (begun.length > 0 && held + usual * (begun.length + 1) > MAX_BYTES) return
        start(height + begun.length)
      }
    },
    async take() {
      const sifted = await begun[0]?.fetched
      held -= begun.shift()?.kept ?? 0
      return sifted
    },
    clear() {
      while (begun.length > 0) giveUpLast()
    },
  }
}
