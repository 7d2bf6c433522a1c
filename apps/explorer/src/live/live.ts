/*
 * What the page knows of its node at this moment. One subscription tells what changed; blocks are asked for then. A
 * browser has few connections to a server: a subscription for each thing would leave none for the next tab.
 */
import type { BlockSummary, Client, NodeInfo, NodeStatus } from 'evolve-node/client'
import { after, every, now } from '../clock.ts'
import { milliseconds } from '../format.ts'
import { createValue, type Value } from '../value.ts'
import { failureWords } from '../words.ts'
import { type BlockWindow, blocksWanted, WINDOW, withBlocks } from './block-window.ts'
import { EMPTY_HISTORY, type History, HISTORY_SECONDS, historyOf, withSample } from './history.ts'

/** How the page stands with its node. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  | { readonly state: 'lost'; readonly why: string }

/** What is known of the node, and kept up to date. */
export interface Live {
  readonly connection: Value<Connection>
  /** Counts how often a connection was made: what was read before may be read again. From 1 on there is a status. */
  readonly epoch: Value<number>
  readonly info: Value<NodeInfo | undefined>
  readonly status: Value<NodeStatus | undefined>
  /** Kept up to date while somebody watches it. */
  readonly blocks: Value<BlockWindow>
  readonly history: Value<History>
  /** Begins; while the page is hidden it rests. */
  start(): void
  /** Keeps `blocks` up to date until the returned function is called. */
  watchBlocks(): () => void
}

/** Milliseconds between two statuses at least. */
const INTERVAL = 500
/** Milliseconds before asking again after what does not pass by itself. */
const PATIENCE = 5_000
/** Requests for older blocks, from whose times the charts begin. */
const SEED_REQUESTS = 3

/** Makes a {@link Live} of the node of `client`. */
export function createLive(client: Client): Live {
  const connection = createValue<Connection>({ state: 'connecting' })
  const epoch = createValue(0)
  const info = createValue<NodeInfo | undefined>(undefined)
  const status = createValue<NodeStatus | undefined>(undefined)
  const blocks = createValue<BlockWindow>([])
  const history = createValue<History>(EMPTY_HISTORY)
  let watchers = 0
  let refreshing = false
  let running: AbortController | undefined

  function lost(error: unknown): void {
    connection.set({ state: 'lost', why: failureWords(error) })
  }

  async function follow(signal: AbortSignal): Promise<void> {
    try {
      const told = client.subscribeStatus({
        interval: INTERVAL,
        signal,
        onInterruption: ({ error }) => lost(error),
      })
      for await (const next of told) {
        if (next.height < (status.get()?.height ?? 0)) blocks.set([])
        status.set(next)
        if (connection.get().state !== 'connected') await connected(signal)
        void refresh(signal)
      }
    } catch (error) {
      if (signal.aborted) return
      lost(error)
      signal.addEventListener(
        'abort',
        after(PATIENCE, () => void follow(signal)),
        { once: true },
      )
    }
  }

  async function connected(signal: AbortSignal): Promise<void> {
    const before = info.get()
    const found = await client.info({ signal })
    if (before !== undefined && before.chainId !== found.chainId) {
      blocks.set([])
      history.set(EMPTY_HISTORY)
    }
    info.set(found)
    connection.set({ state: 'connected' })
    epoch.set(epoch.get() + 1)
    if (history.get().times.length === 0) void seed(signal)
  }

  /** Asks for blocks until the window shows what the status says. */
  async function refresh(signal: AbortSignal): Promise<void> {
    if (refreshing || watchers === 0) return
    refreshing = true
    try {
      let wanted = nextWanted()
      while (wanted !== undefined && !signal.aborted) {
        const fetched = await client.blocks({ ...wanted, signal })
        const before = blocks.get()
        blocks.set(withBlocks(before, fetched))
        const again = nextWanted()
        // A node that does not give what it says it has is not asked at once again.
        wanted = again?.from === wanted.from ? undefined : again
      }
    } catch {
      // The next status asks again; that the node is gone the subscription says.
    } finally {
      refreshing = false
    }
  }

  function nextWanted(): ReturnType<typeof blocksWanted> {
    const current = status.get()
    return current === undefined ? undefined : blocksWanted(blocks.get(), current)
  }

  /** The charts begin with what the times of the last blocks say. */
  async function seed(signal: AbortSignal): Promise<void> {
    const found: BlockSummary[] = []
    const oldest = now() - HISTORY_SECONDS * 1_000
    try {
      for (let request = 0; request < SEED_REQUESTS; request++) {
        const lowest = found.at(-1)
        if (lowest !== undefined && (lowest.height <= 1 || milliseconds(lowest.time) < oldest)) break
        const from = lowest === undefined ? {} : { from: lowest.height - 1 }
        const fetched = await client.blocks({ ...from, limit: WINDOW, signal })
        if (fetched.length === 0) break
        found.push(...fetched)
      }
    } catch {
      // Without them the charts begin now.
    }
    const known = history.get()
    const begin = known.times[0] ?? now() / 1_000
    const past = historyOf(found, begin)
    history.set({
      times: [...past.times, ...known.times],
      blocks: [...past.blocks, ...known.blocks],
      transactions: [...past.transactions, ...known.transactions],
      lag: [...past.lag, ...known.lag],
    })
  }

  function sample(): void {
    const current = status.get()
    if (current === undefined || connection.get().state !== 'connected') return
    const { rates, height, finalHeight, da } = current
    history.set(
      withSample(history.get(), {
        time: now() / 1_000,
        blocks: rates.blocks,
        transactions: rates.transactions,
        lag: da === undefined ? null : Math.max(0, height - finalHeight),
      }),
    )
  }

  function run(): void {
    if (running !== undefined || document.hidden) return
    running = new AbortController()
    const { signal } = running
    signal.addEventListener('abort', every(1_000, sample), { once: true })
    void follow(signal)
  }

  function rest(): void {
    running?.abort()
    running = undefined
  }

  return {
    connection,
    epoch,
    info,
    status,
    blocks,
    history,
    start() {
      document.addEventListener('visibilitychange', () => (document.hidden ? rest() : run()))
      run()
    },
    watchBlocks() {
      watchers++
      if (running !== undefined) void refresh(running.signal)
      return () => {
        watchers--
      }
    },
  }
}
