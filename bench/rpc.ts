/*
 * Reads by RPC: one client process against one node that has a chain on disk.
 */
import { join } from 'node:path'
import type { GeneratedChain } from './chain.ts'
import { forkProcess } from './child.ts'
import type { BenchContext, BenchPart, Figure } from './part.ts'
import type { HomeOrder } from './store.ts'

/** Serves a home by RPC. */
export interface ServeRpcOrder {
  readonly home: string
  readonly chain: GeneratedChain
}

/** Where a home is served. */
export interface ServedRpc {
  readonly url: string
}

/** Asks a node. */
export interface AskRpcOrder {
  readonly url: string
  readonly blocks: number
  /** Milliseconds for each way of asking. */
  readonly span: number
}

/** Times a second of one way of asking. */
export interface AskedRate {
  readonly name: string
  readonly perSecond: number
}

const BLOCKS = 100_000
const SPAN = 3_000
/** Blocks a second of a client that asks as Go clients may, and of a browser's. */
const READS_GOAL = 5_000

/** The benchmark `rpc`. */
export const rpc: BenchPart = {
  name: 'rpc',
  about: 'blocks read by RPC, by one client process, in every protocol',
  async run(context: BenchContext) {
    const chain = await context.chains.get({ filling: 'empty', blocks: BLOCKS })
    const home = join(context.scratch, 'home')
    const order: HomeOrder = { chain, home }
    const maker = forkProcess<{ readonly made: true }>('make-home', order)
    await maker.message((message): message is { readonly made: true } => 'made' in message)
    await maker.stop()
    const server = forkProcess<ServedRpc>('serve-rpc', { home, chain } satisfies ServeRpcOrder)
    const { url } = await server.message((message): message is ServedRpc => 'url' in message)
    context.log('asking')
    const ask: AskRpcOrder = { url, blocks: BLOCKS, span: SPAN }
    const client = forkProcess<{ readonly rates: readonly AskedRate[] }>('ask-rpc', ask)
    const { rates } = await client.message(
      (message): message is { readonly rates: readonly AskedRate[] } => 'rates' in message,
    )
    await client.stop()
    await server.stop()
    return [
      {
        title: 'rpc: blocks by number, one client process',
        figures: rates.map(({ name, perSecond }, index): Figure => {
          const goal = index === 0 ? { goal: { atLeast: READS_GOAL } } : {}
          return { name, value: perSecond, unit: '/s', ...goal }
        }),
        notes: ['random heights; client and node share the cores; the client decodes what it is answered'],
      },
    ]
  },
}
